import { describe, expect, test } from 'vitest'
import {
  Agent,
  type AgentOptions,
  AuditSink,
  BudgetExceeded,
  BudgetReserved,
  defineTool,
  type LimitStore,
  LimitsUnavailable,
  type RollingLimits,
  UnpricedModel,
} from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench, rejection, thrown } from '../../support/agents.js'
import { RemoteStore, TableStore } from '../../support/limit-store.js'
import { gate, turn } from '../../support/tools.js'

const DAY_MS = 86_400_000
const USAGE = { model: 'm', inputTokens: 0, outputTokens: 0, costUsd: 0 } as const
const spend = (costUsd: number) => ({ ...USAGE, costUsd })
const look = defineTool({ inputSchema: z.object({}), execute: () => 'seen' })
const budget = { usd: 100, toolCalls: 1000 }

function limited(limits: RollingLimits, more: Partial<AgentOptions> = {}) {
  return bench({ budget, tools: { look }, limits, ...(more as object) })
}

describe('a rolling limit', () => {
  test('per user holds over sessions, kills the one that breaks it, and spares other users', async () => {
    const { agent, payloads } = limited({ perUser: { usd: 1, windowMs: DAY_MS } })
    await agent.session('alice', (s) => {
      expect(s.remaining().usd).toBe(1)
      s.recordLlm(spend(0.75))
    })
    const end = await rejection(
      agent.session('alice', (s) => {
        expect(s.remaining().usd).toBe(0.25)
        s.recordLlm(spend(0.5))
      }),
    )
    expect(end).toBeInstanceOf(BudgetExceeded)
    expect(end).toMatchObject({ limit: 'usd', used: 1.25, max: 1, scope: 'user', windowMs: DAY_MS })
    expect(String(end)).toContain('limited to 1 per user in 86400000 ms')
    expect(payloads('budget_exceeded')).toMatchObject([
      { limit: 'usd', used: 1.25, max: 1, scope: 'user', window_ms: DAY_MS },
    ])
    await agent.session('bob', (s) => s.recordLlm(spend(1)))
  })

  test('per agent holds over users', async () => {
    const { agent } = limited({ perAgent: { usd: 1, windowMs: DAY_MS } })
    await agent.session('alice', (s) => s.recordLlm(spend(1)))
    expect(await rejection(agent.session('bob', (s) => void s.reserve({ usd: 0.01 })))).toMatchObject({
      scope: 'agent',
    })
  })

  test('of a session itself has no scope', async () => {
    const { agent } = limited({ perUser: { usd: 1000, windowMs: DAY_MS } })
    const end = await rejection(agent.session('alice', (s) => s.recordLlm(spend(101))))
    expect(end).toMatchObject({ limit: 'usd', max: 100 })
    expect((end as BudgetExceeded).scope).toBeUndefined()
  })

  test.each([
    ['tokens', { tokens: 10 }, { ...USAGE, inputTokens: 10 }],
    ['llmCalls', { llmCalls: 1 }, USAGE],
  ] as const)('bounds %s', async (limit, rule, usage) => {
    const { agent } = limited({ perUser: { ...rule, windowMs: 1000 } })
    await agent.session('alice', (s) => s.recordLlm(usage))
    expect(
      await rejection(agent.session('alice', (s) => s.recordLlm({ ...usage, inputTokens: 1 }))),
    ).toMatchObject({ limit, scope: 'user', windowMs: 1000 })
  })

  test('bounds toolCalls, in both kinds of session, and a denied call takes nothing of it', async () => {
    const { agent } = limited({ perUser: { toolCalls: 2, windowMs: 1000 } })
    await agent.session('alice', async (s) => {
      await s.callTool('look', {})
      await s.dispatch({ name: 'nothing', input: {} })
      expect(s.remaining().toolCalls).toBe(1)
    })
    agent.sessionSync('alice', (s) => s.callTool('look', {}))
    expect(thrown(() => agent.sessionSync('alice', (s) => s.callTool('look', {})))).toMatchObject({
      limit: 'toolCalls',
      scope: 'user',
    })
    expect(await rejection(agent.session('alice', (s) => s.callTool('look', {})))).toMatchObject({
      limit: 'toolCalls',
      used: 2,
      max: 2,
    })
  })

  test('bounds sessions: one more is not opened, and 0 means none', async () => {
    const { agent, payloads, clock } = limited({ perUser: { sessions: 2, windowMs: 1000 } })
    const open = agent.open('alice')
    // What is nested in it is part of it.
    await agent.session('alice', () => agent.session('alice', () => undefined))
    for (const attempt of [
      rejection(agent.session('alice', () => expect.fail('opened'))),
      thrown(() => agent.open('alice')),
      thrown(() => agent.sessionSync('alice', () => expect.fail('opened'))),
    ]) {
      expect(await attempt).toMatchObject({
        code: 'ERR_BUDGET_EXCEEDED',
        limit: 'sessions',
        used: 2,
        max: 2,
        scope: 'user',
        windowMs: 1000,
      })
    }
    expect(payloads('session_start')).toHaveLength(3)
    await open.close()
    await clock.advance(1100)
    await agent.session('alice', () => undefined)
    const none = limited({ perAgent: { sessions: 0, windowMs: 1 } })
    expect(thrown(() => none.agent.open('alice'))).toMatchObject({ limit: 'sessions', scope: 'agent' })
  })

  test('forgets what is older than its window, at most a 64th of it too late and never too early', async () => {
    const { agent, clock } = limited({ perUser: { usd: 1, windowMs: 6400 } })
    await clock.advance(50)
    await agent.session('alice', (s) => s.recordLlm(spend(1)))
    const left = () => agent.sessionSync('alice', (s) => s.remaining().usd)
    await clock.advance(6399)
    expect(left()).toBe(0)
    await clock.advance(101)
    expect(left()).toBe(1)
  })

  test('moves along: half an hour later, half an hour more is free', async () => {
    const { agent, clock } = limited({ perUser: { usd: 10, windowMs: 1000 } })
    for (let i = 0; i < 10; i++) {
      await agent.session('alice', (s) => s.recordLlm(spend(1)))
      await clock.advance(100)
    }
    const left = () => agent.sessionSync('alice', (s) => s.remaining().usd ?? 0)
    expect(left()).toBeLessThanOrEqual(1)
    await clock.advance(516)
    expect(left()).toBeGreaterThanOrEqual(5)
    expect(left()).toBeLessThanOrEqual(6)
  })

  test('holds what calls in flight may cost, over sessions that run in parallel', async () => {
    const { agent } = limited({ perUser: { usd: 1, windowMs: DAY_MS } })
    const open = gate()
    let running = 0
    const all = Array.from({ length: 20 }, () =>
      agent.session('alice', (s) =>
        s.callLlm(
          { model: 'm', maxUsd: 0.3 },
          () => {
            running += 1
            return open.promise
          },
          () => spend(0.3),
        ),
      ),
    )
    const settled = Promise.allSettled(all)
    await turn()
    expect(running).toBe(3)
    open.open()
    const refused = (await settled).filter((one) => one.status === 'rejected')
    expect(refused).toHaveLength(17)
    for (const { reason } of refused) expect(reason).toBeInstanceOf(BudgetReserved)
    expect(agent.sessionSync('alice', (s) => s.remaining().usd)).toBe(0.1)
  })

  test('in US dollars makes a model without a price an error', async () => {
    const { agent } = bench({ budget: { toolCalls: 1 }, limits: { perUser: { usd: 1, windowMs: 1000 } } })
    await agent.session('alice', (s) => {
      expect(thrown(() => s.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1 }))).toBeInstanceOf(
        UnpricedModel,
      )
    })
  })

  test('is charged once where a session is nested in another of the same agent', async () => {
    const { agent } = limited({ perUser: { usd: 10, windowMs: 1000 }, perAgent: { usd: 20, windowMs: 1000 } })
    await agent.session('alice', async (root) => {
      await agent.session('alice', (s) => s.recordLlm(spend(1)))
      await root.delegate(agent, {}, (s) => s.recordLlm(spend(1)))
      expect(root.remaining().usd).toBe(8)
      // Another user has a window of their own; what is nested counts for whoever it is nested in, too.
      await agent.session('bob', (s) => s.recordLlm(spend(1)))
      expect(root.remaining().usd).toBe(7)
    })
    expect(agent.sessionSync('carol', (s) => s.remaining().usd)).toBe(10)
    expect(agent.sessionSync('bob', (s) => s.remaining().usd)).toBe(9)
  })

  test('is no level of nesting, wherever it stands', async () => {
    const { agent } = limited({
      perUser: { usd: 1, windowMs: 1000 },
      perAgent: { usd: 1, windowMs: 1000 },
    })
    const { agent: boss } = bench({ budget: { depth: 2 } })
    await boss.session('alice', async (s) => {
      await agent.session('alice', () =>
        agent.session('alice', async (inner) => {
          expect(inner.remaining().depth).toBe(0)
          expect(s.usage().depth).toBe(2)
        }),
      )
      expect(s.state).toBe('open')
    })
  })

  test("of another agent bounds that agent's session wherever it is nested, and kills that one alone", async () => {
    const clock = fakeClock()
    const audit = AuditSink.memory()
    const boss = new Agent({ identity: 'boss', budget: { usd: 10, depth: 1 }, audit, clock })
    const clerk = new Agent({
      identity: 'clerk',
      budget: { usd: 10 },
      audit,
      clock,
      limits: { perUser: { usd: 1, windowMs: 1000 }, perAgent: { usd: 1.5, windowMs: 1000 } },
    })
    await boss.session('alice', async (s) => {
      const errors = [
        await rejection(clerk.session('alice', (child) => child.recordLlm(spend(2)))),
        await rejection(s.delegate(clerk, {}, (child) => child.recordLlm(spend(0.25)))),
        await rejection(clerk.session('bob', (child) => child.recordLlm(spend(0.25)))),
      ]
      expect(errors.map((error) => (error as BudgetExceeded).scope)).toEqual(['agent', 'agent', 'agent'])
      expect(s.state).toBe('open')
      expect(s.usage().usd).toBe(2.5)
      // A rolling limit is no level of nesting.
      expect(s.usage().depth).toBe(1)
    })
    expect(
      audit.records.filter(({ event }) => event === 'session_end').map((r) => r.payload['outcome']),
    ).toEqual(['killed', 'killed', 'killed', 'completed'])
  })

  test.each([
    [{}, /sets no limit/],
    [{ perUser: { usd: 1 } }, /perUser\.windowMs/],
    [{ perUser: { windowMs: 5 } }, /perUser: sets no limit/],
    [{ perUser: { windowMs: 0, usd: 1 } }, /at least 1 millisecond/],
    [{ perUser: { windowMs: 1, usd: Number.NaN } }, /perUser\.usd/],
    [{ perUser: { windowMs: 1, tokens: -1 } }, /perUser\.tokens/],
    [{ perUser: { windowMs: 1, denials: 1 } }, /unknown option denials/],
    [{ perAgent: { windowMs: 1, usd: 1 }, store: {} }, /store.*lease is no function/],
    [{ perAgent: { windowMs: 1, usd: 1 }, leaseMs: 5 }, /leaseMs.*there is none/],
    [5, /options object/],
  ])('that is none is refused: %j', (limits, message) => {
    expect(() => bench({ budget, limits: limits as never })).toThrow(message)
  })
})

