import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineTool, type Session, SessionClosed, ToolTimeout } from 'writ'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { type Gate, gate, turn } from '../support/tools.js'

/** Rejections that nobody handled, from the whole process. */
let unhandled: unknown[] = []
const listener = (reason: unknown): void => {
  unhandled.push(reason)
}

beforeEach(() => {
  unhandled = []
  process.on('unhandledRejection', listener)
})

afterEach(async () => {
  await turn()
  process.off('unhandledRejection', listener)
  expect(unhandled).toEqual([])
})

const nothing = z.object({})

/** A tool that finishes when its gate opens, and not before, whatever its signal says. */
function stubborn(options: { readonly timeoutMs?: number; readonly readOnly?: boolean } = {}): {
  readonly run: Gate<string>
  readonly signals: AbortSignal[]
  readonly tool: ReturnType<typeof make>
} {
  const run = gate<string>()
  const signals: AbortSignal[] = []
  const make = () =>
    defineTool({
      inputSchema: nothing,
      ...options,
      execute: (_input, { signal }) => {
        signals.push(signal)
        return run.promise
      },
    })
  return { run, signals, tool: make() }
}

describe('at the deadline of the session, a tool that ignores its signal', () => {
  test('is abandoned: its caller is rejected, and its result is on record as unknown before the end', async () => {
    const { tool, signals } = stubborn()
    const { agent, clock, records, payloads } = bench({ budget: { wallMs: 1000 }, tools: { tool } })
    let call!: Promise<unknown>
    const outcome = rejection(
      agent.session('alice', (s) => {
        call = rejection(s.callTool('tool', {}))
        return call
      }),
    )
    await turn()
    await clock.advance(1000)
    const error = await outcome
    expect(error).toMatchObject({ limit: 'wallMs' })
    expect(await call).toBe(error)
    expect(signals[0]?.reason).toBe(error)
    expect(payloads('tool_result')).toEqual([
      {
        call_id: payloads('tool_call')[0]?.['call_id'],
        ok: false,
        elapsed_ms: 1000,
        error: { name: 'BudgetExceeded', code: 'ERR_BUDGET_EXCEEDED' },
        effect: 'unknown',
      },
    ])
    expect(
      records()
        .map(({ event }) => event)
        .slice(-2),
    ).toEqual(['tool_result', 'session_end'])
    expect(payloads('session_end')).toMatchObject([
      { outcome: 'killed', in_flight: 1, usage: { tool_calls: 1 } },
    ])
  })

  test('has its late result recorded as late, after the end, and dropped', async () => {
    const { tool, run } = stubborn()
    const { agent, clock, records, payloads } = bench({
      budget: { wallMs: 1000, toolCalls: 5 },
      tools: { tool },
    })
    let session!: Session
    let settled = 0
    const outcome = rejection(
      agent.session('alice', (s) => {
        session = s
        const call = s.callTool('tool', {})
        call.then(
          () => expect.fail('the late result was delivered'),
          () => {
            settled += 1
          },
        )
        return call
      }),
    )
    await turn()
    await clock.advance(1000)
    await outcome
    const used = session.usage()
    await clock.advance(500)
    run.open('late')
    await turn()
    expect(settled).toBe(1)
    expect(payloads('tool_result')).toHaveLength(2)
    expect(payloads('tool_result')[1]).toEqual({
      call_id: payloads('tool_call')[0]?.['call_id'],
      ok: true,
      elapsed_ms: 1500,
      effect: 'occurred',
      late: true,
    })
    expect(records().at(-1)).toMatchObject({ event: 'tool_result', invoking_user: 'alice' })
    expect(payloads('session_end')).toHaveLength(1)
    // Nothing is counted or charged for it a second time.
    expect(session.usage()).toEqual(used)
    expect(records().at(-1)?.budget).toEqual(records().at(-2)?.budget)
  })

  test('has its late rejection recorded as late, and it escapes to nobody', async () => {
    const { tool, run } = stubborn()
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 }, tools: { tool } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('tool', {})))
    await turn()
    await clock.advance(1000)
    await outcome
    run.fail(new RangeError('of the tool, too late'))
    await turn()
    expect(payloads('tool_result')[1]).toMatchObject({
      ok: false,
      error: { name: 'RangeError' },
      effect: 'unknown',
      late: true,
    })
    expect(payloads('tool_result')).toHaveLength(2)
  })

  test('and that answers twice has one late result', async () => {
    const answers: ((value: string) => void)[] = []
    const twice = defineTool({
      inputSchema: nothing,
      execute: () => {
        const thenable: unknown = Object.defineProperty({}, 'then', {
          value: (answer: (value: string) => void) => answers.push(answer),
        })
        return thenable as Promise<string>
      },
    })
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 }, tools: { twice } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('twice', {})))
    await turn()
    await clock.advance(1000)
    await outcome
    for (const answer of answers) {
      answer('once')
      answer('and again')
    }
    await turn()
    expect(payloads('tool_result')).toMatchObject([{ ok: false }, { ok: true, late: true }])
  })

  test('keeps what it reserved charged in full, whatever it settles later', async () => {
    const run = gate()
    const spend = defineTool({
      inputSchema: nothing,
      execute: async (_input, { session }) => {
        const held = session.reserve({ usd: 0.5 })
        await run.promise
        held.settle({ usd: 0.1 })
        held.release()
      },
    })
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000, usd: 1 }, tools: { spend } })
    let session!: Session
    const outcome = rejection(
      agent.session('alice', (s) => {
        session = s
        return s.callTool('spend', {})
      }),
    )
    await turn()
    await clock.advance(1000)
    await outcome
    expect(session.usage().usd).toBe(0.5)
    run.open()
    await turn()
    expect(session.usage().usd).toBe(0.5)
    expect(payloads('charge')).toMatchObject([{ usd: 0.5, metering: 'estimated' }])
    expect(payloads('tool_result').at(-1)).toMatchObject({ late: true })
  })

  test('is refused whatever it tries through its session afterwards', async () => {
    const run = gate()
    const tried: unknown[] = []
    const busy = defineTool({
      inputSchema: nothing,
      execute: async (_input, { session }) => {
        await run.promise
        tried.push(thrown(() => session.reserve({ usd: 0.1 })))
        tried.push(thrown(() => agent.sessionSync('bob', () => expect.fail('it was opened'))))
      },
    })
    const { agent, clock } = bench({ budget: { wallMs: 1000 }, tools: { busy } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('busy', {})))
    await turn()
    await clock.advance(1000)
    run.open()
    await turn()
    expect(tried).toHaveLength(2)
    for (const error of tried) expect(error).toBe(await outcome)
  })

  test('has its sessions stopped with it', async () => {
    const never = gate<never>().promise
    let nested!: Session
    const delegate = defineTool({
      inputSchema: nothing,
      execute: (): Promise<never> =>
        agent.session('bob', (s) => {
          nested = s
          return never
        }),
    })
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 }, tools: { delegate } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('delegate', {})))
    await turn()
    await clock.advance(1000)
    expect(nested.signal.reason).toBe(await outcome)
    await turn()
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }, { outcome: 'killed' }])
  })

  test('and says that it changes nothing has no effect, instead of an unknown one', async () => {
    const { tool } = stubborn({ readOnly: true })
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 }, tools: { tool } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('tool', {})))
    await turn()
    await clock.advance(1000)
    await outcome
    expect(payloads('tool_result')).toMatchObject([{ ok: false, effect: 'none' }])
  })

  test('can answer after the agent was closed, and nothing comes of it', async () => {
    const { tool, run } = stubborn()
    const { agent, clock, records } = bench({ budget: { wallMs: 1000 }, tools: { tool } })
    const outcome = rejection(agent.session('alice', (s) => s.callTool('tool', {})))
    await turn()
    await clock.advance(1000)
    await outcome
    await agent.close()
    run.fail(new RangeError('far too late'))
    await turn()
    expect(records().at(-1)?.event).toBe('log_close')
  })
})

