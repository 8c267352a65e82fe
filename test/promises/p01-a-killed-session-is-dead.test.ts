import { describe, expect, test } from 'vitest'
import {
  type Agent,
  type Budget,
  BudgetExceeded,
  defineTool,
  type LimitName,
  type Session,
  SessionClosed,
  type SyncSession,
} from 'writ'
import type { FakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { gate, turn } from '../support/tools.js'

const add = defineTool({
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => a + b,
})
const tools = { add }
type Tools = typeof tools

const USAGE = { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.01 } as const

/** A way to break each limit in one step, through a session that is given nothing else to do. */
interface Breaking {
  readonly limit: LimitName
  readonly budget: Budget
  readonly stroke: (s: Session<Tools>, clock: FakeClock, agent: Agent<Tools>) => unknown
}

const SPEND_AND_TIME: readonly Breaking[] = [
  { limit: 'usd', budget: { usd: 1 }, stroke: (s) => s.recordLlm({ ...USAGE, costUsd: 1.01 }) },
  { limit: 'tokens', budget: { tokens: 100 }, stroke: (s) => s.recordLlm({ ...USAGE, inputTokens: 100 }) },
  {
    limit: 'wallMs',
    budget: { wallMs: 1000 },
    stroke: (s, clock) => {
      clock.block(1000)
      return s.authorize('add', { a: 1, b: 2 })
    },
  },
]

const COUNTS: readonly Breaking[] = [
  { limit: 'toolCalls', budget: { toolCalls: 0 }, stroke: (s) => s.callTool('add', { a: 1, b: 2 }) },
  { limit: 'llmCalls', budget: { llmCalls: 0 }, stroke: (s) => s.recordLlm(USAGE) },
  { limit: 'denials', budget: { denials: 0 }, stroke: (s) => s.dispatch({ name: 'unheard-of', input: {} }) },
  { limit: 'depth', budget: { depth: 0 }, stroke: (_s, _clock, agent) => agent.session('bob', () => 1) },
]

const ALL = [...SPEND_AND_TIME, ...COUNTS]

/** Every way into a session, each with what it is refused with. */
async function refusals(s: Session<Tools>): Promise<Record<string, unknown>> {
  const input = { a: 1, b: 2 }
  const noModelCall = (): never => expect.fail('the model was called')
  return {
    callTool: await rejection(s.callTool('add', input)),
    dispatch: await rejection(s.dispatch({ name: 'add', input })),
    'dispatch of an unknown tool': await rejection(s.dispatch({ name: 'unheard-of', input })),
    authorize: await rejection(s.authorize('add', input)),
    callLlm: await rejection(s.callLlm({ model: 'm', maxTokens: 0, maxUsd: 0 }, noModelCall, noModelCall)),
    recordLlm: thrown(() => s.recordLlm({ ...USAGE, inputTokens: 0, outputTokens: 0, costUsd: 0 })),
    'reserve nothing': thrown(() => s.reserve({ usd: 0, tokens: 0 })),
    'reserve a model call': thrown(() => s.reserve({ model: 'm', maxTokens: 0, maxUsd: 0 })),
  }
}

function expectEachToBe(error: unknown, refused: Record<string, unknown>): void {
  expect(Object.keys(refused)).toHaveLength(8)
  for (const [call, refusal] of Object.entries(refused)) expect(refusal, call).toBe(error)
}

describe.each(ALL)('a session killed by $limit', ({ limit, budget, stroke }) => {
  test('refuses every later call with the same BudgetExceeded, at once and after its end', async () => {
    const { agent, clock, payloads } = bench({ budget, tools })
    let first: unknown
    let session!: Session<Tools>
    let refused!: Record<string, unknown>
    let callback!: Promise<void>
    const outcome = await rejection(
      agent.session('alice', (s) => {
        session = s
        callback = (async () => {
          first = await rejection((async () => stroke(s, clock, agent))())
          expect(s.state).not.toBe('open')
          refused = await refusals(s)
        })()
        return callback
      }),
    )
    await callback
    expect(first).toBeInstanceOf(BudgetExceeded)
    expect(first).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit })
    expectEachToBe(first, refused)
    expect(outcome).toBe(first)
    expect(session.state).toBe('closed')
    expectEachToBe(first, await refusals(session))
    expect(payloads('tool_call')).toEqual([])
    expect(payloads('session_end').at(-1)).toMatchObject({ outcome: 'killed' })
  })

  test('rejects although the callback swallowed the error and returned a value', async () => {
    const { agent, clock } = bench({ budget, tools })
    const swallowed: unknown[] = []
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        try {
          await stroke(s, clock, agent)
        } catch (error) {
          swallowed.push(error)
        }
        return 'all went well'
      }),
    )
    expect(outcome).toBeInstanceOf(BudgetExceeded)
    expect(swallowed).toEqual([outcome])
    expect(swallowed[0]).toBe(outcome)
  })

  test('rejects with what killed it although the callback threw something else afterwards', async () => {
    const { agent, clock, payloads } = bench({ budget, tools })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        await rejection((async () => stroke(s, clock, agent))())
        throw new RangeError('of the callback')
      }),
    )
    expect(outcome).toBeInstanceOf(BudgetExceeded)
    expect(payloads('session_end').at(-1)).toMatchObject({
      outcome: 'killed',
      reason: { name: 'BudgetExceeded', code: 'ERR_BUDGET_EXCEEDED' },
    })
  })

  test('has one budget_exceeded on record, which names the limit', async () => {
    const { agent, clock, payloads } = bench({ budget, tools })
    const max = Object.values(budget)[0]
    await rejection(
      agent.session('alice', async (s) => {
        await rejection((async () => stroke(s, clock, agent))())
        await refusals(s)
      }),
    )
    await turn()
    const snake = limit.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    expect(payloads('budget_exceeded')).toEqual([expect.objectContaining({ limit: snake, max })])
  })
})

