import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, type Session, ToolTimeout } from 'writ'
import { type IsolatedOptions, type IsolatedTool, ToolKilled } from 'writ/isolated'
import { bench as fakeBench, rejection, thrown } from '../support/agents.js'
import {
  contextOf,
  isAlive,
  isolate,
  isolatedBench,
  PLENTY_MS,
  scratchFile,
  until,
  written,
} from '../support/isolated-bench.js'
import { anything } from '../support/tools.js'

const SHORT_MS = 100

/** A tool whose worker is there: what is measured below is not how long it takes to start. */
function warm(name: string, options: IsolatedOptions = {}): IsolatedTool<unknown> {
  const execute = isolate(name, { max: 1, ...options })
  execute({ rehearse: true, waitMs: 0 }, contextOf({ sync: true }))
  return execute
}

/** Counts the turns of this thread's event loop, as far as timers see them, while `work` is under way. */
async function ticksDuring(work: PromiseLike<unknown>): Promise<number> {
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
  }, 1)
  await work
  clearInterval(timer)
  return ticks
}

describe.each([{ process: false }, { process: true }])('a loop without end, process: $process', (options) => {
  const STOPPED = { ok: false, effect: 'unknown' }
  const KILLED = {
    ok: false,
    error: { name: 'ToolKilled', code: 'ERR_TOOL_KILLED' },
    effect: 'unknown',
    late: true,
  }

  test("dies at the tool's own time, while the host goes on", async () => {
    const execute = warm('loop', options)
    const { agent, payloads } = isolatedBench(execute)
    const started = scratchFile('started')
    const ticks = await ticksDuring(
      agent.session('alice', async (s) => {
        const error = await rejection(s.callTool('tool', { started }, { timeoutMs: 300 }))
        expect(error).toBeInstanceOf(ToolTimeout)
        expect(s.state).toBe('open')
        await until(() => execute.size === 0)
      }),
    )
    expect(ticks).toBeGreaterThan(10)
    const pid = Number(await written(started))
    if (options.process) expect(isAlive(pid)).toBe(false)
    expect(payloads('tool_result')).toMatchObject([{ ...STOPPED, error: { name: 'ToolTimeout' } }, KILLED])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed', in_flight: 0 }])
  })

  test("dies at its session's deadline, while the host goes on", async () => {
    const execute = warm('loop', options)
    const { agent, payloads } = isolatedBench(execute, 'session', { wallMs: 300 })
    const ended = rejection(agent.session('alice', (s) => s.callTool('tool', {})))
    expect(await ticksDuring(ended)).toBeGreaterThan(10)
    expect(await ended).toBeInstanceOf(BudgetExceeded)
    await until(() => execute.size === 0)
    await until(() => payloads('tool_result').length === 2)
    expect(payloads('tool_result')).toMatchObject([{ ...STOPPED, error: { name: 'BudgetExceeded' } }, KILLED])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed', in_flight: 1 }])
  })

  test("dies at its caller's signal, and when its session or agent is closed", async () => {
    const ways: ((call: AbortController, s: Session, close: () => Promise<void>) => unknown)[] = [
      (call) => call.abort(),
      (_call, s) => s.close(),
      (_call, _s, close) => close(),
    ]
    for (const way of ways) {
      const execute = warm('loop', options)
      const { agent, payloads } = isolatedBench(execute)
      const started = scratchFile('started')
      const controller = new AbortController()
      await using s = agent.open('alice')
      const call = rejection(s.callTool('tool', { started }, { signal: controller.signal }))
      await written(started)
      await way(controller, s, () => agent.close())
      await call
      await until(() => execute.size === 0)
      expect(payloads('tool_result')[0]).toMatchObject(STOPPED)
    }
  })

  test('dies with the session that its own is nested in', async () => {
    const execute = warm('loop', options)
    const { agent, payloads } = isolatedBench(execute)
    const nested = () => agent.session('alice', (inner) => inner.callTool('tool', {}))
    const error = await rejection(agent.session('alice', nested, { budget: { wallMs: 300 } }))
    expect(error).toMatchObject({ limit: 'wallMs', max: 300 })
    expect(payloads('tool_call')).toHaveLength(1)
    await until(() => execute.size === 0)
  })

  test('in a synchronous session is dead when the call returns', () => {
    const execute = warm('loop', options)
    const { agent, payloads } = isolatedBench(execute, 'sessionSync')
    agent.sessionSync('alice', (s) => {
      expect(thrown(() => s.callTool('tool', {}, { timeoutMs: SHORT_MS }))).toBeInstanceOf(ToolTimeout)
      expect(execute.size).toBe(0)
      expect(s.state).toBe('open')
    })
    expect(payloads('tool_result')).toMatchObject([{ ...STOPPED, error: { name: 'ToolTimeout' } }, KILLED])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed' }])
  })

  test('in a synchronous session is dead when the session is', () => {
    const execute = warm('loop', options)
    const { agent, payloads } = isolatedBench(execute, 'sessionSync', { wallMs: SHORT_MS })
    const error = thrown(() => agent.sessionSync('alice', (s) => s.callTool('tool', {})))
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(execute.size).toBe(0)
    expect(payloads('tool_result')).toMatchObject([{ ...STOPPED, error: { name: 'BudgetExceeded' } }, KILLED])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
  })

  test('in a synchronous session whose clock stands still ends all the same', () => {
    const execute = warm('loop', options)
    const { agent, payloads } = fakeBench({
      budget: { wallMs: SHORT_MS },
      tools: { tool: { inputSchema: anything, readOnly: false, execute } },
    })
    expect(thrown(() => agent.sessionSync('alice', (s) => s.callTool('tool', {})))).toBeInstanceOf(ToolKilled)
    expect(execute.size).toBe(0)
    expect(payloads('tool_result')).toMatchObject([{ ok: false, error: KILLED.error, effect: 'unknown' }])
  })

  test('is replaced: the next call gets another worker', async () => {
    const execute = warm('random', options)
    const { call } = isolatedBench(execute)
    expect(await rejection(call({ how: 'loop', waitMs: 0 }, SHORT_MS))).toBeInstanceOf(ToolTimeout)
    expect(await call({ id: 5, waitMs: 0 })).toBe(5)
  })

  test('that is given time after its signal may use it, and its result is late', async () => {
    for (const kind of ['session', 'sessionSync'] as const) {
      const execute = warm('obeys', { ...options, graceMs: PLENTY_MS })
      const { call, payloads } = isolatedBench(execute, kind)
      expect(await rejection(call({}, SHORT_MS))).toBeInstanceOf(ToolTimeout)
      await until(() => payloads('tool_result').length === 2)
      expect(payloads('tool_result')).toMatchObject([
        { ok: false, error: { name: 'ToolTimeout' }, effect: 'unknown' },
        { ok: true, effect: 'occurred', late: true },
      ])
      await until(() => execute.size === 0)
    }
  })

  test('that is given time and does not use it is dead after it', async () => {
    const execute = warm('waits', { ...options, graceMs: SHORT_MS })
    const { call, payloads } = isolatedBench(execute)
    expect(await rejection(call({ waitMs: 60_000 }, SHORT_MS))).toBeInstanceOf(ToolTimeout)
    await until(() => payloads('tool_result').length === 2)
    expect(payloads('tool_result')[1]).toMatchObject(KILLED)
    expect(execute.size).toBe(0)
  })
})

