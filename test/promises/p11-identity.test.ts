/**
 * Promise 11: every record carries agent, user, session and principal; two sessions never share a
 * principal; no ambient session ever authorises.
 */
import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, currentSession, defineTool, NoSession, type Session, type ToolSet } from 'writ'
import * as z from 'zod'
import {
  anything,
  bench,
  gate,
  killOf,
  payloadsOf,
  reasonsOf,
  recordsOf,
  thenable,
  turn,
} from '../support/tools.js'

const here = defineTool({ inputSchema: anything, execute: async () => currentSession().id })
const usage = { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.1 }

describe('records', () => {
  test('every record of a session carries identity, user, session id and principal', async () => {
    const fail = defineTool({ inputSchema: z.object({}), execute: () => Promise.reject(new Error('boom')) })
    const { agent, sink } = bench(
      { here, fail },
      { identity: 'support-bot/v1', budget: { toolCalls: 2, usd: 5 } },
    )
    let session: Session | undefined
    await agent
      .session('alice', async (s) => {
        session = s as Session
        s.recordLlm(usage)
        s.reserve({ usd: 1 }).settle({ usd: 0.5 })
        await s.callTool('here', {})
        await s.dispatch({ name: 'rm', input: {} })
        await s.dispatch({ name: 'fail', input: {} })
        await s.dispatch({ name: 'here', input: {} })
      })
      .catch(() => undefined)
    await agent.close()
    const own = sink.records.filter(({ event }) => !event.startsWith('log_'))
    expect(new Set(own.map(({ event }) => event))).toEqual(
      new Set([
        'session_start',
        'llm_call',
        'charge',
        'tool_call',
        'tool_result',
        'tool_denied',
        'budget_exceeded',
        'session_end',
      ]),
    )
    for (const record of own) {
      expect(record).toMatchObject({
        session_id: session?.id,
        agent_identity: 'support-bot/v1',
        invoking_user: 'alice',
        principal: `support-bot/v1@${session?.id}`,
      })
    }
    expect(session).toMatchObject({ user: 'alice', principal: `support-bot/v1@${session?.id}` })
    for (const record of sink.records.filter(({ event }) => event.startsWith('log_'))) {
      expect(record).not.toHaveProperty('session_id')
      expect(record).not.toHaveProperty('principal')
    }
  })

  test('a thousand sessions in one millisecond, of two agents, have a thousand principals', async () => {
    const { agent } = bench({})
    const other = bench({})
    const principals = new Set<string>()
    for (let count = 0; count < 500; count++) {
      for (const each of [agent, other.agent]) {
        const s = each.open('alice')
        principals.add(s.principal)
        await s.close()
      }
    }
    expect(principals.size).toBe(1000)
    for (const principal of principals) expect(principal).toMatch(/^bench-bot\/v1@[0-9A-HJKMNP-TV-Z]{26}$/)
  })

  test('calls of one session have ids of their own, under the id of the session', async () => {
    const { agent, sink } = bench({ here })
    await agent.session('alice', (s) => Promise.all([1, 2, 3].map(() => s.callTool('here', {}))))
    const ids = recordsOf(sink, 'tool_call').map(({ payload, session_id }) => [
      payload['call_id'],
      session_id,
    ])
    expect(new Set(ids.map(([call]) => call)).size).toBe(3)
    for (const [call, session] of ids) expect(call).toMatch(new RegExp(`^${session}\\.\\d+$`))
  })

  test('a tool is told the session and the id that are on record', async () => {
    const told: unknown[] = []
    const tell = defineTool({
      inputSchema: anything,
      when: (_input, { session, callId }) => {
        told.push(session.principal, callId)
        return true
      },
      execute: (_input, { session, callId }) => {
        told.push(session.principal, callId)
      },
    })
    const { agent, sink } = bench({ tell })
    await agent.session('alice', (s) => s.callTool('tell', {}))
    const [record] = recordsOf(sink, 'tool_call')
    const { principal, payload } = record!
    expect(told).toEqual([principal, payload['call_id'], principal, payload['call_id']])
  })
})