describe('a session that was opened without a callback ends by itself', () => {
  const strokes = ALL.filter(({ limit }) => limit !== 'depth')

  test.each(strokes)(
    'when it is killed by $limit, and its session_end is on record',
    async ({ budget, stroke }) => {
      const { agent, clock, payloads } = bench({ budget, tools })
      const s = agent.open('alice')
      const first = await rejection((async () => stroke(s, clock, agent))())
      await turn()
      expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
      expect(s.state).toBe('closed')
      expectEachToBe(first, await refusals(s))
      await s.close()
      expect(payloads('session_end')).toHaveLength(1)
    },
  )

  test('when it is killed by a count, only after the calls that it had permitted have finished', async () => {
    const gateway = gate<string>()
    const patient = defineTool({ inputSchema: z.object({}), execute: () => gateway.promise })
    const { agent, payloads, records } = bench({ budget: { toolCalls: 1 }, tools: { patient } })
    const s = agent.open('alice')
    const permitted = s.callTool('patient', {})
    const error = await rejection(s.callTool('patient', {}))
    expect(error).toMatchObject({ limit: 'toolCalls' })
    await turn()
    expect(s.state).toBe('killed')
    expect(payloads('session_end')).toEqual([])
    gateway.open('finished')
    expect(await permitted).toBe('finished')
    await turn()
    expect(s.state).toBe('closed')
    expect(
      records()
        .map(({ event }) => event)
        .slice(-2),
    ).toEqual(['tool_result', 'session_end'])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed', in_flight: 0 }])
  })

  test('when it is killed by depth, from inside one of its tools', async () => {
    const delegate = defineTool({
      inputSchema: z.object({}),
      execute: (): Promise<never> => agent.session('bob', () => expect.fail('the nested session was opened')),
    })
    const { agent, payloads } = bench({ budget: { depth: 0 }, tools: { delegate } })
    const s = agent.open('alice')
    const error = await rejection(s.callTool('delegate', {}))
    expect(error).toMatchObject({ limit: 'depth', used: 0, max: 0 })
    await turn()
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
    expect(payloads('session_start')).toHaveLength(1)
  })
})

