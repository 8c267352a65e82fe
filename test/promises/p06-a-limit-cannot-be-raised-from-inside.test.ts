import { describe, expect, test } from 'vitest'
import {
  Agent,
  type AgentOptions,
  AuditSink,
  type Budget,
  type BudgetExceeded,
  defineTool,
  type LimitName,
  type Session,
  type StandardSchema,
  ToolNotPermitted,
} from 'writ'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { clean, pollute } from '../support/tools.js'

const USAGE = { model: 'm', inputTokens: 0, outputTokens: 0, costUsd: 0 } as const

const add = defineTool({
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => a + b,
})
const INPUT = { a: 1, b: 2 }

/** Calls with options that no compiler would let through. */
function untyped<T>(value: unknown): T {
  return value as T
}

describe('what happens to the options after the agent was made changes nothing:', () => {
  test('to the budget', async () => {
    const budget: { -readonly [L in keyof Budget]: Budget[L] } = { usd: 1, toolCalls: 0 }
    const { agent } = bench({ budget, tools: { add } })
    budget.usd = 1000
    budget.toolCalls = 1000
    Reflect.deleteProperty(budget, 'usd')
    expect(
      await rejection(agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 1.01 }))),
    ).toMatchObject({ limit: 'usd', max: 1 })
    expect(await rejection(agent.session('alice', (s) => s.callTool('add', INPUT)))).toMatchObject({
      limit: 'toolCalls',
      max: 0,
    })
  })

  test('to the budget during a session', async () => {
    const budget = { usd: 1 }
    const { agent } = bench({ budget: { usd: 10 } })
    const outcome = await rejection(
      agent.session(
        'alice',
        (s) => {
          budget.usd = 10
          expect(s.remaining().usd).toBe(1)
          s.recordLlm({ ...USAGE, costUsd: 1.01 })
        },
        { budget },
      ),
    )
    expect(outcome).toMatchObject({ limit: 'usd', max: 1 })
  })

  test('to the tools', async () => {
    const tools: Record<string, typeof add> = { add }
    const { agent } = bench({ budget: { toolCalls: 10 }, tools })
    tools['extra'] = add
    tools['add'] = untyped(
      defineTool({ inputSchema: z.object({}), execute: () => expect.fail('it was swapped') }),
    )
    await agent.session('alice', async (s) => {
      expect(await s.callTool('add', INPUT)).toBe(3)
      expect(await rejection(s.callTool('extra', INPUT))).toMatchObject({ reason: 'not_registered' })
    })
  })

  test('to the names of the tools of one session', async () => {
    const names: 'add'[] = []
    const { agent } = bench({ budget: { toolCalls: 10 }, tools: { add } })
    await agent.session(
      'alice',
      async (s) => {
        names.push('add')
        expect(await rejection(s.callTool('add', INPUT))).toMatchObject({ reason: 'not_registered' })
      },
      { tools: names },
    )
  })

  test('to the definition of a tool, its predicate, its limits and its schema', async () => {
    const schema: { '~standard': StandardSchema['~standard'] } = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          (value as { ok?: unknown }).ok === true ? { value } : { issues: [{ message: 'no' }] },
      },
    }
    const definition = {
      inputSchema: schema,
      when: () => false,
      maxCalls: 0,
      execute: () => expect.fail('it ran'),
    }
    const tool = defineTool(definition)
    expect(Object.isFrozen(tool)).toBe(true)
    const { agent } = bench({ budget: { toolCalls: 10 }, tools: { tool, literal: definition } as never })
    Object.assign(definition, { when: () => true, maxCalls: 10, execute: () => 'swapped' })
    Object.assign(schema['~standard'], { validate: (value: unknown) => ({ value }) })
    await agent.session('alice', async (s: Session) => {
      for (const name of ['tool', 'literal']) {
        expect(await rejection(s.callTool(name, { ok: true }))).toMatchObject({ reason: 'predicate_false' })
        expect(await rejection(s.callTool(name, { ok: false }))).toMatchObject({ reason: 'invalid_input' })
      }
    })
  })

  test('to the prices, be they a table or a source', async () => {
    const dear = { inputUsdPerMTok: 1_000_000, outputUsdPerMTok: 1_000_000 }
    const free = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
    class Catalogue {
      readonly name = 'catalogue'
      price = () => dear
    }
    const table = { m: { ...dear } }
    const literal = { name: 'catalogue', price: () => dear }
    const instance = new Catalogue()
    const agents = [table, literal, instance].map((prices) => bench({ budget: { usd: 1 }, prices }).agent)
    Object.assign(table.m, free)
    Object.assign(table, { m: free })
    literal.price = () => free
    instance.price = () => free
    for (const agent of agents) {
      const outcome = await rejection(
        agent.session('alice', (s) => s.recordLlm({ model: 'm', inputTokens: 2, outputTokens: 0 })),
      )
      expect(outcome).toMatchObject({ limit: 'usd', used: 2, max: 1 })
    }
  })

  test('to the identity, the audit sink and the options object itself', async () => {
    const sink = AuditSink.memory()
    const options: {
      -readonly [K in keyof AgentOptions<Record<never, never>>]: AgentOptions<Record<never, never>>[K]
    } = { identity: 'honest/v1', budget: { usd: 1 }, audit: sink }
    const agent = new Agent(options)
    const before = sink.records.length
    options.identity = 'other/v2'
    options.budget = { usd: 1000 }
    options.audit = AuditSink.memory()
    await rejection(agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 2 })))
    expect(sink.records.slice(before).map((record) => record.agent_identity)).toEqual(
      Array.from({ length: 4 }, () => 'honest/v1'),
    )
    expect(sink.records.at(-1)).toMatchObject({ payload: { outcome: 'killed' } })
  })
})