describe('currentSession', () => {
  test('is refused outside a session', async () => {
    expect(() => currentSession()).toThrow(NoSession)
    expect(() => currentSession()).toThrow(expect.objectContaining({ code: 'ERR_NO_SESSION' }))
    const { agent } = bench({ here })
    await agent.session('alice', () => undefined)
    expect(() => currentSession()).toThrow(NoSession)
    const s = agent.open('alice')
    expect(() => currentSession()).toThrow(NoSession)
    await s.callTool('here', {})
    expect(() => currentSession()).toThrow(NoSession)
    await s.close()
  })

  test('is the session around, across whatever is awaited', async () => {
    const { agent, clock } = bench({ here })
    await agent.session('alice', async (s) => {
      expect(currentSession()).toBe(s)
      await turn()
      expect(currentSession()).toBe(s)
      await clock.advance(1)
      expect(currentSession()).toBe(s)
      expect(await s.callTool('here', {})).toBe(s.id)
      await agent.session('bob', async (inner) => {
        expect(currentSession()).toBe(inner)
        await turn()
        expect(currentSession().user).toBe('bob')
      })
      expect(currentSession()).toBe(s)
    })
    agent.sessionSync('carol', (s) => expect(currentSession()).toBe(s))
  })

  test('two sessions at a time each see their own', async () => {
    const { agent } = bench({ here })
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        agent.session(`user-${index}`, async (s) => {
          for (let round = 0; round < 5; round++) {
            await turn()
            expect(currentSession()).toBe(s)
            expect(await s.callTool('here', {})).toBe(s.id)
          }
        }),
      ),
    )
  })
})

describe("a session's object, used inside another session's context", () => {
  const pay = defineTool({ inputSchema: anything, execute: async () => `paid by ${currentSession().id}` })
  const look = defineTool({ inputSchema: anything, execute: async () => `seen by ${currentSession().id}` })

  /** Alice's agent can pay, Bob's can look. */
  function twoTenants() {
    const a = bench({ pay }, { identity: 'payer', budget: { toolCalls: 5, usd: 1 } })
    const b = bench({ look }, { identity: 'looker', budget: { toolCalls: 5 } })
    return { a, b }
  }

  test('uses its own registry, budget and principal, and its tool runs in its own context', async () => {
    const { a, b } = twoTenants()
    const alice = a.agent.open('alice')
    await b.agent.session('bob', async (bob) => {
      expect(currentSession()).toBe(bob)
      expect(await alice.callTool('pay', {})).toBe(`paid by ${alice.id}`)
      expect(await (alice as Session).dispatch({ name: 'look', input: {} })).toMatchObject({
        denial: { reason: 'not_registered' },
      })
      alice.recordLlm(usage)
      expect(currentSession()).toBe(bob)
      expect(bob.usage()).toMatchObject({ toolCalls: 0, denials: 0, llmCalls: 0, usd: 0 })
      expect(alice.usage()).toMatchObject({ toolCalls: 1, denials: 1, llmCalls: 1, usd: 0.1 })
    })
    await alice.close()
    for (const record of a.sink.records.filter(({ session_id }) => session_id !== undefined)) {
      expect(record).toMatchObject({ principal: alice.principal, invoking_user: 'alice' })
    }
    expect(recordsOf(b.sink, 'tool_call')).toEqual([])
  })

  test('from a pool whose worker was started by the other session', async () => {
    const { a, b } = twoTenants()
    const jobs: (() => Promise<unknown>)[] = []
    const more = gate()
    const done = gate()
    const results: unknown[] = []
    const bobs = b.agent.session('bob', async () => {
      await more.promise
      // The worker runs what others have queued, in Bob's context.
      for (const job of jobs) results.push(await job().catch((error: unknown) => error))
      done.open()
    })
    await a.agent.session('alice', async (alice) => {
      jobs.push(
        () => alice.callTool('pay', {}),
        () => (alice as Session).callTool('look', {}),
        () =>
          alice.callLlm(
            { model: 'm', maxUsd: 0.5 },
            async () => currentSession().id,
            () => usage,
          ),
      )
      more.open()
      await done.promise
      expect(results).toEqual([
        `paid by ${alice.id}`,
        expect.objectContaining({ code: 'ERR_TOOL_NOT_PERMITTED', reason: 'not_registered' }),
        alice.id,
      ])
    })
    await bobs
    expect(b.sink.records.filter(({ event }) => /tool|llm/.test(event))).toEqual([])
  })

  test("an event that the other session emits does not lend its rights to the listener's session", async () => {
    const { a, b } = twoTenants()
    const events = new EventEmitter()
    const alice = a.agent.open('alice', { budget: { toolCalls: 0 } })
    let paying: Promise<unknown> | undefined
    events.on('order', () => {
      paying = alice.callTool('pay', {}).catch((error: unknown) => error)
    })
    await b.agent.session('bob', () => events.emit('order'))
    expect(await paying).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'toolCalls', max: 0 })
  })

  test('a session that is dead stays dead inside the context of one that lives', async () => {
    const { a, b } = twoTenants()
    const alice = a.agent.open('alice')
    await alice.close()
    await b.agent.session('bob', async (bob) => {
      await expect(alice.callTool('pay', {})).rejects.toMatchObject({
        code: 'ERR_SESSION_CLOSED',
        sessionId: alice.id,
      })
      expect(bob.state).toBe('open')
    })
  })

  test('synchronous sessions do the same', () => {
    const pay = defineTool({ inputSchema: anything, execute: () => currentSession().id })
    const { agent } = bench({ pay })
    agent.sessionSync('alice', (alice) => {
      agent.sessionSync('bob', (bob) => {
        expect(alice.callTool('pay', {})).toBe(alice.id)
        expect(currentSession()).toBe(bob)
        expect(bob.usage().toolCalls).toBe(0)
      })
    })
  })

  test.each(['predicate', 'schema'])(
    'a %s that is answered from the other context does not take the tool there',
    async (what) => {
      const waiting: (() => void)[] = []
      // As a query of a pooled driver: an object of its own, called back from wherever the pool is.
      const pooled = <T>(value: T): Promise<T> => thenable((resolve) => waiting.push(() => resolve(value)))
      const run = async (): Promise<string> => `paid by ${currentSession().id}`
      const slow =
        what === 'predicate'
          ? defineTool({ inputSchema: anything, when: () => pooled(true), execute: run })
          : defineTool({
              inputSchema: {
                '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => pooled({ value }) },
              },
              execute: run,
            })
      const { a, b } = { a: bench({ slow }), b: bench({}) }
      const alice = a.agent.open('alice')
      const paying = alice.callTool('slow', {})
      await turn()
      await b.agent.session('bob', async () => {
        for (const answer of waiting) answer()
        await turn()
      })
      expect(await paying).toBe(`paid by ${alice.id}`)
      await alice.close()
    },
  )

  test('a session opened by its tool is nested in it, not in the one whose context it was called from', async () => {
    const inner = bench({}, { identity: 'inner' })
    const nest = defineTool({
      inputSchema: anything,
      execute: () => inner.agent.session('alice', (s) => s.id),
    })
    const { a, b } = { a: bench({ nest }), b: bench({}) }
    const alice = a.agent.open('alice')
    await b.agent.session('bob', () => alice.callTool('nest', {}))
    await alice.close()
    expect(payloadsOf(inner.sink, 'session_start')).toMatchObject([{ parent_session: alice.id, depth: 1 }])
  })
})