test.each(ALL)(
  'a session killed by $limit asks neither schemas nor predicates any more',
  async ({ budget, stroke }) => {
    let asked = 0
    const curious = defineTool({
      inputSchema: z.object({}).refine(() => {
        asked += 1
        return true
      }),
      when: () => {
        asked += 1
        return true
      },
      execute: () => expect.fail('it ran'),
    })
    const { agent, clock } = bench({ budget, tools: { ...tools, curious } })
    const own = agent as unknown as Agent<Tools>
    await rejection(
      agent.session('alice', async (s) => {
        await rejection((async () => stroke(s, clock, own))())
        await rejection(s.callTool('curious', {}))
        await rejection(s.dispatch({ name: 'curious', input: {} }))
        await rejection(s.authorize('curious', {}))
      }),
    )
    let session!: SyncSession<{ curious: typeof curious }>
    agent.sessionSync('alice', (s) => {
      session = s
      s.authorize('curious', {})
      expect(asked).toBe(2)
    })
    thrown(() => session.callTool('curious', {}))
    thrown(() => session.dispatch({ name: 'curious', input: {} }))
    thrown(() => session.authorize('curious', {}))
    expect(asked).toBe(2)
  },
)

test('what breaks another limit in a killed session is refused with the error that killed it', async () => {
  const { agent, payloads } = bench({ budget: { usd: 1, denials: 0 }, tools })
  let signal!: AbortSignal
  const outcome = await rejection(
    agent.session('alice', async (s) => {
      signal = s.signal
      const held = s.reserve({ usd: 0.5 })
      const first = await rejection(s.dispatch({ name: 'unheard-of', input: {} }))
      expect(first).toMatchObject({ limit: 'denials' })
      expect(thrown(() => held.settle({ usd: 1.5 }))).toBe(first)
    }),
  )
  expect(outcome).toMatchObject({ limit: 'denials' })
  expect(payloads('budget_exceeded')).toMatchObject([{ limit: 'denials' }, { limit: 'usd', used: 1.5 }])
  // That limit is one on spend: from now on nothing goes on that had been permitted.
  expect(signal.reason).toMatchObject({ limit: 'usd', used: 1.5 })
})

describe.each(SPEND_AND_TIME)('a kill by $limit, a limit on spend or time,', ({ budget, stroke }) => {
  test('aborts the signal of the session with the error as its reason', async () => {
    const { agent, clock } = bench({ budget, tools })
    const heard: unknown[] = []
    let early!: AbortSignal
    let session!: Session<Tools>
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        session = s
        early = s.signal
        early.addEventListener('abort', () => heard.push(early.reason))
        expect(early.aborted).toBe(false)
        await stroke(s, clock, agent)
      }),
    )
    expect(heard).toEqual([outcome])
    expect(early.reason).toBe(outcome)
    expect(session.signal).toBe(early)
  })

  test('aborts a signal that is read only after it, before the session has ended and after', async () => {
    const { agent, clock } = bench({ budget, tools })
    const sessions: Session<Tools>[] = []
    let early!: AbortSignal
    const error = await rejection(
      agent.session('alice', (s) => {
        sessions.push(s, agent.open('alice'))
        const struck = (async () => stroke(s, clock, agent))()
        early = s.signal
        expect(s.state).toBe('killed')
        expect(early.aborted).toBe(true)
        return struck
      }),
    )
    for (const signal of [early, ...sessions.map((s) => s.signal)]) {
      expect(signal.aborted).toBe(true)
      expect(signal.reason).toBe(error)
    }
  })

  test('rejects every call in flight with the error, and aborts their signals with it', async () => {
    const never = gate<never>()
    const signals: AbortSignal[] = []
    const stubborn = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { signal }) => {
        signals.push(signal)
        return never.promise
      },
    })
    const undecided = defineTool({
      inputSchema: z.object({}),
      when: () => never.promise,
      execute: () => expect.fail('it ran without a decision'),
    })
    const { agent, clock, payloads } = bench({ budget, tools: { ...tools, stubborn, undecided } })
    const s = agent.open('alice')
    const inFlight = [
      s.callTool('stubborn', {}),
      s.dispatch({ name: 'stubborn', input: {} }),
      s.callTool('undecided', {}),
      s.authorize('undecided', {}),
      s.callLlm(
        { model: 'm', maxTokens: 0, maxUsd: 0 },
        (signal) => {
          signals.push(signal)
          return never.promise
        },
        () => expect.fail('there is no reply'),
      ),
    ].map(rejection)
    await turn()
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false, false])
    const error = await rejection((async () => stroke(s, clock, agent as unknown as Agent<Tools>))())
    expect(error).toBeInstanceOf(BudgetExceeded)
    for (const outcome of await Promise.all(inFlight)) expect(outcome).toBe(error)
    for (const signal of signals) expect(signal.reason).toBe(error)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed', in_flight: 5 }])
  })

  test('rejects the session at once, whatever its callback is waiting for', async () => {
    const { agent, clock } = bench({ budget, tools })
    const never = gate<never>()
    const outcome = await rejection(
      agent.session('alice', (s) => {
        ;(async () => stroke(s, clock, agent))().catch(() => undefined)
        return never.promise
      }),
    )
    expect(outcome).toBeInstanceOf(BudgetExceeded)
  })
})

