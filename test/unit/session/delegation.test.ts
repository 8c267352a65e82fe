import { describe, expect, test } from 'vitest'
import {
  Agent,
  type AgentOptions,
  type AuditRecord,
  AuditSink,
  BudgetExceeded,
  BudgetReserved,
  defineTool,
  type EventName,
  type Session,
  SessionClosed,
  SessionRevoked,
  type SyncSession,
  type ToolSet,
} from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { rejection, thrown } from '../../support/agents.js'
import { gate, raise, turn } from '../../support/tools.js'

const order = z.object({ orderId: z.number().int() })
const INPUT = { orderId: 7 }
const USAGE = { model: 'm', inputTokens: 0, outputTokens: 0, costUsd: 0 } as const

/** A tool that says that it ran. */
const look = defineTool({ inputSchema: order, execute: ({ orderId }) => orderId })
/** The same, for orders up to 10. */
const lookLow = defineTool({
  inputSchema: order,
  when: ({ orderId }) => orderId <= 10,
  execute: ({ orderId }) => orderId,
})
const pay = defineTool({ inputSchema: order, execute: () => 'paid' })

interface Team {
  readonly clock: FakeClock
  readonly agent: <const Tools extends ToolSet = Record<never, never>>(
    identity: string,
    options?: Partial<AgentOptions<Tools>>,
  ) => Agent<Tools>
  readonly records: () => readonly AuditRecord[]
  readonly payloads: (event: EventName) => readonly Readonly<Record<string, unknown>>[]
}

/** Agents of one log and one clock. */
function team(): Team {
  const clock = fakeClock()
  const audit = AuditSink.memory()
  return {
    clock,
    agent: (identity, options) =>
      new Agent({ identity, budget: { toolCalls: 100 }, audit, clock, ...options }),
    records: () => audit.records,
    payloads: (event) =>
      audit.records.filter((record) => record.event === event).map(({ payload }) => payload),
  }
}

/** Runs a body in a session of either kind that another has delegated; whatever may be a promise is awaited. */
type Kind = 'async' | 'sync'
const KINDS: readonly Kind[] = ['async', 'sync']

type AnyKind = Session<ToolSet> | SyncSession<ToolSet>

interface Chain {
  readonly agents: readonly Agent<ToolSet>[]
  readonly options?: readonly object[]
}

/** What is done in the leaf; whatever may be a promise is yielded. */
type Body = (leaf: AnyKind, path: AnyKind[]) => Generator<unknown, unknown, unknown> | undefined

/** A session of the first agent delegates to the second, and so on; the body runs in the last. */
async function inChain(kind: Kind, chain: Chain, body: Body): Promise<unknown> {
  const [first, ...rest] = chain.agents as [Agent<ToolSet>, ...Agent<ToolSet>[]]
  const options = (index: number): object => chain.options?.[index] ?? {}
  if (kind === 'async') {
    const down = async (s: Session<ToolSet>, path: AnyKind[]): Promise<unknown> => {
      const next = rest[path.length - 1]
      if (next !== undefined)
        return s.delegate(next, options(path.length - 1), (child) => down(child, [...path, child]))
      const steps = body(s, path)
      let step = steps?.next()
      while (steps !== undefined && step?.done === false) {
        const settled = await Promise.allSettled([step.value])
        const [one] = settled
        step = one.status === 'fulfilled' ? steps.next(one.value) : steps.throw(one.reason)
      }
      return step?.value
    }
    return first.session('alice', (s) => down(s, [s]))
  }
  const down = (s: SyncSession<ToolSet>, path: AnyKind[]): unknown => {
    const next = rest[path.length - 1]
    if (next !== undefined)
      return s.delegate(next, options(path.length - 1), (child) => down(child, [...path, child]))
    const steps = body(s, path)
    let step = steps?.next()
    while (steps !== undefined && step?.done === false) step = steps.next(step.value)
    return step?.value
  }
  return first.sessionSync('alice', (s) => down(s, [s]))
}

const untyped = <T>(value: unknown): T => value as T