describe('options are read once, so that a getter cannot change its answer:', () => {
  /** Answers `first`, and then something else for ever. */
  function wavering(name: string, first: unknown, then: unknown): object {
    let reads = 0
    return Object.defineProperty({}, name, {
      enumerable: true,
      get: () => {
        reads += 1
        return reads === 1 ? first : then
      },
    })
  }

  test.each([
    ['a higher one', 1000],
    ['none', undefined],
    ['one that is no number', Number.NaN],
  ])('a limit that becomes %s', async (_what, then) => {
    const { agent } = bench({ budget: wavering('usd', 1, then) })
    const outcome = await rejection(agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 1.01 })))
    expect(outcome).toMatchObject({ limit: 'usd', max: 1 })
  })

  test('the budget of a session', async () => {
    const { agent } = bench({ budget: { usd: 10 } })
    const options = wavering('budget', { usd: 1 }, undefined)
    const outcome = await rejection(
      agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 1.01 }), options),
    )
    expect(outcome).toMatchObject({ limit: 'usd', max: 1 })
  })

  test('the predicate of a tool', async () => {
    const wavers = Object.defineProperties(
      { inputSchema: z.object({}), execute: (): never => expect.fail('it ran') },
      Object.getOwnPropertyDescriptors(
        wavering(
          'when',
          () => false,
          () => true,
        ),
      ),
    )
    const { agent } = bench({ budget: { toolCalls: 1 }, tools: { wavers: defineTool(wavers) } })
    await agent.session('alice', async (s) => {
      expect(await rejection(s.callTool('wavers', {}))).toMatchObject({ reason: 'predicate_false' })
    })
  })

  test('usage that is reported', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const reported = Object.defineProperties(
      { model: 'm', inputTokens: 0, outputTokens: 0 },
      Object.getOwnPropertyDescriptors(wavering('costUsd', 2, 0)),
    )
    expect(await rejection(agent.session('alice', (s) => s.recordLlm(reported)))).toMatchObject({ used: 2 })
  })
})