describe.each(COUNTS)('a kill by $limit, a limit on counts,', ({ limit, budget, stroke }) => {
  test('lets the calls in flight finish, and does not abort the signal', async () => {
    const gateway = gate<string>()
    const signals: AbortSignal[] = []
    const patient = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { signal }) => {
        signals.push(signal)
        return gateway.promise
      },
    })
    // One tool call and one model call are permitted before the limit is broken.
    const counted = limit === 'toolCalls' || limit === 'llmCalls' ? { [limit]: 1 } : budget
    const { agent, clock, payloads } = bench({ budget: counted, tools: { ...tools, patient } })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        const tool = s.callTool('patient', {})
        const llm = s.callLlm(
          { model: 'm' },
          (signal) => {
            signals.push(signal)
            return gateway.promise
          },
          () => USAGE,
        )
        const error = await rejection((async () => stroke(s, clock, agent as unknown as Agent<Tools>))())
        expect(error).toBeInstanceOf(BudgetExceeded)
        expect(s.state).toBe('killed')
        expect(s.signal.aborted).toBe(false)
        await turn()
        gateway.open('finished')
        expect(await tool).toBe('finished')
        expect(await llm).toBe('finished')
        expect(signals.map((signal) => signal.aborted)).toEqual([false, false])
        expect(await rejection(s.callTool('patient', {}))).toBe(error)
      }),
    )
    expect(outcome).toMatchObject({ limit })
    expect(payloads('tool_result')).toMatchObject([{ ok: true, effect: 'occurred' }])
    expect(payloads('llm_call')).toContainEqual(
      expect.objectContaining({ cost_usd: 0.01, metering: 'reported' }),
    )
    expect(payloads('session_end').at(-1)).toMatchObject({ outcome: 'killed', in_flight: 0 })
  })
})