describe.each(KINDS)('a delegated session (%s)', (kind) => {
  test('belongs to the other agent, for the same user, and says who delegated', async () => {
    const { agent, records, payloads } = team()
    const boss = agent('boss/v1', { tools: { look } })
    const clerk = agent('clerk/v2', { tools: { look } })
    await inChain(
      kind,
      { agents: [untyped(boss), untyped(clerk)], options: [{ task: 'look' }] },
      (leaf, [root]) => {
        expect(leaf.user).toBe('alice')
        expect(leaf.principal).toBe(`clerk/v2@${leaf.id}`)
        expect(leaf.task).toBe('look')
        expect(payloads('session_start')[1]).toMatchObject({
          task: 'look',
          parent_session: root?.id,
          delegated_by: 'boss/v1',
          depth: 1,
        })
        return undefined
      },
    )
    expect(payloads('session_start')[0]).not.toHaveProperty('delegated_by')
    expect(records().filter(({ event }) => event === 'session_start')[1]?.agent_identity).toBe('clerk/v2')
  })

  test('has the least of its own limits, its slice and what is left above, for every limit', async () => {
    const { agent, payloads } = team()
    const boss = agent('boss', {
      budget: { usd: 10, tokens: 100, wallMs: 1000, toolCalls: 5, llmCalls: 4, depth: 3, denials: 2 },
    })
    const clerk = agent('clerk', { budget: { usd: 20, tokens: 50, toolCalls: 9, denials: 9 } })
    await inChain(
      kind,
      { agents: [boss, clerk] as never, options: [{ budget: { usd: 4, llmCalls: 9 } }] },
      (leaf) => {
        expect(leaf.remaining()).toEqual({
          usd: 4,
          tokens: 50,
          wallMs: 1000,
          toolCalls: 5,
          llmCalls: 4,
          depth: 2,
          denials: 2,
        })
        return undefined
      },
    )
    expect(payloads('session_start')[1]?.['limits']).toEqual({
      usd: 4,
      tokens: 50,
      wall_ms: 1000,
      tool_calls: 5,
      llm_calls: 4,
      depth: 2,
      denials: 2,
    })
  })

  test('has no more than what its parent has left then, and dies alone of more', async () => {
    const { agent } = team()
    const boss = agent('boss', { budget: { usd: 1 } })
    const clerk = agent('clerk', { budget: { usd: 10 } })
    const seen: unknown[] = []
    if (kind === 'async') {
      await boss.session('alice', async (s) => {
        s.recordLlm({ ...USAGE, costUsd: 0.75 })
        seen.push(await rejection(s.delegate(clerk, {}, (child) => void child.reserve({ usd: 0.5 }))))
        seen.push(s.state)
      })
    } else {
      boss.sessionSync('alice', (s) => {
        s.recordLlm({ ...USAGE, costUsd: 0.75 })
        seen.push(thrown(() => s.delegate(clerk, {}, (child) => void child.reserve({ usd: 0.5 }))))
        seen.push(s.state)
      })
    }
    expect(seen[0]).toBeInstanceOf(BudgetExceeded)
    expect(seen).toMatchObject([{ limit: 'usd', max: 0.25 }, 'open'])
  })

  test('has nothing where its slice is zero, and neither has anything below', async () => {
    const { agent } = team()
    const boss = agent('boss', { tools: { look } })
    const clerk = agent('clerk', { tools: { look } })
    const end = inChain(
      kind,
      {
        agents: [boss, clerk, clerk] as never,
        options: [{ budget: { toolCalls: 0, usd: 0 } }, { budget: { toolCalls: 5 } }],
      },
      function* (leaf) {
        expect(leaf.remaining()).toMatchObject({ toolCalls: 0, usd: 0 })
        return yield leaf.callTool('look', INPUT)
      },
    )
    expect(await rejection(end)).toMatchObject({ limit: 'toolCalls', max: 0 })
  })

  test('is refused beyond the depth that any session above allows', async () => {
    const { agent } = team()
    const boss = agent('boss', { budget: { depth: 1 } })
    const clerk = agent('clerk', { budget: { toolCalls: 1 } })
    const end = inChain(kind, { agents: [boss, clerk, clerk] as never }, function* () {
      yield expect.fail('too deep')
    })
    expect(await rejection(end)).toMatchObject({ limit: 'depth' })
  })

  test('runs what every grant above allows', async () => {
    const { agent } = team()
    const boss = agent('boss', { tools: { look: lookLow } })
    const clerk = agent('clerk', { tools: { look } })
    expect(
      await inChain(kind, { agents: [boss, clerk] as never }, function* (leaf) {
        return yield leaf.callTool('look', INPUT)
      }),
    ).toBe(7)
  })

  test.each([
    ['has no such tool', { pay }, 'not_registered'],
    ['has a predicate that says no', { look: lookLow }, 'predicate_false'],
    [
      'has a predicate that throws',
      { look: defineTool({ inputSchema: order, when: () => raise(new TypeError('x')), execute: () => 1 }) },
      'predicate_error',
    ],
    [
      'has a schema that refuses',
      { look: defineTool({ inputSchema: z.object({ orderId: z.string() }), execute: () => 1 }) },
      'invalid_input',
    ],
    [
      'has a schema that would call with less',
      { look: defineTool({ inputSchema: z.object({}), execute: () => 1 }) },
      'other_input',
    ],
    [
      'has a schema that would call with more',
      {
        look: defineTool({
          inputSchema: z.object({ orderId: z.number(), note: z.string().default('none') }),
          execute: () => 1,
        }),
      },
      'other_input',
    ],
  ])('is denied a call where the one above %s', async (_what, tools, reason) => {
    const { agent, payloads } = team()
    const boss = agent('boss', { tools: tools as ToolSet })
    const clerk = agent('clerk', { tools: { look: untyped<typeof look>(neverRuns()) } })
    await inChain(kind, { agents: [boss, clerk] as never }, function* (leaf, [root]) {
      const decision = yield leaf.authorize('look', { orderId: 11 })
      expect(decision).toMatchObject({ allowed: false, reason: 'not_granted' })
      const result = yield leaf.dispatch({ name: 'look', input: { orderId: 11 } })
      expect(result).toMatchObject({ ok: false, denial: { reason: 'not_granted' } })
      // The model learns neither whose grant it was nor what it says.
      expect(JSON.stringify(result)).not.toMatch(/boss|predicate|invalid/)
      expect(payloads('tool_denied')).toMatchObject([
        { reason: 'not_granted', refused_by: { session_id: root?.id, agent_identity: 'boss', reason } },
      ])
      expect(leaf.usage()).toMatchObject({ denials: 1, toolCalls: 0 })
    })
  })

  test('is bounded by every one above, not by the next alone', async () => {
    const { agent, payloads } = team()
    const boss = agent('boss', { tools: { look: lookLow } })
    const middle = agent('middle', { tools: { look } })
    const clerk = agent('clerk', { tools: { look: neverRuns() } })
    await inChain(kind, { agents: [boss, middle, clerk] as never }, function* (leaf) {
      yield leaf.dispatch({ name: 'look', input: { orderId: 11 } })
    })
    expect(payloads('tool_denied')).toMatchObject([{ refused_by: { agent_identity: 'boss' } }])
  })

  test('is bounded by the registry its parent was narrowed to', async () => {
    const { agent } = team()
    const boss = agent('boss', { tools: { look, pay } })
    const middle = agent('middle', { tools: { look, pay } })
    const clerk = agent('clerk', { tools: { look, pay: neverRuns() } })
    await inChain(
      kind,
      { agents: [boss, middle, clerk] as never, options: [{ tools: ['look'] }] },
      function* (leaf) {
        expect(yield leaf.callTool('look', INPUT)).toBe(7)
        expect(yield leaf.dispatch({ name: 'pay', input: INPUT })).toMatchObject({
          denial: { reason: 'not_granted' },
        })
      },
    )
  })

  test('runs what a tool of both sides makes of its input', async () => {
    const { agent } = team()
    const parse = defineTool({
      inputSchema: z.object({ orderId: z.string().transform(Number) }),
      when: ({ orderId }) => orderId === 7,
      execute: ({ orderId }) => orderId,
    })
    const agents = ['a', 'b', 'c'].map((name) => agent(name, { tools: { look: parse } }))
    expect(
      await inChain(kind, { agents: agents as never }, function* (leaf) {
        return yield leaf.callTool('look', { orderId: '7' })
      }),
    ).toBe(7)
  })

  test('asks each predicate with the session whose grant it is', async () => {
    const { agent } = team()
    const asked: string[] = []
    const tool = (name: string) =>
      defineTool({
        inputSchema: order,
        when: (_input, { session, callId }) => {
          asked.push(`${name} ${session.principal.split('@')[0]} ${callId.split('.')[1]}`)
          return true
        },
        execute: () => 'ran',
      })
    const agents = ['a', 'b', 'c'].map((name) => agent(name, { tools: { look: tool(name) } }))
    await inChain(kind, { agents: agents as never }, function* (leaf) {
      return yield leaf.callTool('look', INPUT)
    })
    expect(asked).toEqual(['c c 1', 'b b 1', 'a a 1'])
  })

  test('reads an input once, whoever is asked of it', async () => {
    const { agent } = team()
    let reads = 0
    const input = {
      get orderId(): number {
        reads += 1
        return reads === 1 ? 7 : 1000
      },
    }
    const boss = agent('boss', { tools: { look: lookLow } })
    const clerk = agent('clerk', { tools: { look } })
    expect(
      await inChain(kind, { agents: [boss, clerk] as never }, function* (leaf) {
        return yield leaf.callTool('look', input)
      }),
    ).toBe(7)
    expect(reads).toBe(1)
  })

  test('uses up the maxCalls of those above, so that ten helpers do not multiply it', async () => {
    const { agent, payloads } = team()
    const once = defineTool({ inputSchema: order, maxCalls: 1, execute: () => 'ran' })
    const boss = agent('boss', { tools: { look: once } })
    const clerk = agent('clerk', { tools: { look } })
    const results: unknown[] = []
    if (kind === 'async') {
      await boss.session('alice', async (s) => {
        for (let i = 0; i < 3; i++)
          await s.delegate(clerk, {}, async (child) => {
            results.push(await child.dispatch({ name: 'look', input: INPUT }))
            results.push(await child.authorize('look', INPUT))
          })
        expect(await s.authorize('look', INPUT)).toMatchObject({ reason: 'max_calls' })
      })
    } else {
      boss.sessionSync('alice', (s) => {
        for (let i = 0; i < 3; i++)
          s.delegate(clerk, {}, (child) => {
            results.push(child.dispatch({ name: 'look', input: INPUT }))
            results.push(child.authorize('look', INPUT))
          })
        expect(s.authorize('look', INPUT)).toMatchObject({ reason: 'max_calls' })
      })
    }
    expect(results.map((one) => (one as { ok?: boolean }).ok ?? 'asked')).toEqual([
      true,
      'asked',
      false,
      'asked',
      false,
      'asked',
    ])
    expect(results[1]).toMatchObject({ allowed: false, reason: 'not_granted' })
    expect(payloads('tool_denied')).toMatchObject([
      { refused_by: { reason: 'max_calls' } },
      { refused_by: { reason: 'max_calls' } },
    ])
  })

  test('is not opened with a tool that its agent does not have, or nobody can grant', async () => {
    const { agent, payloads } = team()
    const boss = agent('boss', { tools: { look } })
    const clerk = agent('clerk', { tools: { look, pay } })
    const never = (): never => expect.fail('it was opened')
    const errors: unknown[] = []
    if (kind === 'async') {
      await boss.session('alice', async (s) => {
        errors.push(await rejection(s.delegate(clerk, { tools: ['nothing' as never] }, never)))
        errors.push(await rejection(s.delegate(clerk, { tools: ['pay'] }, never)))
      })
    } else {
      boss.sessionSync('alice', (s) => {
        errors.push(thrown(() => s.delegate(clerk, { tools: ['nothing' as never] }, never)))
        errors.push(thrown(() => s.delegate(clerk, { tools: ['pay'] }, never)))
      })
    }
    expect(errors[0]).toBeInstanceOf(TypeError)
    expect(String(errors[0])).toContain('the agent has no tool "nothing"')
    expect(errors[1]).toBeInstanceOf(RangeError)
    expect(String(errors[1])).toContain('boss has no tool pay to grant')
    expect(payloads('session_start')).toHaveLength(1)
  })

  test('cannot be had from something that is no agent, nor from a session that has ended', async () => {
    const { agent } = team()
    const boss = agent('boss')
    const clerk = agent('clerk')
    const pretender = { identity: 'clerk', open: () => expect.fail('it was opened') } as never
    const never = (): never => expect.fail('it was opened')
    if (kind === 'async') {
      let ended!: Session
      await boss.session('alice', async (s) => {
        ended = s
        for (const fake of [pretender, null, 'clerk'] as never[])
          expect(await rejection(s.delegate(fake, {}, never))).toBeInstanceOf(TypeError)
        expect(await rejection(s.delegate(clerk, { depth: 1 } as never, never))).toBeInstanceOf(TypeError)
        expect(await rejection(s.delegate(clerk, {}, 'run' as never))).toBeInstanceOf(TypeError)
      })
      expect(await rejection(ended.delegate(clerk, {}, never))).toBeInstanceOf(SessionClosed)
    } else {
      let ended!: SyncSession
      boss.sessionSync('alice', (s) => {
        ended = s
        for (const fake of [pretender, null, 'clerk'] as never[])
          expect(thrown(() => s.delegate(fake, {}, never))).toBeInstanceOf(TypeError)
        expect(thrown(() => s.delegate(clerk, { depth: 1 } as never, never))).toBeInstanceOf(TypeError)
      })
      expect(thrown(() => ended.delegate(clerk, {}, never))).toBeInstanceOf(SessionClosed)
    }
  })

  test('is charged to every session above, and session_end tells its own from what was below', async () => {
    const { agent, payloads } = team()
    const agents = ['a', 'b', 'c'].map((name) => agent(name, { budget: { usd: 10 } }))
    await inChain(kind, { agents: agents as never }, (_leaf, path) => {
      path.forEach((s, index) => {
        s.recordLlm({ ...USAGE, costUsd: 2 ** -index, inputTokens: 2 ** index })
      })
      return undefined
    })
    expect(payloads('session_end')).toMatchObject([
      { usage: { usd: 0.25, tokens: 4, llm_calls: 1 } },
      { usage: { usd: 0.75, tokens: 6, llm_calls: 2 }, nested: { usd: 0.25, tokens: 4, llm_calls: 1 } },
      { usage: { usd: 1.75, tokens: 7, llm_calls: 3 }, nested: { usd: 0.75, tokens: 6, llm_calls: 2 } },
    ])
    expect(payloads('session_end')[0]).not.toHaveProperty('nested')
  })

  test('can be revoked, with all below it, and their ends are on record at once', async () => {
    const { agent, payloads, records } = team()
    const agents = ['a', 'b', 'c'].map((name) => agent(name, { tools: { look } }))
    const seen: unknown[] = []
    const end = await rejection(
      inChain(kind, { agents: agents as never }, function* (leaf, path) {
        const [root, middle] = path as [AnyKind, AnyKind]
        root.revoke(middle.id)
        seen.push(middle.state, leaf.state, root.state, leaf.signal.aborted)
        seen.push(
          records()
            .filter(({ event }) => event === 'session_end')
            .map(({ agent_identity }) => agent_identity),
        )
        try {
          yield leaf.callTool('look', INPUT)
          seen.push('ran')
        } catch (error) {
          seen.push(error)
        }
        seen.push(thrown(() => root.revoke(middle.id)))
        seen.push(thrown(() => root.revoke(untyped(5))))
      }),
    )
    expect(end).toBeInstanceOf(SessionRevoked)
    await turn()
    expect(seen.slice(0, 5)).toEqual(['closed', 'closed', 'open', true, ['c', 'b']])
    expect(seen[5]).toBe(end)
    expect(String(seen[6])).toMatch(/^RangeError: revoke: no open session ".*" is nested in this one/)
    expect(seen[7]).toBeInstanceOf(RangeError)
    expect(payloads('session_end').slice(0, 2)).toMatchObject([
      { outcome: 'cancelled', reason: { name: 'SessionRevoked', code: 'ERR_SESSION_REVOKED' } },
      { outcome: 'cancelled', reason: { name: 'SessionRevoked', code: 'ERR_SESSION_REVOKED' } },
    ])
  })
})