describe("at a tool's own timeoutMs, a tool that ignores its signal", () => {
  test('is abandoned with ToolTimeout, and the session goes on', async () => {
    const { tool, run, signals } = stubborn({ timeoutMs: 200 })
    const { agent, clock, payloads } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      const call = rejection(s.callTool('tool', {}))
      await turn()
      await clock.advance(199)
      expect(signals[0]?.aborted).toBe(false)
      await clock.advance(1)
      const error = await call
      expect(error).toBeInstanceOf(ToolTimeout)
      expect(error).toMatchObject({ code: 'ERR_TOOL_TIMEOUT', tool: 'tool', timeoutMs: 200 })
      expect(signals[0]?.reason).toBe(error)
      expect(s.state).toBe('open')
      expect(s.signal.aborted).toBe(false)
      run.open('late')
      await turn()
      expect(s.usage().toolCalls).toBe(1)
    })
    expect(payloads('tool_result')).toMatchObject([
      {
        ok: false,
        elapsed_ms: 200,
        error: { name: 'ToolTimeout', code: 'ERR_TOOL_TIMEOUT' },
        effect: 'unknown',
      },
      { ok: true, elapsed_ms: 200, effect: 'occurred', late: true },
    ])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed', in_flight: 0 }])
  })

  test('has its late rejection recorded, and it escapes to nobody', async () => {
    const { tool, run } = stubborn({ timeoutMs: 200 })
    const { agent, clock, payloads } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      const call = rejection(s.callTool('tool', {}))
      await turn()
      await clock.advance(200)
      await call
      run.fail(new RangeError('too late'))
    })
    await turn()
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: false, error: { name: 'RangeError' }, effect: 'unknown', late: true },
    ])
  })

  test('is handed back to a model as a value', async () => {
    const { tool } = stubborn({ timeoutMs: 200 })
    const { agent, clock } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      const call = s.dispatch({ name: 'tool', input: {} })
      await turn()
      await clock.advance(200)
      expect(await call).toMatchObject({
        ok: false,
        denial: { code: 'ERR_TOOL_TIMEOUT', reason: 'tool_timeout' },
      })
    })
  })

  test.each([
    ['the caller asks for less', 200, 100, 100],
    ['the caller asks for more', 200, 300, 200],
    ['the caller alone has one', undefined, 100, 100],
  ])('is abandoned at the lesser of the two: %s', async (_what, own, asked, holds) => {
    const { tool } = stubborn(own === undefined ? {} : { timeoutMs: own })
    const { agent, clock } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      let settled = false
      const call = rejection(s.callTool('tool', {}, { timeoutMs: asked })).finally(() => {
        settled = true
      })
      await turn()
      await clock.advance(holds - 1)
      expect(settled).toBe(false)
      await clock.advance(1)
      expect(await call).toMatchObject({ code: 'ERR_TOOL_TIMEOUT', timeoutMs: holds })
    })
  })

  test('is not abandoned early when that is more than a timer can hold', async () => {
    const { tool, run } = stubborn({ timeoutMs: 2 ** 31 + 5000 })
    const base = bench({ budget: { toolCalls: 1 } })
    // As the clock of this machine, whose timers hold 2^31 - 1 ms at most.
    const clock = {
      ...base.clock,
      setTimer: (callback: () => void, delayMs: number, background: boolean) =>
        base.clock.setTimer(callback, Math.min(delayMs, 2 ** 31 - 1), background),
    }
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { tool }, clock })
    await agent.session('alice', async (s) => {
      const call = s.callTool('tool', {})
      await turn()
      await base.clock.advance(2 ** 31)
      run.open('in time')
      expect(await call).toBe('in time')
    })
  })

  test('leaves no timer behind when it finishes in time', async () => {
    const { tool, run } = stubborn({ timeoutMs: 200 })
    const { agent, clock, payloads } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      const call = s.callTool('tool', {})
      await turn()
      expect(clock.timers).toBe(1)
      run.open('in time')
      expect(await call).toBe('in time')
      expect(clock.timers).toBe(0)
      await clock.advance(1000)
    })
    expect(payloads('tool_result')).toMatchObject([{ ok: true, effect: 'occurred' }])
  })

  test('does not lend its error: a TimeoutError that a tool throws is its own', async () => {
    const own = new DOMException('of the tool', 'TimeoutError')
    const throwing = defineTool({ inputSchema: nothing, timeoutMs: 200, execute: () => Promise.reject(own) })
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: { throwing } })
    await agent.session('alice', async (s) => {
      expect(await rejection(s.callTool('throwing', {}))).toBe(own)
    })
    expect(payloads('tool_result')).toMatchObject([{ ok: false, error: { name: 'TimeoutError' } }])
    expect(payloads('tool_result')).toHaveLength(1)
  })

  test('that blocked the event loop past it has finished, but its result is withheld', async () => {
    const { agent, clock, payloads } = bench({
      budget: { toolCalls: 5 },
      tools: {
        busy: defineTool({ inputSchema: nothing, timeoutMs: 200, execute: (): void => clock.block(201) }),
      },
    })
    await agent.session('alice', async (s) => {
      expect(await rejection(s.callTool('busy', {}))).toBeInstanceOf(ToolTimeout)
    })
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, error: { code: 'ERR_TOOL_TIMEOUT' }, effect: 'occurred' },
    ])
  })
})