test('of 50 parallel tool calls under toolCalls: 5, exactly five run to their end', async () => {
  const gateway = gate()
  let started = 0
  let finished = 0
  const slow = defineTool({
    inputSchema: z.object({ n: z.number() }),
    execute: async ({ n }) => {
      started += 1
      await gateway.promise
      finished += 1
      return n
    },
  })
  const { agent, payloads } = bench({ budget: { toolCalls: 5 }, tools: { slow } })
  let settled: PromiseSettledResult<number>[] = []
  const outcome = await rejection(
    agent.session('alice', async (s) => {
      const calls = Array.from({ length: 50 }, (_, n) => s.callTool('slow', { n }))
      setImmediate(() => gateway.open())
      settled = await Promise.allSettled(calls)
      expect(await rejection(s.callTool('slow', { n: 50 }))).toBeInstanceOf(BudgetExceeded)
    }),
  )
  expect([started, finished]).toEqual([5, 5])
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  const errors = settled
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => reason as unknown)
  expect(errors).toHaveLength(45)
  for (const error of errors) expect(error).toBe(outcome)
  expect(outcome).toMatchObject({ limit: 'toolCalls', used: 5, max: 5, usage: { toolCalls: 5 } })
  expect(payloads('tool_call')).toHaveLength(5)
  expect(payloads('tool_result').map((result) => result['ok'])).toEqual([true, true, true, true, true])
})

test('of 50 parallel tool calls whose predicates are slow, still exactly five run', async () => {
  let ran = 0
  const checked = defineTool({
    inputSchema: z.object({}),
    when: async () => {
      await turn()
      return true
    },
    execute: async () => {
      ran += 1
      await turn()
    },
  })
  const { agent } = bench({ budget: { toolCalls: 5 }, tools: { checked } })
  let settled: PromiseSettledResult<void>[] = []
  await rejection(
    agent.session('alice', async (s) => {
      settled = await Promise.allSettled(Array.from({ length: 50 }, () => s.callTool('checked', {})))
    }),
  )
  expect(ran).toBe(5)
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
})

test('a tool that swallows the kill of its own session does not get its result delivered', async () => {
  const spend = defineTool({
    inputSchema: z.object({}),
    execute: (_input, { session }) => {
      expect(thrown(() => session.recordLlm({ ...USAGE, costUsd: 2 }))).toBeInstanceOf(BudgetExceeded)
      return 'spent, and carried on'
    },
  })
  const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { spend } })
  let delivered: unknown
  const outcome = await rejection(
    agent.session('alice', async (s) => {
      delivered = await rejection(s.callTool('spend', {}))
    }),
  )
  await turn()
  expect(outcome).toMatchObject({ limit: 'usd' })
  expect(delivered).toBe(outcome)
  expect(payloads('tool_result')).toMatchObject([
    { ok: false, effect: 'unknown' },
    { ok: true, late: true },
  ])
})

test('dispatch returns denials and errors of tools as values; only a kill throws', async () => {
  const failing = defineTool({
    inputSchema: z.object({}),
    execute: () => {
      throw new RangeError('of the tool')
    },
  })
  const { agent } = bench({ budget: { toolCalls: 1, denials: 1 }, tools: { failing } })
  const outcome = await rejection(
    agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'failing', input: {} })).toMatchObject({ ok: false })
      expect(await s.dispatch({ name: 'unheard-of', input: {} })).toMatchObject({ ok: false })
      await s.dispatch({ name: 'unheard-of', input: {} })
    }),
  )
  expect(outcome).toMatchObject({ limit: 'denials', used: 1, max: 1 })
})

