import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, BudgetExceeded, type Clock, defineTool, type Session } from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { gate, turn } from '../support/tools.js'

const MAX_TIMER_MS = 2 ** 31 - 1
const USAGE = { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.01 } as const

const add = defineTool({
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => a + b,
})

/** The outcome of a promise so far. */
function watch(promise: Promise<unknown>): { state: string; reason: unknown } {
  const seen: { state: string; reason: unknown } = { state: 'pending', reason: undefined }
  promise.then(
    () => {
      seen.state = 'resolved'
    },
    (reason: unknown) => {
      seen.state = 'rejected'
      seen.reason = reason
    },
  )
  return seen
}

describe('a callback that awaits something unrelated for ever', () => {
  const never = gate<never>().promise

  test('is rejected at wallMs and not before, its signal aborted, its end on record', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 } })
    let session!: Session
    const outcome = watch(
      agent.session('alice', (s) => {
        session = s
        return never
      }),
    )
    const { signal } = session
    await clock.advance(999)
    expect(outcome.state).toBe('pending')
    expect(signal.aborted).toBe(false)
    expect(payloads('session_end')).toEqual([])
    await clock.advance(1)
    expect(outcome.state).toBe('rejected')
    expect(outcome.reason).toBeInstanceOf(BudgetExceeded)
    expect(outcome.reason).toMatchObject({ limit: 'wallMs', used: 1000, max: 1000 })
    expect(signal.reason).toBe(outcome.reason)
    expect(payloads('budget_exceeded')).toEqual([{ limit: 'wall_ms', used: 1000, max: 1000 }])
    expect(payloads('session_end')).toMatchObject([
      { outcome: 'killed', reason: { name: 'BudgetExceeded' }, usage: { wall_ms: 1000 } },
    ])
  })

  test('is rejected by the clock of this machine too', async () => {
    const sink = AuditSink.memory()
    const agent = new Agent({ identity: 'test-bot/v1', budget: { wallMs: 15 }, audit: sink })
    const outcome = await rejection(agent.session('alice', () => never))
    expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs', max: 15 })
    expect(sink.records.at(-1)).toMatchObject({ event: 'session_end', payload: { outcome: 'killed' } })
  })

  test('is rejected at wallMs although a count had killed the session before, with that kill', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000, llmCalls: 0 } })
    let first: unknown
    let signal!: AbortSignal
    const outcome = watch(
      agent.session('alice', (s) => {
        signal = s.signal
        first = thrown(() => s.recordLlm(USAGE))
        return never
      }),
    )
    await clock.advance(999)
    expect(outcome.state).toBe('pending')
    await clock.advance(1)
    expect(outcome.state).toBe('rejected')
    expect(outcome.reason).toBe(first)
    expect(first).toMatchObject({ limit: 'llmCalls' })
    expect(signal.aborted).toBe(true)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
  })

  test('is rejected when the deadline of a session around it passes', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 } })
    const halfTime = gate()
    let inner!: { state: string; reason: unknown }
    const outer = watch(
      agent.session('alice', async () => {
        await halfTime.promise
        inner = watch(agent.session('bob', () => never))
        await never
      }),
    )
    await clock.advance(500)
    halfTime.open()
    await turn()
    await clock.advance(499)
    expect([outer.state, inner.state]).toEqual(['pending', 'pending'])
    await clock.advance(1)
    expect(outer.state).toBe('rejected')
    expect(inner.state).toBe('rejected')
    expect(inner.reason).toBe(outer.reason)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }, { outcome: 'killed' }])
  })

  test('does not keep a session that was opened without a callback alive either', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 } })
    const s = agent.open('alice')
    await clock.advance(1000)
    expect(s.state).toBe('closed')
    expect(s.signal.reason).toMatchObject({ limit: 'wallMs' })
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
  })
})