describe('a call that waits for a worker', () => {
  test('and is stopped never starts; the log claims nothing else', async () => {
    const execute = warm('loop', { max: 1 })
    const { agent, payloads } = isolatedBench(execute)
    const [first, second] = [scratchFile('first'), scratchFile('second')]
    await agent.session('alice', async (s) => {
      const running = rejection(s.callTool('tool', { started: first }, { timeoutMs: 1_500 }))
      await written(first)
      const controller = new AbortController()
      const waiting = rejection(s.callTool('tool', { started: second }, { signal: controller.signal }))
      controller.abort()
      await waiting
      await running
      await until(() => execute.size === 0)
    })
    expect(existsSync(second)).toBe(false)
    // The kernel handed the call over and cannot know better than `unknown`; the late result says the rest.
    const ofSecond = payloads('tool_result').filter(
      ({ call_id }) => call_id === payloads('tool_call')[1]?.['call_id'],
    )
    expect(ofSecond).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: false, error: { name: 'ToolKilled' }, late: true },
    ])
  })

  test('says in its error that it did not start', async () => {
    const execute = warm('loop', { max: 1 })
    const started = scratchFile('started')
    const running = new AbortController()
    const first = rejection(Promise.resolve(execute({ started }, contextOf({ signal: running.signal }))))
    await written(started)
    const waiting = new AbortController()
    const second = rejection(Promise.resolve(execute({}, contextOf({ signal: waiting.signal }))))
    waiting.abort()
    expect(await second).toMatchObject({ code: 'ERR_TOOL_KILLED', started: false })
    running.abort()
    expect(await first).toMatchObject({ code: 'ERR_TOOL_KILLED', started: true })
    const late = rejection(Promise.resolve(execute({}, contextOf({ signal: AbortSignal.abort() }))))
    expect(await late).toMatchObject({ started: false })
  })

  test('uses up its time: in a synchronous session too', async () => {
    const execute = warm('loop', { max: 1 })
    const started = scratchFile('started')
    const controller = new AbortController()
    const running = rejection(Promise.resolve(execute({ started }, contextOf({ signal: controller.signal }))))
    await written(started)
    const { agent, payloads } = isolatedBench(execute, 'sessionSync')
    const second = scratchFile('second')
    agent.sessionSync('alice', (s) => {
      const call = () => s.callTool('tool', { started: second }, { timeoutMs: SHORT_MS })
      expect(thrown(call)).toBeInstanceOf(ToolTimeout)
    })
    expect(payloads('tool_result')).toHaveLength(2)
    expect(execute.size).toBe(1)
    controller.abort()
    await running
    expect(existsSync(second)).toBe(false)
  })
})

test('a tool dies on time while the event loop of its host is blocked', async () => {
  const execute = warm('loop', { process: true })
  const { agent } = isolatedBench(execute)
  const started = scratchFile('started')
  const call = rejection(agent.session('alice', (s) => s.callTool('tool', { started }, { timeoutMs: 1_000 })))
  const pid = Number(await written(started))
  const untilMs = performance.now() + PLENTY_MS
  while (isAlive(pid) && performance.now() < untilMs);
  expect(isAlive(pid)).toBe(false)
  expect(await call).toBeInstanceOf(ToolTimeout)
})

test('what a tool has started dies with its process', async () => {
  const execute = isolate('parent', { process: true })
  const started = scratchFile('started')
  const controller = new AbortController()
  const call = rejection(Promise.resolve(execute({ started }, contextOf({ signal: controller.signal }))))
  const pids = (await written(started)).split(' ').map(Number)
  expect(pids.map(isAlive)).toEqual([true, true])
  controller.abort()
  expect(await call).toBeInstanceOf(ToolKilled)
  await until(() => !pids.some(isAlive))
})