describe('sessions nested in a killed one', () => {
  test.each(SPEND_AND_TIME)(
    'are stopped with the same error when $limit of the outer one is hit',
    async ({ budget, stroke }) => {
      const outerBench = bench({ budget, tools })
      const innerBench = bench({ budget: { llmCalls: 100, usd: 100, tokens: 10_000, wallMs: 60_000 }, tools })
      const never = gate<never>()
      let inner!: Promise<unknown>
      let innerSignal!: AbortSignal
      const outer = await rejection(
        outerBench.agent.session('alice', async (s) => {
          inner = rejection(
            innerBench.agent.session('bob', (nested) => {
              innerSignal = nested.signal
              return never.promise
            }),
          )
          await turn()
          await stroke(s, outerBench.clock, outerBench.agent)
        }),
      )
      expect(outer).toBeInstanceOf(BudgetExceeded)
      expect(await inner).toBe(outer)
      expect(innerSignal.reason).toBe(outer)
      expect(innerBench.payloads('session_end')).toMatchObject([{ outcome: 'killed' }])
    },
  )

  test.each(ALL.filter(({ limit }) => limit !== 'depth'))(
    'are refused every call once $limit of the outer one is hit',
    async ({ budget, stroke }) => {
      const outerBench = bench({ budget, tools })
      const innerBench = bench({ budget: { llmCalls: 100 }, tools })
      let refused!: Record<string, unknown>
      let first: unknown
      const outer = await rejection(
        outerBench.agent.session('alice', async (s) => {
          const nested = innerBench.agent.open('bob')
          first = await rejection((async () => stroke(s, outerBench.clock, outerBench.agent))())
          refused = await refusals(nested)
        }),
      )
      await turn()
      expect(outer).toBe(first)
      expectEachToBe(first, refused)
    },
  )

  test('are refused every call once they have gone deeper than the outer one allows', async () => {
    const { agent, payloads } = bench({ budget: { depth: 1 }, tools })
    let refused!: Record<string, unknown>
    let first: unknown
    const outer = await rejection(
      agent.session('alice', () =>
        agent.session('bob', async (nested) => {
          first = await rejection(agent.session('carol', () => expect.fail('it was opened')))
          refused = await refusals(nested)
        }),
      ),
    )
    expect(outer).toBe(first)
    expect(outer).toMatchObject({ limit: 'depth', used: 1, max: 1 })
    expectEachToBe(first, refused)
    expect(payloads('session_start')).toHaveLength(2)
  })

  test('kill the outer one when they break its limit, and both reject with that error', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1 }, tools })
    let inner: unknown
    const outer = await rejection(
      agent.session('alice', async (s) => {
        s.recordLlm({ ...USAGE, costUsd: 0.6 })
        inner = await rejection(
          agent.session('bob', (nested) => {
            nested.recordLlm({ ...USAGE, costUsd: 0.6 })
          }),
        )
        return 'swallowed'
      }),
    )
    expect(outer).toMatchObject({ limit: 'usd', used: 1.2, max: 1 })
    expect(inner).toBe(outer)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed' }, { outcome: 'killed' }])
  })

  test('leave the outer one alive when it is only their own limit that they break', async () => {
    const { agent } = bench({ budget: { usd: 10 }, tools })
    const value = await agent.session('alice', async (s) => {
      const inner = await rejection(
        agent.session('bob', (nested) => nested.recordLlm({ ...USAGE, costUsd: 2 }), { budget: { usd: 1 } }),
      )
      expect(inner).toMatchObject({ limit: 'usd', max: 1 })
      expect(s.state).toBe('open')
      return s.usage().usd
    })
    expect(value).toBe(2)
  })
})