describe('when the event loop was blocked past the deadline, so that no timer could fire,', () => {
  const tools = { add }
  const input = { a: 1, b: 2 }
  const noModelCall = (): never => expect.fail('the model was called')
  const CALLS: Readonly<Record<string, (s: Session<typeof tools>) => unknown>> = {
    callTool: (s) => s.callTool('add', input),
    dispatch: (s) => s.dispatch({ name: 'add', input }),
    authorize: (s) => s.authorize('add', input),
    callLlm: (s) => s.callLlm({ model: 'm' }, noModelCall, noModelCall),
    recordLlm: (s) => s.recordLlm(USAGE),
    reserve: (s) => s.reserve({ usd: 0 }),
  }

  test.each(Object.entries(CALLS))('%s notices', async (_name, call) => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 }, tools })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        clock.block(999)
        expect(await s.authorize('add', input)).toMatchObject({ allowed: true })
        clock.block(1)
        const error = await rejection((async () => call(s))())
        expect(error).toMatchObject({ limit: 'wallMs', used: 1000 })
        expect(s.signal.reason).toBe(error)
      }),
    )
    expect(outcome).toMatchObject({ limit: 'wallMs' })
    expect(payloads('tool_call')).toEqual([])
  })

  test('a synchronous tool that did it has its result withheld', async () => {
    const { agent, payloads, clock } = bench({
      budget: { wallMs: 1000 },
      tools: { busy: defineTool({ inputSchema: z.object({}), execute: () => void clock.block(2000) }) },
    })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        const error = await rejection(s.callTool('busy', {}))
        expect(error).toMatchObject({ limit: 'wallMs', used: 2000 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'wallMs' })
    expect(payloads('tool_result')).toHaveLength(1)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
  })

  test('a synchronous tool of a synchronous session has its result withheld', () => {
    const { agent, clock, payloads } = bench({
      budget: { wallMs: 1000 },
      tools: { busy: defineTool({ inputSchema: z.object({}), execute: () => void clock.block(2000) }) },
    })
    const outcome = thrown(() =>
      agent.sessionSync('alice', (s) => {
        expect(thrown(() => s.callTool('busy', {}))).toMatchObject({ limit: 'wallMs', used: 2000 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'wallMs' })
    expect(payloads('tool_result')).toHaveLength(1)
  })

  test('a call that a session killed by a count had still permitted has its result withheld', async () => {
    const go = gate()
    const { agent, clock, payloads } = bench({
      budget: { wallMs: 1000, toolCalls: 1 },
      tools: {
        busy: defineTool({
          inputSchema: z.object({}),
          execute: async (): Promise<void> => {
            await go.promise
            clock.block(1000)
          },
        }),
      },
    })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        const permitted = rejection(s.callTool('busy', {}))
        await rejection(s.callTool('busy', {}))
        go.open()
        expect(await permitted).toMatchObject({ limit: 'wallMs', used: 1000 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'toolCalls' })
    expect(payloads('budget_exceeded')).toMatchObject([{ limit: 'tool_calls' }, { limit: 'wall_ms' }])
  })

  test('a synchronous predicate that did it has its tool not run', async () => {
    const { agent, clock, payloads } = bench({
      budget: { wallMs: 1000 },
      tools: {
        slow: defineTool({
          inputSchema: z.object({}),
          when: () => {
            clock.block(1000)
            return true
          },
          execute: () => expect.fail('it ran after the deadline'),
        }),
      },
    })
    expect(await rejection(agent.session('alice', (s) => s.callTool('slow', {})))).toMatchObject({
      limit: 'wallMs',
    })
    expect(payloads('tool_call')).toEqual([])
  })

  test('the reply of a model call that did it is withheld, and what it used is charged', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 } })
    let delivered: unknown
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        const call = s.callLlm(
          { model: 'm' },
          () => clock.block(1000),
          () => ({ ...USAGE, costUsd: 0.25 }),
        )
        delivered = await rejection(call)
      }),
    )
    expect(outcome).toMatchObject({ limit: 'wallMs', usage: { usd: 0.25 } })
    expect(delivered).toBe(outcome)
    expect(payloads('llm_call')).toMatchObject([{ cost_usd: 0.25, metering: 'reported' }])
  })

  test.each(['session', 'sessionSync'] as const)(
    '%s notices at its end, although nothing was called',
    async (kind) => {
      const { agent, clock, payloads } = bench({ budget: { wallMs: 1000 } })
      const callback = (): string => {
        clock.block(1000)
        return 'done, too late'
      }
      const outcome = await rejection((async () => agent[kind]('alice', callback))())
      expect(outcome).toMatchObject({ limit: 'wallMs', used: 1000 })
      expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
    },
  )

  test('a session nested in the late one notices', async () => {
    const outer = bench({ budget: { wallMs: 1000 } })
    const inner = bench({ budget: { llmCalls: 10 } })
    const outcome = await rejection(
      outer.agent.session('alice', async () => {
        const nested = inner.agent.open('bob')
        outer.clock.block(1000)
        expect(thrown(() => nested.recordLlm(USAGE))).toMatchObject({ limit: 'wallMs' })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'wallMs' })
  })
})