describe('the same limits in a store', () => {
  function stored(store: LimitStore, limits: Partial<RollingLimits> = {}, clock = fakeClock(), own = budget) {
    return bench({
      budget: own,
      tools: { look },
      clock,
      limits: { perUser: { usd: 1, sessions: 10, windowMs: DAY_MS }, store, ...limits },
    })
  }

  /** The same callers, against a table in this process and one behind a network. */
  test.each([
    ['that answers at once', TableStore],
    ['that answers with promises', RemoteStore],
  ] as const)('%s hold over sessions and agents, and callers need no change', async (_what, Store) => {
    const clock = fakeClock()
    const store = new Store(() => clock.monotonicMs())
    const [one, other] = [stored(store, {}, clock), stored(store, {}, clock)]
    await one.agent.session('alice', (s) => {
      expect(s.remaining().usd).toBe(1)
      s.recordLlm(spend(0.75))
    })
    const end = await rejection(
      other.agent.session('alice', (s) => {
        expect(s.remaining().usd).toBe(0.25)
        s.recordLlm(spend(0.5))
      }),
    )
    expect(end).toMatchObject({ limit: 'usd', used: 0.5, max: 0.25, scope: 'user', windowMs: DAY_MS })
    await other.agent.session('bob', (s) => s.recordLlm(spend(1)))
    await clock.advance(DAY_MS)
    await one.agent.session('alice', (s) => s.recordLlm(spend(1)))
  })

  test('lease what a session can use, so that sessions in parallel cannot oversubscribe', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const { agent } = stored(store, {}, clock, { usd: 0.4, toolCalls: 1 })
    const open = gate()
    const given: unknown[] = []
    const all = Array.from({ length: 5 }, () =>
      agent.session('alice', async (s) => {
        given.push(s.remaining().usd)
        await open.promise
        s.recordLlm(spend(s.remaining().usd ?? 0))
      }),
    )
    await turn()
    expect(given).toEqual([0.4, 0.4, 0.2, 0, 0])
    open.open()
    await Promise.all(all)
    expect(store.table.used('writ:test-bot/v1:user:alice', 'nanoUsd')).toBe(1e9)
  })

  test('bound a session to the time of its lease, and count one that was never settled in full', async () => {
    const clock = fakeClock()
    const store = new TableStore(() => clock.monotonicMs())
    const { agent } = stored(store, { leaseMs: 500 }, clock, { usd: 1, toolCalls: 1 })
    const s = agent.open('alice')
    expect(s.remaining().wallMs).toBe(500)
    store.settle = () => {
      throw new TypeError('gone')
    }
    await clock.advance(500)
    expect(s.state).toBe('closed')
    expect(agent.sessionSync('alice', (next) => next.remaining().usd)).toBe(0)
  })

  test('stand above the session with what is around it, each bounding it', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const both = { perUser: { usd: 0.5, windowMs: 1000 }, perAgent: { usd: 0.3, windowMs: 1000 } }
    const { agent } = stored(store, both, clock)
    const { agent: boss } = bench({ budget: { usd: 10 }, clock })
    await boss.session('alice', async (s) => {
      const end = await rejection(
        agent.session('alice', (child) => {
          expect(child.remaining().usd).toBe(0.3)
          child.recordLlm(spend(0.25))
          child.recordLlm(spend(0.25))
        }),
      )
      expect(end).toMatchObject({ scope: 'agent', max: 0.3 })
      expect(s.usage().usd).toBe(0.5)
      expect(s.state).toBe('open')
    })
    expect(store.table.used('writ:test-bot/v1:agent', 'nanoUsd')).toBe(0.5e9)
    expect(store.table.used('writ:test-bot/v1:user:alice', 'nanoUsd')).toBe(0.5e9)
  })

  test('are settled before the session has ended for its caller', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    store.settle = async (id, spent) => {
      await turn()
      store.table.settle(id, spent)
    }
    const { agent } = stored(store, {}, clock)
    for (const left of [1, 0.9, 0.8]) {
      await agent.session('alice', (s) => {
        expect(s.remaining().usd).toBe(left)
        s.recordLlm(spend(0.1))
      })
    }
  })

  test('refuse a session that there is none left for', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const { agent } = stored(store, { perUser: { sessions: 1, windowMs: 1000 } }, clock)
    await agent.session('alice', () => undefined)
    expect(await rejection(agent.session('alice', () => expect.fail('opened')))).toMatchObject({
      code: 'ERR_BUDGET_EXCEEDED',
      limit: 'sessions',
      used: 1,
      max: 1,
      scope: 'user',
    })
  })

  test('give back the one lease when the other is refused', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const { agent } = stored(
      store,
      { perUser: { sessions: 0, windowMs: 1000 }, perAgent: { usd: 5, windowMs: 1000 } },
      clock,
    )
    expect(await rejection(agent.session('alice', () => expect.fail('opened')))).toMatchObject({
      scope: 'user',
    })
    expect(store.table.used('writ:test-bot/v1:agent', 'nanoUsd')).toBe(0)
  })

  test.each(['open', 'sessionSync', 'delegate in sessionSync'])(
    'cannot be waited for by %s, which says so, and its lease is given back',
    async (how) => {
      const clock = fakeClock()
      const store = new RemoteStore(() => clock.monotonicMs())
      const { agent } = stored(store, {}, clock)
      const plain = bench({ budget })
      const error = thrown(() => {
        if (how === 'open') return agent.open('alice')
        if (how === 'sessionSync') return agent.sessionSync('alice', () => expect.fail('opened'))
        return plain.agent.sessionSync('alice', (s) => s.delegate(agent, {}, () => expect.fail('opened')))
      })
      expect(error).toBeInstanceOf(LimitsUnavailable)
      expect(error).toMatchObject({ code: 'ERR_LIMITS_UNAVAILABLE' })
      expect(String(error)).toContain('agent.session()')
      await turn()
      expect(store.table.used('writ:test-bot/v1:user:alice', 'nanoUsd')).toBe(0)
    },
  )

  const granted = { nanoUsd: 1, sessions: 1 }
  test.each<[string, (answer: unknown) => unknown]>([
    ['nothing', () => undefined],
    ['yes', () => true],
    ['ok alone', () => ({ ok: true })],
    ['no id', () => ({ ok: true, granted })],
    ['an id that is no string', () => ({ ok: true, id: 1, granted })],
    ['no amounts', () => ({ ok: true, id: 'x' })],
    ['an amount missing', () => ({ ok: true, id: 'x', granted: { sessions: 1 } })],
    ['no session', () => ({ ok: true, id: 'x', granted: { nanoUsd: 1 } })],
    ['more than was asked', () => ({ ok: true, id: 'x', granted: { nanoUsd: 2e9, sessions: 1 } })],
    ['NaN', () => ({ ok: true, id: 'x', granted: { nanoUsd: Number.NaN, sessions: 1 } })],
    ['a negative amount', () => ({ ok: true, id: 'x', granted: { nanoUsd: -1, sessions: 1 } })],
    ['an amount that is text', () => ({ ok: true, id: 'x', granted: { nanoUsd: '1', sessions: 1 } })],
    ['a refusal of nothing', () => ({ ok: false })],
    ['a refusal of what is no limit', () => ({ ok: false, limit: 'wallMs', used: 1, max: 1 })],
    ['ok as text', () => ({ ok: 'true', id: 'x', granted })],
    [
      'an answer that throws',
      () => ({
        get ok(): never {
          throw new TypeError('no')
        },
      }),
    ],
    [
      'an error',
      () => {
        throw new TypeError('down')
      },
    ],
  ])('fail closed for %s', async (_what, answer) => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    store.answer = answer
    const { agent, payloads } = stored(store, {}, clock)
    expect(await rejection(agent.session('alice', () => expect.fail('opened')))).toBeInstanceOf(
      LimitsUnavailable,
    )
    expect(payloads('session_start')).toEqual([])
  })

  test('fail closed for a store that does not answer in time, and give back what it grants later', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const slow = gate()
    const lease = store.lease.bind(store)
    store.lease = async (request) => {
      await slow.promise
      return lease(request)
    }
    const { agent } = stored(store, { storeTimeoutMs: 200 }, clock)
    const end = rejection(agent.session('alice', () => expect.fail('opened')))
    await clock.advance(200)
    expect(await end).toBeInstanceOf(LimitsUnavailable)
    expect(String(await end)).toContain('within 200 ms')
    slow.open()
    await turn()
    expect(store.table.entries).toHaveLength(1)
    expect(store.table.used('writ:test-bot/v1:user:alice', 'nanoUsd')).toBe(0)
    expect(clock.timers).toBe(0)
  })

  test('give back the lease of a session that may no longer be opened', async () => {
    const clock = fakeClock()
    const store = new RemoteStore(() => clock.monotonicMs())
    const { agent } = stored(store, {}, clock)
    const leaving = new AbortController()
    const end = rejection(agent.session('alice', () => expect.fail('opened'), { signal: leaving.signal }))
    leaving.abort(new RangeError('gone'))
    expect(await end).toBeInstanceOf(RangeError)
    const closing = rejection(agent.session('alice', () => expect.fail('opened')))
    await agent.close()
    expect(String(await closing)).toContain('the agent is closed')
    await turn()
    expect(store.table.used('writ:test-bot/v1:user:alice', 'nanoUsd')).toBe(0)
  })
})