/** A tool that fails the test when it runs. */
function neverRuns(): typeof look {
  return defineTool({ inputSchema: order, execute: () => expect.fail('the tool ran') }) as never
}

describe('the predicate of the one above', () => {
  const stuck = defineTool({
    inputSchema: order,
    when: () => new Promise<boolean>(() => undefined),
    execute: () => 'never',
  })

  test('that never answers ends at the deadline, and the tool did not run', async () => {
    const { agent, clock, payloads } = team()
    const boss = agent('boss', { budget: { wallMs: 1000 }, tools: { look: stuck } })
    const clerk = agent('clerk', { tools: { look: neverRuns() } })
    const end = rejection(
      boss.session('alice', (s) => s.delegate(clerk, {}, (c) => c.callTool('look', INPUT))),
    )
    await clock.advance(1000)
    expect(await end).toMatchObject({ limit: 'wallMs' })
    expect(payloads('tool_denied')).toMatchObject([{ reason: 'aborted' }])
    expect(payloads('tool_call')).toEqual([])
  })

  test('that never answers ends with the signal of the call', async () => {
    const { agent } = team()
    const boss = agent('boss', { tools: { look: stuck } })
    const clerk = agent('clerk', { tools: { look: neverRuns() } })
    const leaving = new AbortController()
    await boss.session('alice', (s) =>
      s.delegate(clerk, {}, async (child) => {
        const call = rejection(child.callTool('look', INPUT, { signal: leaving.signal }))
        leaving.abort(new RangeError('enough'))
        expect(await call).toBeInstanceOf(RangeError)
      }),
    )
  })

  test('that answers with a promise has not answered in a synchronous session', () => {
    const { agent, payloads } = team()
    const later = defineTool({ inputSchema: order, when: async () => true, execute: () => 'never' })
    const boss = agent('boss', { tools: { look: later } })
    const clerk = agent('clerk', { tools: { look: neverRuns() } })
    boss.sessionSync('alice', (s) =>
      s.delegate(clerk, {}, (child) => {
        expect(child.dispatch({ name: 'look', input: INPUT })).toMatchObject({
          denial: { reason: 'not_granted' },
        })
      }),
    )
    expect(payloads('tool_denied')).toMatchObject([{ refused_by: { reason: 'predicate_error' } }])
  })

  test('is asked with the session as it stands when it has to answer: one that has ended grants nothing', async () => {
    const { agent } = team()
    const slow = gate<boolean>()
    const boss = agent('boss', {
      tools: { look: defineTool({ inputSchema: order, when: () => slow.promise, execute: () => 'never' }) },
    })
    const clerk = agent('clerk', { tools: { look: neverRuns() } })
    const root = boss.open('alice')
    const end = rejection(root.delegate(clerk, {}, (child) => child.callTool('look', INPUT)))
    await turn()
    await root.close()
    slow.open(true)
    expect(await end).toBeInstanceOf(SessionClosed)
  })
})