describe('what a session gives out is a snapshot, frozen:', () => {
  test('usage and what remains', async () => {
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', (s) => {
      const usage = s.usage()
      const remaining = s.remaining()
      expect(Object.isFrozen(usage)).toBe(true)
      expect(Object.isFrozen(remaining)).toBe(true)
      expect(Reflect.set(remaining, 'usd', 1000)).toBe(false)
      s.recordLlm({ ...USAGE, costUsd: 1 })
      expect(usage.usd).toBe(0)
      expect(remaining.usd).toBe(1)
      expect(s.remaining().usd).toBe(0)
      expect(s.usage()).not.toBe(usage)
    })
  })

  test('the usage inside an error', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const error = await rejection(agent.session('alice', (s) => s.recordLlm({ ...USAGE, costUsd: 2 })))
    expect(Object.isFrozen((error as BudgetExceeded).usage)).toBe(true)
    expect((error as BudgetExceeded).usage).toMatchObject({ usd: 2 })
  })

  test('decisions and denials', async () => {
    const { agent } = bench({ budget: { denials: 10 }, tools: { add } })
    await agent.session('alice', async (s) => {
      expect(Object.isFrozen(await s.authorize('add', INPUT))).toBe(true)
      expect(Object.isFrozen(await s.authorize('unheard-of', {}))).toBe(true)
      const result = await s.dispatch({ name: 'unheard-of', input: {} })
      expect(result.ok ? undefined : Object.isFrozen(result.denial)).toBe(true)
    })
  })

  test('and its state cannot be set, nor anything inside it reached', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', (s) => {
      expect(Reflect.ownKeys(s)).toEqual([])
      for (const name of ['state', 'signal', 'id', 'principal', 'user']) {
        expect(Reflect.set(s, name, 'forged')).toBe(false)
      }
    })
  })

  test('the schemas of the tools that are shown to a model', () => {
    const { agent } = bench({ budget: { toolCalls: 1 }, tools: { add } })
    const [shown] = agent.toolSchemas('mcp')
    Object.assign(shown as object, { name: 'other' })
    Object.assign((shown as { inputSchema: object }).inputSchema, { properties: {} })
    expect(agent.toolSchemas('mcp')).toMatchObject([
      { name: 'add', inputSchema: { properties: { a: { type: 'number' }, b: { type: 'number' } } } },
    ])
  })
})

const LIMITS: readonly LimitName[] = ['usd', 'tokens', 'wallMs', 'toolCalls', 'llmCalls', 'depth', 'denials']

describe('a session can only narrow', () => {
  test.each(LIMITS)('%s', async (limit) => {
    const { agent, payloads } = bench({ budget: { [limit]: 1 } })
    const error = await rejection(
      agent.session('alice', () => expect.fail('it was opened'), { budget: { [limit]: 2 } }),
    )
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({
      message: expect.stringContaining(`budget.${limit}: 2 is above the agent's 1`),
    })
    expect(thrown(() => agent.open('alice', { budget: { [limit]: 2 } }))).toBeInstanceOf(RangeError)
    expect(thrown(() => agent.sessionSync('alice', () => 1, { budget: { [limit]: 2 } }))).toBeInstanceOf(
      RangeError,
    )
    expect(payloads('session_start')).toEqual([])
    const s = agent.open('alice', { budget: { [limit]: 0 } })
    expect(s.remaining()[limit]).toBe(0)
    await s.close()
  })

  test('its tools, to some of those that the agent has', async () => {
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { add, subtract: add } })
    await agent.session(
      'alice',
      async (s) => {
        expect(await s.callTool('add', INPUT)).toBe(3)
        expect(await rejection(s.callTool('subtract', INPUT))).toBeInstanceOf(ToolNotPermitted)
      },
      { tools: ['add'] },
    )
    for (const tools of [['unheard-of'], ['add', 'toString'], [5], 'add', { add: true }, null]) {
      const error = await rejection(
        agent.session('alice', () => expect.fail('it was opened'), { tools: untyped<'add'[]>(tools) }),
      )
      expect(error).toBeInstanceOf(TypeError)
    }
  })

  test('with what it leaves out staying as it is', async () => {
    const { agent } = bench({ budget: { usd: 5, toolCalls: 3 } })
    await agent.session(
      'alice',
      (s) => {
        expect(s.remaining()).toEqual({ usd: 1, tokens: 7, toolCalls: 3 })
      },
      { budget: { usd: 1, tokens: 7 } },
    )
  })

  test('and not by opening another session inside, of whichever agent', async () => {
    const rich = bench({ budget: { usd: 1000, toolCalls: 1000, llmCalls: 1000 }, tools: { add } })
    const poor = bench({ budget: { usd: 1, toolCalls: 1, llmCalls: 5 } })
    const outcome = await rejection(
      poor.agent.session('alice', () =>
        rich.agent.session('alice', async (s) => {
          expect(s.remaining()).toEqual({ usd: 1, toolCalls: 1, llmCalls: 5 })
          await s.callTool('add', INPUT)
          expect(await rejection(s.callTool('add', INPUT))).toMatchObject({ limit: 'toolCalls', max: 1 })
        }),
      ),
    )
    expect(outcome).toMatchObject({ limit: 'toolCalls', max: 1 })
  })
})