describe('the deadline is wallMs on the monotonic clock from the moment the session opens:', () => {
  test('time that passed before does not count', async () => {
    const { agent, clock } = bench({ budget: { wallMs: 1000 } })
    await clock.advance(5000)
    const s = agent.open('alice')
    await clock.advance(999)
    expect(s.state).toBe('open')
    expect(s.usage().wallMs).toBe(999)
    expect(s.remaining().wallMs).toBe(1)
    await clock.advance(1)
    expect(s.state).toBe('closed')
  })

  test.each([
    ['a hundred years ahead', 3e12],
    ['thirty years back', -1e12],
  ])('the clock on the wall jumping %s changes nothing', async (_where, jumpMs) => {
    const monotonic = fakeClock()
    let nowMs = Date.UTC(2026, 0, 1)
    const clock: Clock = { ...monotonic, nowMs: () => nowMs }
    const { agent } = bench({ budget: { wallMs: 1000 }, clock })
    const s = agent.open('alice')
    nowMs += jumpMs
    await monotonic.advance(999)
    s.recordLlm(USAGE)
    expect(s.state).toBe('open')
    expect(s.usage().wallMs).toBe(999)
    await monotonic.advance(1)
    expect(s.state).toBe('closed')
    expect(s.signal.reason).toMatchObject({ limit: 'wallMs', used: 1000 })
  })

  test('what remains is the time to the first deadline, also of a session around it', async () => {
    const outer = bench({ budget: { wallMs: 1000 } })
    const inner = bench({ budget: { wallMs: 5000 } })
    await outer.agent.session('alice', async () => {
      outer.clock.block(400)
      await inner.agent.session('bob', (s) => {
        expect(s.remaining().wallMs).toBe(600)
        inner.clock.block(4900)
        expect(s.remaining().wallMs).toBe(100)
      })
      const unlimited = bench({ budget: { usd: 1 } })
      await unlimited.agent.session('carol', (s) => {
        expect(s.remaining()).toEqual({ usd: 1, wallMs: 600 })
      })
    })
  })

  test('more than 2^31 ms is no more than setTimeout can take, and does not fire early', async () => {
    const real = fakeClock()
    const delays: number[] = []
    // As setTimeout: a delay that it cannot hold becomes one millisecond.
    const clock: Clock = {
      ...real,
      setTimer: (callback, delayMs, background) => {
        delays.push(delayMs)
        return real.setTimer(callback, delayMs > MAX_TIMER_MS ? 1 : delayMs, background)
      },
    }
    const wallMs = 2 ** 31 + 5000
    const { agent } = bench({ budget: { wallMs }, clock })
    const s = agent.open('alice')
    await real.advance(MAX_TIMER_MS)
    expect(s.state).toBe('open')
    await real.advance(5000)
    expect(s.state).toBe('open')
    await real.advance(1)
    expect(s.state).toBe('closed')
    expect(s.signal.reason).toMatchObject({ limit: 'wallMs', used: wallMs })
    expect(delays).toEqual([MAX_TIMER_MS, 5001])
  })

  test('the longest wallMs there is does not fire at all within a day', async () => {
    const { agent, clock } = bench({ budget: { wallMs: Number.MAX_SAFE_INTEGER } })
    const s = agent.open('alice')
    await clock.advance(86_400_000)
    expect(s.state).toBe('open')
    await s.close()
  })

  test('a timer that fires early does not kill early', async () => {
    const real = fakeClock()
    const clock: Clock = {
      ...real,
      setTimer: (callback, delayMs) => real.setTimer(callback, delayMs - 0.4, false),
    }
    const { agent } = bench({ budget: { wallMs: 1000 }, clock })
    const s = agent.open('alice')
    await real.advance(999.7)
    expect(s.state).toBe('open')
    await real.advance(1)
    expect(s.state).toBe('closed')
  })

  test('wallMs: 0 refuses the first call', async () => {
    const { agent, payloads } = bench({ budget: { wallMs: 0 }, tools: { add } })
    const outcome = await rejection(agent.session('alice', (s) => s.callTool('add', { a: 1, b: 2 })))
    expect(outcome).toMatchObject({ limit: 'wallMs', used: 0, max: 0 })
    expect(payloads('tool_call')).toEqual([])
  })

  test('the timer is gone once the session has ended, however it ended', async () => {
    const { agent, clock, payloads } = bench({ budget: { wallMs: 1000, usd: 1 } })
    await agent.session('alice', () => 1)
    agent.sessionSync('alice', () => 1)
    await rejection(agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 2 })))
    await agent.open('alice').close()
    expect(clock.timers).toBe(0)
    await clock.advance(5000)
    expect(payloads('budget_exceeded')).toMatchObject([{ limit: 'usd' }])
    expect(payloads('session_end')).toHaveLength(4)
  })
})