describe("when the caller's own signal gives a call up, a tool that ignores its signal", () => {
  test('is abandoned with the reason, and the session goes on', async () => {
    const { tool, run, signals } = stubborn()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    const controller = new AbortController()
    const reason = new RangeError('no longer wanted')
    await agent.session('alice', async (s) => {
      const call = rejection(s.callTool('tool', {}, { signal: controller.signal }))
      await turn()
      controller.abort(reason)
      expect(await call).toBe(reason)
      expect(signals[0]?.reason).toBe(reason)
      expect(s.state).toBe('open')
      run.open('late')
      await turn()
    })
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: true, late: true },
    ])
  })
})

test("a call that its caller gave up while its predicate thought is no denial of the predicate's", async () => {
  const verdict = gate<boolean>()
  const undecided = defineTool({
    inputSchema: nothing,
    when: () => verdict.promise,
    execute: () => expect.fail('it ran after it was given up'),
  })
  const { agent, payloads } = bench({ budget: { denials: 0 }, tools: { undecided } })
  const controller = new AbortController()
  const reason = new RangeError('no longer wanted')
  await agent.session('alice', async (s) => {
    const call = rejection(s.callTool('undecided', {}, { signal: controller.signal }))
    await turn()
    controller.abort(reason)
    expect(await call).toBe(reason)
    verdict.open(true)
    await turn()
    expect(s.usage()).toMatchObject({ denials: 0, toolCalls: 0 })
  })
  expect(payloads('tool_denied')).toMatchObject([{ reason: 'aborted' }])
})