describe('an unknown option is refused', () => {
  const make = (options: object): unknown =>
    new Agent(untyped<never>({ identity: 'a', budget: { usd: 1 }, audit: AuditSink.memory(), ...options }))
  const { agent } = bench({ budget: { usd: 1, toolCalls: 5 }, tools: { add } })

  test.each([
    ['of an agent', () => make({ budgets: { usd: 1 } })],
    ['of an agent, although it is undefined', () => make({ limit: undefined })],
    ['of an agent, by a symbol', () => make({ [Symbol('budget')]: 1 })],
    ['of a budget', () => make({ budget: { usd: 1, tool_calls: 5 } })],
    ['of a budget, by its case', () => make({ budget: { USD: 1 } })],
    ['of a price', () => make({ prices: { m: { inputUsdPerMTok: 1, outputUsdPerMTok: 1, usd: 1 } } })],
    [
      'of a tool',
      () => defineTool(untyped<never>({ inputSchema: z.object({}), execute: () => 1, allow: true })),
    ],
    ['of a tool that is given as a literal', () => make({ tools: { add: { ...add, timeout: 5 } } })],
    ['of a session', () => agent.open('alice', untyped({ limits: { usd: 5 } }))],
    ['of a session with a callback', () => agent.session('alice', () => 1, untyped({ budgets: {} }))],
    ['of a synchronous session', () => agent.sessionSync('alice', () => 1, untyped({ budgets: {} }))],
    ['of an agent from the environment', () => Agent.fromEnv(untyped<never>({ limits: {} }), {})],
    ['of a memory sink', () => AuditSink.memory(untyped({ max: 5 }))],
  ])('%s', async (_what, attempt) => {
    expect(await rejection((async () => attempt())())).toBeInstanceOf(TypeError)
  })

  test.each([
    ['of a tool call', (s: Session) => s.callTool('add', INPUT, untyped({ timeout: 5 }))],
    ['of a dispatch', (s: Session) => s.dispatch(untyped({ name: 'add', input: INPUT, force: true }))],
    [
      'of the options of a dispatch',
      (s: Session) => s.dispatch({ name: 'add', input: INPUT }, untyped({ ms: 5 })),
    ],
    [
      'of a model call',
      (s: Session) =>
        s.callLlm(
          untyped({ model: 'm', max: 5 }),
          () => 1,
          () => USAGE,
        ),
    ],
    ['of a reservation', (s: Session) => s.reserve(untyped({ usd: 0, dollars: 5 }))],
  ])('%s, and nothing runs', async (_what, attempt) => {
    const opened = agent.open('alice') as unknown as Session
    expect(await rejection((async () => attempt(opened))())).toBeInstanceOf(TypeError)
    expect(opened.usage()).toMatchObject({ toolCalls: 0, llmCalls: 0 })
    await opened.close()
  })
})

describe('limits do not come from a prototype:', () => {
  test('a budget that inherits its limits is none', () => {
    const budget = Object.create({ usd: 1000 }) as Budget
    expect(thrown(() => bench({ budget }))).toBeInstanceOf(TypeError)
  })

  test('a polluted Object.prototype lends neither limits nor usage', async () => {
    const { agent } = bench({ budget: { usd: 1 }, tools: { add } })
    const members = { usd: 1000, tokens: 0, costUsd: 0, budget: { usd: 1000 }, tools: [], maxUsd: 0 }
    pollute(members)
    try {
      const outcome = await rejection(
        agent.session(
          'alice',
          (s) => {
            expect(Object.keys(s.remaining())).toEqual(['usd'])
            s.reserve({ tokens: 5 }).release()
            s.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 1.5 })
          },
          { task: 'a session of its own options' },
        ),
      )
      expect(outcome).toMatchObject({ limit: 'usd', used: 1.5, max: 1 })
    } finally {
      clean(members)
    }
  })
})