describe('work that a session left behind', () => {
  /** Ends or kills a session while something started inside it still waits, then lets that go on. */
  async function leftover(
    end: (s: Session) => unknown,
    then: () => unknown,
  ): Promise<{ readonly ended: unknown; readonly outcome: unknown }> {
    const { agent } = bench<ToolSet>({ here: here as ToolSet[string] }, { budget: { toolCalls: 1, usd: 1 } })
    const late = gate()
    let work: Promise<unknown> | undefined
    const ended = await agent
      .session('alice', async (s) => {
        work = late.promise.then(then).catch((error: unknown) => error)
        await end(s)
      })
      .catch((error: unknown) => error)
    late.open()
    return { ended, outcome: await work }
  }

  test.each<[string, (agent: Agent) => unknown]>([
    ['session', (agent) => agent.session('mallory', () => 'opened')],
    ['sessionSync', (agent) => agent.sessionSync('mallory', () => 'opened')],
    ['open', (agent) => agent.open('mallory').id],
  ])('cannot open a session in an ended one, nor in a killed one (%s)', async (_label, open) => {
    const other = bench({})
    const afterEnd = await leftover(
      () => undefined,
      () => open(other.agent),
    )
    expect(afterEnd.outcome).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    const afterKill = await leftover(
      (s) => s.recordLlm({ ...usage, costUsd: 2 }),
      () => open(other.agent),
    )
    expect(afterKill.ended).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd' })
    expect(afterKill.outcome).toBe(afterKill.ended)
    expect(recordsOf(other.sink, 'session_start')).toEqual([])
  })

  test('cannot call a tool in an ended session through currentSession', async () => {
    const { outcome } = await leftover(
      () => undefined,
      () => (currentSession() as Session).callTool('here', {}),
    )
    expect(outcome).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
  })
})