describe('a callback that ends with calls in flight', () => {
  const tools = () => {
    const running = stubborn()
    const verdict = gate<boolean>()
    const undecided = defineTool({
      inputSchema: nothing,
      when: () => verdict.promise,
      execute: () => expect.fail('it ran after the session'),
    })
    return { running, verdict, set: { tool: running.tool, undecided } }
  }

  test('by returning has them aborted, on record as unknown and counted, before session_end', async () => {
    const { running, set } = tools()
    const { agent, records, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    const outcomes: Promise<unknown>[] = []
    const value = await agent.session('alice', async (s) => {
      outcomes.push(rejection(s.callTool('tool', {})), rejection(s.dispatch({ name: 'tool', input: {} })))
      await turn()
      return 'done'
    })
    expect(value).toBe('done')
    for (const error of await Promise.all(outcomes)) expect(error).toBeInstanceOf(SessionClosed)
    expect(running.signals.map((signal) => signal.aborted)).toEqual([true, true])
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, error: { code: 'ERR_SESSION_CLOSED' }, effect: 'unknown' },
      { ok: false, error: { code: 'ERR_SESSION_CLOSED' }, effect: 'unknown' },
    ])
    expect(
      records()
        .map(({ event }) => event)
        .slice(-3),
    ).toEqual(['tool_result', 'tool_result', 'session_end'])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed', in_flight: 2, records: 6 }])
  })

  test('by throwing has them aborted and counted as well, and rejects with its own error', async () => {
    const { set } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    const own = new RangeError('of the callback')
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        s.callTool('tool', {})
        await turn()
        throw own
      }),
    )
    expect(outcome).toBe(own)
    expect(payloads('tool_result')).toMatchObject([{ effect: 'unknown' }])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'failed', in_flight: 1 }])
  })

  test('lets no rejection escape when nobody waits for them, of whatever kind they are', async () => {
    const { set, running, verdict } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5, usd: 1 }, tools: set })
    await agent.session('alice', async (s) => {
      s.callTool('tool', {})
      s.callTool('undecided', {})
      s.dispatch({ name: 'tool', input: {} })
      s.authorize('undecided', {})
      s.callLlm(
        { model: 'm', maxUsd: 0.1 },
        () => running.run.promise,
        () => expect.fail('the reply is too late'),
      )
      s.reserve({ usd: 0.1 })
      await turn()
    })
    expect(payloads('session_end')).toMatchObject([{ in_flight: 6, usage: { usd: 0.2 } }])
    running.run.fail(new RangeError('too late'))
    verdict.fail(new RangeError('too late'))
    await turn()
    expect(payloads('tool_result').filter((result) => result['late'] === true)).toHaveLength(2)
  })

  test('and a predicate that says yes afterwards does not have its tool run', async () => {
    const { set, verdict } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    await agent.session('alice', async (s) => {
      s.callTool('undecided', {})
      await turn()
    })
    verdict.open(true)
    await turn()
    expect(payloads('tool_call')).toEqual([])
    expect(payloads('tool_denied')).toMatchObject([{ tool: 'undecided', reason: 'aborted' }])
  })

  test('has what they do later recorded as late and dropped', async () => {
    const { set, running } = tools()
    const { agent, records, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    await agent.session('alice', async (s) => {
      s.callTool('tool', {})
      await turn()
    })
    running.run.open('late')
    await turn()
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: true, effect: 'occurred', late: true },
    ])
    expect(records().at(-1)?.event).toBe('tool_result')
  })

  test('is no different for a session that is closed by its owner', async () => {
    const { set } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    const s = agent.open('alice')
    s.callTool('tool', {})
    await turn()
    await s.close()
    expect(payloads('tool_result')).toMatchObject([{ effect: 'unknown' }])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed', in_flight: 1 }])
  })

  test('is no different for an agent that is closed', async () => {
    const { set } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    const s = agent.open('alice')
    s.callTool('tool', {})
    await turn()
    await agent.close()
    expect(s.state).toBe('closed')
    expect(payloads('tool_result')).toMatchObject([{ effect: 'unknown' }])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'cancelled', in_flight: 1 }])
  })

  test("is no different for one that the caller's signal cancels", async () => {
    const { set } = tools()
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: set })
    const controller = new AbortController()
    const reason = new RangeError('the client is gone')
    const never = gate<never>().promise
    const outcome = rejection(
      agent.session(
        'alice',
        (s) => {
          s.callTool('tool', {})
          return never
        },
        { signal: controller.signal },
      ),
    )
    await turn()
    controller.abort(reason)
    expect(await outcome).toBe(reason)
    expect(payloads('tool_result')).toMatchObject([{ effect: 'unknown' }])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'cancelled', in_flight: 1 }])
  })
})