test('a credential of a delegated session names no tool that a session above it does not have', async () => {
  const { agent, payloads } = team()
  const granted: unknown[] = []
  const credentials = {
    maxTtlMs: 60_000,
    issue: async (grant: { readonly tools: readonly string[] }) => {
      granted.push(grant.tools)
      return 'token'
    },
  }
  const boss = agent('boss', { tools: { look } })
  const clerk = agent('clerk', { tools: { look, pay }, credentials })
  await boss.session('alice', (s) =>
    s.delegate(clerk, {}, async (child) => {
      const ask = { audience: 'https://service.example', ttlMs: 5000 }
      await child.credential(ask)
      expect(await rejection(child.credential({ ...ask, tools: ['pay'] }))).toBeInstanceOf(TypeError)
    }),
  )
  expect(granted).toEqual([['look']])
  expect(payloads('credential_issued')).toMatchObject([{ tools: ['look'] }])
})

describe('who may delegate', () => {
  test('code of one session cannot use the handle of another', async () => {
    const { agent } = team()
    const boss = agent('boss')
    const clerk = agent('clerk')
    const never = (): never => expect.fail('it was opened')
    const other = boss.open('bob')
    await boss.session('alice', async (s) => {
      const error = await rejection(other.delegate(clerk, {}, never))
      expect(String(error)).toContain(`this code runs in session ${s.id}`)
      expect(error).toBeInstanceOf(TypeError)
      await s.delegate(clerk, { budget: { toolCalls: 1 } }, async (child) => {
        // The child's code with its parent's handle would leave the child's slice behind.
        expect(await rejection(s.delegate(clerk, {}, never))).toBeInstanceOf(TypeError)
        // With the handle of what is nested in it, it stays within its own.
        await child.delegate(clerk, {}, () => undefined)
      })
      boss.sessionSync('bob', (inner) => {
        expect(inner.delegate(clerk, {}, () => 'opened')).toBe('opened')
      })
    })
    expect(await other.delegate(clerk, {}, () => 'opened')).toBe('opened')
    await other.close()
  })

  test('a tool delegates from the session that called it', async () => {
    const { agent, payloads } = team()
    const clerk = agent('clerk', { tools: { look } })
    const boss = agent('boss', {
      tools: {
        look,
        ask: defineTool({
          inputSchema: order,
          execute: (input, { session }) =>
            (session as Session).delegate(clerk, {}, (child) => child.callTool('look', input)),
        }),
      },
    })
    expect(await boss.session('alice', (s) => s.callTool('ask', INPUT))).toBe(7)
    expect(payloads('session_start')[1]).toMatchObject({ delegated_by: 'boss' })
  })

  test('a session that is opened, not delegated, has its own tools, and hands them on', async () => {
    const { agent } = team()
    const boss = agent('boss', { tools: { look } })
    const clerk = agent('clerk', { tools: { look } })
    const cashier = agent('cashier', { tools: { pay } })
    await boss.session('alice', (s) =>
      s.delegate(clerk, {}, () =>
        cashier.session('alice', async (opened) => {
          expect(await opened.callTool('pay', INPUT)).toBe('paid')
          await opened.delegate(cashier, {}, async (child) => {
            expect(await child.callTool('pay', INPUT)).toBe('paid')
          })
        }),
      ),
    )
  })
})