describe('a synchronous session', () => {
  const SYNC: readonly (Omit<Breaking, 'stroke'> & {
    readonly stroke: (s: SyncSession<Tools>, clock: FakeClock, agent: Agent<Tools>) => unknown
  })[] = [
    { limit: 'usd', budget: { usd: 1 }, stroke: (s) => s.recordLlm({ ...USAGE, costUsd: 1.01 }) },
    { limit: 'tokens', budget: { tokens: 100 }, stroke: (s) => s.recordLlm({ ...USAGE, inputTokens: 100 }) },
    {
      limit: 'wallMs',
      budget: { wallMs: 1000 },
      stroke: (s, clock) => {
        clock.block(1000)
        return s.authorize('add', { a: 1, b: 2 })
      },
    },
    { limit: 'toolCalls', budget: { toolCalls: 0 }, stroke: (s) => s.callTool('add', { a: 1, b: 2 }) },
    { limit: 'llmCalls', budget: { llmCalls: 0 }, stroke: (s) => s.recordLlm(USAGE) },
    {
      limit: 'denials',
      budget: { denials: 0 },
      stroke: (s) => s.dispatch({ name: 'unheard-of', input: {} }),
    },
    {
      limit: 'depth',
      budget: { depth: 0 },
      stroke: (_s, _clock, agent) => agent.sessionSync('bob', () => 1),
    },
  ]

  function syncRefusals(s: SyncSession<Tools>): readonly unknown[] {
    const input = { a: 1, b: 2 }
    return [
      thrown(() => s.callTool('add', input)),
      thrown(() => s.dispatch({ name: 'add', input })),
      thrown(() => s.authorize('add', input)),
      thrown(() => s.recordLlm({ ...USAGE, inputTokens: 0, outputTokens: 0, costUsd: 0 })),
      thrown(() => s.reserve({ usd: 0, tokens: 0 })),
      thrown(() => s.reserve({ model: 'm', maxTokens: 0, maxUsd: 0 })),
    ]
  }

  test.each(SYNC)(
    'killed by $limit refuses every later call, and throws although the callback returned',
    ({ limit, budget, stroke }) => {
      const { agent, clock, payloads } = bench({ budget, tools })
      let session!: SyncSession<Tools>
      let first: unknown
      let refused: readonly unknown[] = []
      const outcome = thrown(() =>
        agent.sessionSync('alice', (s) => {
          session = s
          first = thrown(() => stroke(s, clock, agent))
          refused = syncRefusals(s)
          return 'all went well'
        }),
      )
      expect(outcome).toBeInstanceOf(BudgetExceeded)
      expect(outcome).toMatchObject({ limit })
      expect(first).toBe(outcome)
      for (const error of [...refused, ...syncRefusals(session)]) expect(error).toBe(outcome)
      expect(payloads('tool_call')).toEqual([])
      expect(payloads('session_end').at(-1)).toMatchObject({ outcome: 'killed' })
    },
  )

  test.each(SYNC)(
    'killed by $limit throws that although the callback threw something else',
    ({ budget, stroke }) => {
      const { agent, clock } = bench({ budget, tools })
      const outcome = thrown(() =>
        agent.sessionSync('alice', (s) => {
          thrown(() => stroke(s, clock, agent))
          throw new RangeError('of the callback')
        }),
      )
      expect(outcome).toBeInstanceOf(BudgetExceeded)
    },
  )

  test.each(SYNC)(
    'killed by $limit aborts its signal exactly when the limit is on spend or time',
    ({ limit, budget, stroke }) => {
      const { agent, clock } = bench({ budget, tools })
      const interrupts = limit === 'usd' || limit === 'tokens' || limit === 'wallMs'
      thrown(() =>
        agent.sessionSync('alice', (s) => {
          const { signal } = s
          const error = thrown(() => stroke(s, clock, agent))
          expect(signal.aborted).toBe(interrupts)
          if (interrupts) expect(signal.reason).toBe(error)
        }),
      )
      expect.assertions(interrupts ? 2 : 1)
    },
  )

  test('runs exactly five tool calls under toolCalls: 5', () => {
    let ran = 0
    const count = defineTool({
      inputSchema: z.object({}),
      execute: () => {
        ran += 1
      },
    })
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { count } })
    const errors: unknown[] = []
    const outcome = thrown(() =>
      agent.sessionSync('alice', (s) => {
        for (let call = 0; call < 50; call++) {
          try {
            s.callTool('count', {})
          } catch (error) {
            errors.push(error)
          }
        }
      }),
    )
    expect(ran).toBe(5)
    expect(errors).toHaveLength(45)
    for (const error of errors) expect(error).toBe(outcome)
  })
})

test('a session that ended alive refuses later calls too, as closed', async () => {
  const { agent, payloads } = bench({ budget: { usd: 1 }, tools })
  let session!: Session<Tools>
  await agent.session('alice', (s) => {
    session = s
  })
  const refused = await refusals(session)
  for (const [call, error] of Object.entries(refused)) expect(error, call).toBeInstanceOf(SessionClosed)
  expect(payloads('tool_call')).toEqual([])
})