describe('what killed a session is told to its owner, and escapes through no call that nobody waits for:', () => {
  const late = defineTool({
    inputSchema: nothing,
    when: async () => {
      await turn()
      return true
    },
    execute: () => 'done',
  })
  const quick = defineTool({ inputSchema: nothing, execute: () => 'done' })
  const never = gate<never>().promise

  test('the call that kills', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const outcome = agent.session('alice', async (s) => {
      s.callLlm(
        { model: 'm', maxUsd: 2 },
        () => expect.fail('it was called'),
        () => expect.fail('there is no reply'),
      )
      await turn()
      await turn()
    })
    expect(await rejection(outcome)).toMatchObject({ limit: 'usd' })
  })

  test.each(['quick', 'late'] as const)('the calls that are too many, refused %s', async (name) => {
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { quick, late } })
    const outcome = agent.session('alice', async (s) => {
      for (let call = 0; call < 10; call++) s.callTool(name, {})
      for (let call = 0; call < 10; call++) s.dispatch({ name, input: {} })
      await turn()
      await turn()
    })
    expect(await rejection(outcome)).toMatchObject({ limit: 'toolCalls' })
  })

  test('the calls of a session that is dead, of one nested in it, and of one that has been dead for long', async () => {
    const outer = bench({ budget: { llmCalls: 0 }, tools: { quick } })
    const inner = bench({ budget: { toolCalls: 5 }, tools: { quick } })
    const sessions: Session<{ quick: typeof quick }>[] = []
    const callAll = (): void => {
      for (const s of sessions) {
        s.callTool('quick', {})
        s.dispatch({ name: 'quick', input: {} })
        s.authorize('quick', {})
        s.callLlm(
          { model: 'm' },
          () => expect.fail('it was called'),
          () => expect.fail('there is no reply'),
        )
      }
    }
    const outcome = outer.agent.session('alice', async (s) => {
      sessions.push(s, inner.agent.open('bob'))
      thrown(() => s.reserve({ model: 'm' }))
      callAll()
      await turn()
    })
    expect(await rejection(outcome)).toMatchObject({ limit: 'llmCalls' })
    callAll()
    await turn()
  })

  test('the calls of a session that its caller cancelled', async () => {
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { quick } })
    const controller = new AbortController()
    let session!: Session<{ quick: typeof quick }>
    const outcome = agent.session(
      'alice',
      (s) => {
        session = s
        return never
      },
      { signal: controller.signal },
    )
    controller.abort(new RangeError('the client is gone'))
    session.callTool('quick', {})
    expect(await rejection(outcome)).toBeInstanceOf(RangeError)
    session.callTool('quick', {})
    await turn()
  })
})