describe('nested sessions', () => {
  test('know their parent and their depth', async () => {
    const { agent, sink } = bench({}, { budget: { depth: 2 } })
    const ids: string[] = []
    await agent.session('alice', async (root) => {
      ids.push(root.id)
      await agent.session('alice', async (child) => {
        ids.push(child.id)
        await agent.session('alice', (grandchild) => ids.push(grandchild.id))
      })
      expect(root.usage().depth).toBe(2)
    })
    const starts = payloadsOf(sink, 'session_start')
    expect(starts).toMatchObject([
      { depth: 0 },
      { depth: 1, parent_session: ids[0] },
      { depth: 2, parent_session: ids[1] },
    ])
    expect(starts[0]).not.toHaveProperty('parent_session')
  })

  test('one level too many is refused, and kills the session whose limit it was', async () => {
    const { agent, sink } = bench({ here }, { budget: { depth: 1 } })
    const states: string[] = []
    let refused: unknown
    const killed = await killOf(agent, (root) =>
      agent.session('alice', async (child) => {
        refused = await agent.session('alice', () => 'opened').catch((error: unknown) => error)
        states.push(root.state, child.state)
        expect(await child.callTool('here', {}).catch((error: unknown) => error)).toBe(refused)
      }),
    )
    expect(refused).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'depth', used: 1, max: 1 })
    expect(killed).toBe(refused)
    expect(states).toEqual(['killed', 'open'])
    expect(recordsOf(sink, 'session_start')).toHaveLength(2)
    expect(payloadsOf(sink, 'budget_exceeded')).toMatchObject([{ limit: 'depth', used: 1, max: 1 }])
  })

  test('with depth: 0 no session opens inside one, whichever agent opens it', async () => {
    const { agent } = bench({}, { budget: { depth: 0 } })
    const other = bench({}, { budget: { depth: 5 } })
    await expect(
      agent.session('alice', () => other.agent.session('alice', () => 'opened')),
    ).rejects.toMatchObject({
      limit: 'depth',
      used: 0,
      max: 0,
    })
    expect(recordsOf(other.sink, 'session_start')).toEqual([])
  })

  test('a limit of the inner session kills the inner one alone', async () => {
    const inner = bench({}, { budget: { depth: 0 } })
    const { agent } = bench({}, { budget: { depth: 5 } })
    await agent.session('alice', async (root) => {
      await expect(
        inner.agent.session('alice', () => agent.session('alice', () => 'opened')),
      ).rejects.toMatchObject({ limit: 'depth', max: 0 })
      expect(root.state).toBe('open')
    })
  })

  test('depth holds through tools as well', async () => {
    const { agent } = bench(
      {
        nest: defineTool({
          inputSchema: anything,
          execute: (): Promise<string> => agent.session('alice', () => 'opened') as Promise<string>,
        }),
      },
      { budget: { depth: 0 } },
    ) as { agent: Agent<ToolSet> }
    await expect(agent.session('alice', (s) => s.callTool('nest', {}))).rejects.toMatchObject({
      limit: 'depth',
    })
  })

  test('what the inner session spends is spent by the outer one', async () => {
    const outer = bench({ here }, { budget: { usd: 1, tokens: 100, toolCalls: 10 } })
    const inner = bench({ here }, { budget: { usd: 5, toolCalls: 10 } })
    await outer.agent.session('alice', async (root) => {
      await inner.agent.session('bob', async (child) => {
        child.recordLlm({ ...usage, costUsd: 0.25 })
        await child.callTool('here', {})
        expect(child.remaining()).toMatchObject({ usd: 0.75, tokens: 98 })
      })
      expect(root.usage()).toMatchObject({ usd: 0.25, tokens: 2, llmCalls: 1, toolCalls: 1 })
    })
  })

  test('a limit of the outer session that the inner one breaks kills the outer one, and says who did it', async () => {
    const outer = bench({}, { budget: { usd: 1 } })
    const inner = bench({}, { budget: { usd: 5 } })
    let child: Session | undefined
    const killed = await outer.agent
      .session('alice', async () => {
        await inner.agent.session('bob', async (s) => {
          child = s as Session
          s.recordLlm({ ...usage, costUsd: 2 })
        })
      })
      .catch((error: unknown) => error)
    expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd', used: 2, max: 1 })
    expect(payloadsOf(outer.sink, 'budget_exceeded')).toEqual([
      { limit: 'usd', used: 2, max: 1, source: child?.id },
    ])
    expect(payloadsOf(outer.sink, 'session_end')).toMatchObject([{ outcome: 'killed' }])
    expect(payloadsOf(inner.sink, 'session_end')).toMatchObject([{ outcome: 'killed' }])
    expect(child?.signal.reason).toBe(killed)
  })

  test('an outer limit on tools holds inside', async () => {
    const outer = bench({}, { budget: { toolCalls: 1 } })
    const inner = bench({ here })
    await expect(
      outer.agent.session('alice', () =>
        inner.agent.session('bob', async (s) => {
          await s.callTool('here', {})
          await s.callTool('here', {})
        }),
      ),
    ).rejects.toMatchObject({ limit: 'toolCalls', max: 1 })
    expect(reasonsOf(inner.sink)).toEqual(['budget_exceeded'])
  })

  test('killing the outer session stops what the inner one has in flight', async () => {
    const outer = bench({}, { budget: { wallMs: 100 } })
    const hang = defineTool({ inputSchema: anything, execute: () => new Promise(() => undefined) })
    const inner = bench({ hang })
    let child: Session | undefined
    let calling: Promise<unknown> | undefined
    const session = outer.agent
      .session('alice', () =>
        inner.agent.session('bob', (s) => {
          child = s as Session
          calling = s.callTool('hang', {}).catch((error: unknown) => error)
          return new Promise(() => undefined)
        }),
      )
      .catch((error: unknown) => error)
    await outer.clock.advance(100)
    const killed = await session
    expect(killed).toMatchObject({ limit: 'wallMs' })
    expect(await calling).toBe(killed)
    expect(child?.signal.reason).toBe(killed)
    expect(child?.state).toBe('closed')
    expect(payloadsOf(inner.sink, 'tool_result')).toMatchObject([{ ok: false, effect: 'unknown' }])
    expect(payloadsOf(inner.sink, 'session_end')).toMatchObject([{ outcome: 'killed', in_flight: 1 }])
  })

  test('a count that kills the outer session closes it to the inner one too', async () => {
    const outer = bench({ here }, { budget: { toolCalls: 0 } })
    const inner = bench({ here })
    const end = await killOf(outer.agent, async (root) => {
      const child = inner.agent.open('bob')
      const killed = await root.callTool('here', {}).catch((error: unknown) => error)
      await expect(child.callTool('here', {})).rejects.toBe(killed)
      await expect(child.authorize('here', {})).rejects.toBe(killed)
      expect(() => child.reserve({ usd: 1 })).toThrow(killed as Error)
    })
    expect(end).toMatchObject({ limit: 'toolCalls' })
    expect(recordsOf(inner.sink, 'tool_call')).toEqual([])
  })

  test('ending the outer session stops an inner one that is still open', async () => {
    const { agent, sink } = bench({ here })
    let child: Session | undefined
    let calling: Promise<unknown> | undefined
    const hang = bench({
      hang: defineTool({ inputSchema: anything, execute: () => new Promise(() => undefined) }),
    })
    await agent.session('alice', (root) => {
      const open = hang.agent.open('bob')
      child = open as Session
      calling = open.callTool('hang', {}).catch((error: unknown) => error)
      expect(root.state).toBe('open')
    })
    expect(await calling).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    await expect(child?.callTool('hang', {})).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(child?.signal.aborted).toBe(true)
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'completed' }])
    await turn()
    expect(payloadsOf(hang.sink, 'session_end')).toMatchObject([{ outcome: 'cancelled' }])
  })

  test('the end of the inner session leaves the outer one open', async () => {
    const { agent } = bench({ here }, { budget: { depth: 3, toolCalls: 5 } })
    await agent.session('alice', async (root) => {
      await expect(agent.session('bob', () => Promise.reject(new RangeError('boom')))).rejects.toThrow('boom')
      expect(root.state).toBe('open')
      expect(root.signal.aborted).toBe(false)
      expect(await root.callTool('here', {})).toBe(root.id)
    })
  })
})

test('two agents that share a sink keep their identities apart in one chain', async () => {
  const sink = AuditSink.memory()
  const one = new Agent({ identity: 'one', budget: { denials: 1 }, audit: sink })
  const two = new Agent({ identity: 'two', budget: { denials: 1 }, audit: sink })
  await Promise.all([one.session('alice', () => turn()), two.session('bob', () => turn())])
  const sessions = sink.records.filter(({ session_id }) => session_id !== undefined)
  expect(
    sessions.map(({ agent_identity, invoking_user }) => `${agent_identity} ${invoking_user}`).sort(),
  ).toEqual(['one alice', 'one alice', 'two bob', 'two bob'])
  for (const { principal, agent_identity, session_id } of sessions)
    expect(principal).toBe(`${agent_identity}@${session_id}`)
  await one.close()
  await two.close()
})