describe('0 means zero:', () => {
  test('usd', async () => {
    const { agent } = bench({ budget: { usd: 0 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        s.recordLlm(USAGE)
        s.reserve({ usd: 0 }).release()
        s.recordLlm({ ...USAGE, costUsd: 0.000_000_001 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', used: 1e-9, max: 0 })
  })

  test('tokens', async () => {
    const { agent } = bench({ budget: { tokens: 0 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        s.recordLlm(USAGE)
        s.recordLlm({ ...USAGE, outputTokens: 1 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'tokens', used: 1, max: 0 })
  })

  test('wallMs', async () => {
    const { agent } = bench({ budget: { wallMs: 0 } })
    expect(await rejection(agent.session('alice', () => 1))).toMatchObject({ limit: 'wallMs', max: 0 })
  })

  test.each([
    ['toolCalls', (s: Session) => s.callTool('add', INPUT)],
    [
      'llmCalls',
      (s: Session) =>
        s.callLlm(
          { model: 'm' },
          () => expect.fail('it was called'),
          () => USAGE,
        ),
    ],
    ['denials', (s: Session) => s.dispatch({ name: 'unheard-of', input: {} })],
  ] as const)('%s', async (limit, attempt) => {
    const { agent, payloads } = bench({ budget: { [limit]: 0 }, tools: { add } })
    const outcome = await rejection(agent.session('alice', (s) => attempt(s as unknown as Session)))
    expect(outcome).toMatchObject({ limit, used: 0, max: 0 })
    expect(payloads('tool_call')).toEqual([])
  })

  test('depth', async () => {
    const { agent } = bench({ budget: { depth: 0 } })
    const outcome = await rejection(
      agent.session('alice', () => agent.session('bob', () => expect.fail('it was opened'))),
    )
    expect(outcome).toMatchObject({ limit: 'depth', used: 0, max: 0 })
  })

  test('maxCalls of a tool', async () => {
    const never = defineTool({ inputSchema: z.object({}), maxCalls: 0, execute: () => expect.fail('it ran') })
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { never } })
    await agent.session('alice', async (s) => {
      expect(await rejection(s.callTool('never', {}))).toMatchObject({ reason: 'max_calls' })
    })
  })

  test('and an absent limit is none', async () => {
    const { agent } = bench({ budget: { llmCalls: 1 }, tools: { add } })
    await agent.session('alice', async (s) => {
      expect(s.remaining()).toEqual({ llmCalls: 1 })
      s.recordLlm({ model: 'm', inputTokens: 2 ** 50, outputTokens: 0, costUsd: 9_000_000 })
      for (let call = 0; call < 100; call++) await s.callTool('add', INPUT)
      for (let call = 0; call < 100; call++) await s.dispatch({ name: 'unheard-of', input: {} })
    })
  })
})

describe('exactly the limit is allowed, and one more is not:', () => {
  test.each([
    ['usd', { usd: 0.3 }, (s: Session) => s.recordLlm({ ...USAGE, costUsd: 0.1 })],
    ['tokens', { tokens: 3 }, (s: Session) => s.recordLlm({ ...USAGE, inputTokens: 1 })],
    ['toolCalls', { toolCalls: 3 }, (s: Session) => s.callTool('add', INPUT)],
    ['llmCalls', { llmCalls: 3 }, (s: Session) => s.recordLlm(USAGE)],
    ['denials', { denials: 3 }, (s: Session) => s.dispatch({ name: 'unheard-of', input: {} })],
  ] as const)('%s', async (limit, budget, spend) => {
    const { agent } = bench({ budget, tools: { add } })
    const outcome = await rejection(
      agent.session('alice', async (session) => {
        const s = session as unknown as Session
        for (let time = 0; time < 3; time++) await spend(s)
        expect(s.remaining()[limit]).toBe(0)
        expect(s.state).toBe('open')
        await spend(s)
      }),
    )
    expect(outcome).toMatchObject({ limit })
  })

  test('depth', async () => {
    const { agent } = bench({ budget: { depth: 2 } })
    let deepest = 0
    const nest = (level: number): Promise<unknown> =>
      agent.session('alice', (s) => {
        deepest = level
        expect(s.remaining().depth).toBe(2 - level)
        return nest(level + 1)
      })
    expect(await rejection(nest(0))).toMatchObject({ limit: 'depth', used: 2, max: 2 })
    expect(deepest).toBe(2)
  })
})

describe('a session cannot be changed by what it is handed to:', () => {
  test('a tool cannot replace a method of the session', async () => {
    const rewire = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { session }) => {
        Object.assign(session, { recordLlm: () => undefined })
      },
    })
    const { agent } = bench({ budget: { usd: 1 }, tools: { rewire } })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        await rejection(s.callTool('rewire', {}))
        s.recordLlm({ ...USAGE, costUsd: 1.01 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', max: 1 })
  })

  test('nor in a synchronous session', () => {
    const rewire = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { session }) => {
        Object.assign(session, { recordLlm: () => undefined })
      },
    })
    const { agent } = bench({ budget: { usd: 1 }, tools: { rewire } })
    const outcome = thrown(() =>
      agent.sessionSync('alice', (s) => {
        thrown(() => s.callTool('rewire', {}))
        s.recordLlm({ ...USAGE, costUsd: 1.01 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', max: 1 })
  })
})