describe('nothing is settled twice', () => {
  test('when the tool answers in the very moment it is abandoned', async () => {
    const { tool, run } = stubborn({ timeoutMs: 200 })
    const { agent, clock, payloads } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
    await agent.session('alice', async (s) => {
      const call = s.callTool('tool', {})
      const settled = call.then(
        () => 'resolved',
        () => 'rejected',
      )
      await turn()
      clock.setTimer(() => run.open('just in time, or not'), 200, false)
      await clock.advance(200)
      expect(await settled).toBe('rejected')
      await turn()
    })
    expect(payloads('tool_result')).toMatchObject([{ ok: false }, { ok: true, late: true }])
  })

  test('when a tool breaks its own session and returns nevertheless', async () => {
    let asked = false
    const greedy = defineTool({
      inputSchema: nothing,
      outputSchema: z.string().refine(() => {
        asked = true
        return true
      }),
      execute: (_input, { session }) => {
        thrown(() => session.reserve({ usd: 5 }))
        return 'carried on'
      },
    })
    const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { greedy } })
    await rejection(agent.session('alice', (s) => s.callTool('greedy', {})))
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: true, late: true },
    ])
    // Nobody is asked about a result that is dropped.
    expect(asked).toBe(false)
  })

  test('when a tool answers twice: the second answer does not pass for the verdict on the first', async () => {
    const verdict = gate<{ value: string }>()
    const schema = { '~standard': { version: 1 as const, vendor: 'test', validate: () => verdict.promise } }
    let answer!: (value: unknown) => void
    const twice = defineTool({
      inputSchema: nothing,
      outputSchema: schema,
      execute: () => {
        const thenable: unknown = Object.defineProperty({}, 'then', {
          value: (resolve: (value: unknown) => void) => {
            answer = resolve
          },
        })
        return thenable as Promise<string>
      },
    })
    const { agent, payloads } = bench({ budget: { toolCalls: 1 }, tools: { twice } })
    await agent.session('alice', async (s) => {
      const call = s.callTool('twice', {})
      await turn()
      answer('result')
      answer({ value: 'forged' })
      await turn()
      verdict.open({ value: 'checked' })
      expect(await call).toBe('checked')
    })
    expect(payloads('tool_result')).toHaveLength(1)
  })

  test.each([
    ['permitted', true, 'aborted'],
    ['denied', false, 'predicate_false'],
  ])('when a call is given up while its %s input is redacted for the log', async (_what, verdict, reason) => {
    const controller = new AbortController()
    const leaky = defineTool({
      inputSchema: nothing,
      when: () => verdict,
      redact: () => controller.abort(new RangeError('given up')),
      execute: () => expect.fail('it ran after it was given up'),
    })
    const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: { leaky } })
    await agent.session('alice', async (s) => {
      await rejection(s.callTool('leaky', {}, { signal: controller.signal }))
    })
    expect(payloads('tool_call')).toEqual([])
    expect(payloads('tool_denied')).toMatchObject([{ reason }])
    expect(payloads('tool_denied')).toHaveLength(1)
    expect(payloads('tool_result')).toEqual([])
  })

  test('when a tool breaks its own session and throws', async () => {
    const greedy = defineTool({
      inputSchema: nothing,
      execute: (_input, { session }) => {
        session.reserve({ usd: 5 })
      },
    })
    const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { greedy } })
    await rejection(agent.session('alice', (s) => s.callTool('greedy', {})))
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: false, late: true },
    ])
  })

  test.each(['synchronous', 'asynchronous'])(
    'when the session is broken while a result is checked, by a %s schema',
    async (kind) => {
      let session!: Session
      const breaking = {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: (value: unknown) => {
            thrown(() => session.reserve({ usd: 5 }))
            return kind === 'synchronous' ? { value } : Promise.resolve({ value })
          },
        },
      }
      const checked = defineTool({ inputSchema: nothing, outputSchema: breaking, execute: () => 'result' })
      const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { checked } })
      let call!: Promise<unknown>
      const outcome = await rejection(
        agent.session('alice', (s) => {
          session = s as Session
          call = rejection(s.callTool('checked', {}))
          return call
        }),
      )
      expect(await call).toBe(outcome)
      await turn()
      expect(payloads('tool_result')).toMatchObject([
        { ok: false, effect: 'unknown' },
        { ok: true, late: true },
      ])
    },
  )
})