describe('the end of a parent', () => {
  /** A parent of either kind of opening with three children, one of them two levels down, all waiting. */
  async function family(how: 'session' | 'open') {
    const { agent, records, payloads, clock } = team()
    const stuck = defineTool({ inputSchema: order, execute: () => new Promise<never>(() => undefined) })
    const boss = agent('boss', { budget: { usd: 1, wallMs: 1000 }, tools: { stuck } })
    const clerk = agent('clerk', { budget: { usd: 5 }, tools: { stuck } })
    const children: Session[] = []
    const errors: unknown[] = []
    const wait = async (s: Session, child: Session): Promise<void> => {
      children.push(child)
      await (child as Session<{ stuck: typeof stuck }>).callTool('stuck', INPUT)
      expect.fail(`it went on after ${s.id}`)
    }
    const run = (s: Session): Promise<unknown> =>
      Promise.all([
        s.delegate(clerk, {}, (c) => wait(s, c as never)).catch((e) => errors.push(e)),
        s
          .delegate(clerk, {}, (c) => c.delegate(clerk, {}, (d) => wait(s, d as never)))
          .catch((e) => errors.push(e)),
        s
          .delegate(clerk, {}, (c) => {
            children.push(c as never)
            return clerk.open('alice') && new Promise(() => undefined)
          })
          .catch((e) => errors.push(e)),
      ])
    let root!: Session
    let end: Promise<unknown> | undefined
    if (how === 'open') {
      root = boss.open('alice')
      void run(root)
    } else {
      end = boss
        .session('alice', (s) => {
          root = s
          return run(s)
        })
        .catch((e: unknown) => e)
    }
    await turn()
    expect(children).toHaveLength(3)
    return { root, end, children, errors, clock, records, payloads, boss }
  }

  /** Sessions by the order of their ends: nothing ends after what it is nested in. */
  function expectChildrenFirst(records: readonly AuditRecord[]): void {
    const ends = records.filter(({ event }) => event === 'session_end').map(({ session_id }) => session_id)
    const starts = records.filter(({ event }) => event === 'session_start')
    expect(ends).toHaveLength(starts.length)
    for (const { session_id, payload } of starts) {
      const parent = payload['parent_session']
      if (parent !== undefined) expect(ends.indexOf(session_id)).toBeLessThan(ends.indexOf(parent as string))
    }
  }

  test.each(['session', 'open'] as const)('by a limit kills all below it (%s)', async (how) => {
    const { root, end, children, errors, records } = await family(how)
    expect(thrown(() => root.recordLlm({ ...USAGE, costUsd: 2 }))).toBeInstanceOf(BudgetExceeded)
    await turn()
    for (const child of children) {
      expect(child.state).toBe('closed')
      expect(child.signal.aborted).toBe(true)
    }
    expect(errors).toHaveLength(3)
    for (const error of errors) expect(error).toMatchObject({ limit: 'usd', max: 1 })
    if (end !== undefined) expect(await end).toMatchObject({ limit: 'usd' })
    expectChildrenFirst(records())
  })

  test.each(['session', 'open'] as const)(
    'by a child that breaks its limit does the same (%s)',
    async (how) => {
      const { children, errors, records, root } = await family(how)
      root.reserve({ usd: 0.5 }).settle({ usd: 0.5 })
      expect(thrown(() => children[0]?.recordLlm({ ...USAGE, costUsd: 0.75 }))).toMatchObject({ max: 1 })
      await turn()
      expect(root.state).toBe('closed')
      expect(errors).toHaveLength(3)
      expectChildrenFirst(records())
    },
  )

  test.each(['session', 'open'] as const)('by its deadline does the same (%s)', async (how) => {
    const { children, errors, clock, records } = await family(how)
    await clock.advance(1000)
    await turn()
    expect(children.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed'])
    for (const error of errors) expect(error).toMatchObject({ limit: 'wallMs' })
    expectChildrenFirst(records())
  })

  test('by its being closed, or its agent, does the same', async () => {
    for (const close of ['session', 'agent'] as const) {
      const { root, boss, children, errors, records } = await family('open')
      await (close === 'session' ? root.close() : boss.close())
      await turn()
      expect(children.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed'])
      for (const error of errors) expect(error).toBeInstanceOf(SessionClosed)
      expectChildrenFirst(records())
    }
  })

  test('comes after that of a child whose synchronous call broke the outer limit', async () => {
    const { agent, records } = team()
    const boss = agent('boss', { budget: { usd: 1 } })
    const clerk = agent('clerk', { budget: { usd: 5 } })
    await rejection(
      boss.session('alice', async () => {
        await turn()
        return clerk.session('alice', (child) => child.recordLlm({ ...USAGE, costUsd: 2 }))
      }),
    )
    await turn()
    expectChildrenFirst(records())
    const ends = records().filter(({ event }) => event === 'session_end')
    expect(ends.map(({ agent_identity }) => agent_identity)).toEqual(['clerk', 'boss'])
  })

  test('revoking a child aborts its calls and rejects its delegation, and spares its siblings', async () => {
    const { root, children, errors, payloads } = await family('open')
    const [first] = children as [Session]
    root.revoke(first.id)
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, error: { name: 'SessionRevoked' }, effect: 'unknown' },
    ])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'cancelled', in_flight: 1 }])
    await turn()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(SessionRevoked)
    expect(children.map(({ state }) => state)).toEqual(['closed', 'open', 'open'])
    expect(root.state).toBe('open')
    await root.close()
  })

  test('rejects delegations that nobody waits for without a word, however it ended', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', note)
    try {
      const { agent } = team()
      const boss = agent('boss', { budget: { usd: 1 } })
      const clerk = agent('clerk', { budget: { usd: 1 } })
      const wait = (): Promise<never> => new Promise(() => undefined)
      await boss.session('alice', (s) => void s.delegate(clerk, {}, wait))
      await rejection(
        boss.session('alice', (s) => {
          void s.delegate(clerk, {}, wait)
          s.recordLlm({ ...USAGE, costUsd: 2 })
        }),
      )
      await turn()
      expect(unhandled).toEqual([])
      // What failed by itself is nobody else's to tell.
      await boss.session('alice', async (s) => {
        void s.delegate(clerk, {}, () => raise(new RangeError('of the child')))
        await turn()
      })
      expect(unhandled).toMatchObject([{ message: 'of the child' }])
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const other of others) process.on('unhandledRejection', other)
    }
  })

  test('revoking reaches only what is nested in the session', async () => {
    const { agent } = team()
    const boss = agent('boss')
    const clerk = agent('clerk')
    const other = boss.open('bob')
    await boss.session('alice', (s) =>
      s.delegate(clerk, {}, (child) => {
        for (const [who, id] of [
          [child, s.id],
          [s, s.id],
          [s, other.id],
          [other, child.id],
        ] as const)
          expect(thrown(() => who.revoke(id))).toBeInstanceOf(RangeError)
        expect([s.state, child.state, other.state]).toEqual(['open', 'open', 'open'])
      }),
    )
    await other.close()
  })
})

describe('siblings on one budget', () => {
  test('fifty in parallel hold what fits and no more', async () => {
    const { agent } = team()
    const boss = agent('boss', { budget: { usd: 1 } })
    const worker = agent('worker', { budget: { usd: 1 } })
    const open = gate()
    let running = 0
    await boss.session('alice', async (s) => {
      const all = Array.from({ length: 50 }, () =>
        s.delegate(worker, {}, async (child) => {
          await turn()
          return child.callLlm(
            { model: 'm', maxUsd: 0.3 },
            () => {
              running += 1
              return open.promise
            },
            () => ({ ...USAGE, costUsd: 0.3 }),
          )
        }),
      )
      const settled = Promise.allSettled(all)
      await turn()
      await turn()
      expect(running).toBe(3)
      expect(s.remaining().usd).toBe(0.1)
      open.open()
      const refused = (await settled).filter((one) => one.status === 'rejected')
      expect(refused).toHaveLength(47)
      for (const one of refused) expect(one.reason).toBeInstanceOf(BudgetReserved)
      expect(s.usage().usd).toBe(0.9)
    })
  })
})
