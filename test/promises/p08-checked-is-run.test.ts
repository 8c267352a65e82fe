/**
 * Promise 8: what was checked is what runs. The input is copied and deep-frozen, and that same object goes
 * to predicate, log and tool: getters, proxies, `toJSON`, prototype pollution and mutation change nothing.
 */
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { Agent, AuditSink, defineTool, type Session, type StandardSchema, type ToolSet } from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import {
  anything,
  bench,
  clean,
  gate,
  payloadsOf,
  pollute,
  reasonsOf,
  schemaOf,
  withPollution,
} from '../support/tools.js'

interface Amount {
  readonly amount: number
}

const amount: StandardSchema<Amount> = schemaOf((value) => {
  const given = value as Partial<Amount> | undefined
  return typeof given?.amount === 'number'
    ? { value }
    : { issues: [{ message: 'no amount', path: ['amount'] }] }
}) as StandardSchema<Amount>

/** A tool that keeps what each of its parts was handed. */
function spy(schema: StandardSchema = anything) {
  const seen = {
    schema: [] as unknown[],
    when: [] as unknown[],
    redact: [] as unknown[],
    execute: [] as unknown[],
  }
  const pay = defineTool({
    inputSchema: schemaOf((value) => {
      seen.schema.push(value)
      return schema['~standard'].validate(value)
    }),
    when: (input) => {
      seen.when.push(input)
      return true
    },
    redact: (input) => {
      seen.redact.push(input)
      return input
    },
    execute: (input) => {
      seen.execute.push(input)
      return 'paid'
    },
  })
  return { seen, ...bench<ToolSet>({ pay }) }
}

const call = (s: Session, input: unknown): Promise<unknown> => s.callTool('pay', input)

describe('an input is read once', () => {
  test('a getter that answers 1 and then a billion: every part sees 1', async () => {
    const { agent, sink, seen } = spy(amount)
    let reads = 0
    const input = {
      get amount(): number {
        reads += 1
        return reads === 1 ? 1 : 1e9
      },
    }
    await agent.session('alice', (s) => call(s, input))
    expect(reads).toBe(1)
    expect(seen).toEqual({
      schema: [{ amount: 1 }],
      when: [{ amount: 1 }],
      redact: [{ amount: 1 }],
      execute: [{ amount: 1 }],
    })
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: { amount: 1 } }])
  })

  test('a proxy: no trap runs once the schema is asked, and each member is read once', async () => {
    const traps: string[] = []
    const watched = (target: object): object =>
      new Proxy(target, {
        get: (_target, name, receiver) => {
          traps.push(`get ${String(name)}`)
          return Reflect.get(target, name, receiver)
        },
        ownKeys: () => {
          traps.push('ownKeys')
          return Reflect.ownKeys(target)
        },
        has: (_target, name) => {
          traps.push('has')
          return Reflect.has(target, name)
        },
        getPrototypeOf: () => {
          traps.push('getPrototypeOf')
          return Object.prototype
        },
      })
    let atSchema = -1
    const pay = defineTool({
      inputSchema: schemaOf((value) => {
        atSchema = traps.length
        return { value }
      }),
      when: async (input) => (input as { to: unknown[] }).to.length === 2,
      redact: (input) => input,
      execute: (input) => JSON.stringify(input),
    })
    const { agent } = bench({ pay })
    const input = watched({ amount: 1, to: watched(['alice', 'bob']), memo: watched({ text: 'x' }) })
    expect(await agent.session('alice', (s) => s.callTool('pay', input))).toBe(
      '{"amount":1,"to":["alice","bob"],"memo":{"text":"x"}}',
    )
    expect(traps).toHaveLength(atSchema)
    expect(traps.filter((trap) => trap === 'get amount')).toHaveLength(1)
    expect(traps.filter((trap) => trap === 'get 0')).toHaveLength(1)
    expect(traps.filter((trap) => trap === 'get text')).toHaveLength(1)
  })

  test('what the schema returns is copied too: a getter in it cannot answer twice', async () => {
    let reads = 0
    const lying = schemaOf(() => ({
      value: {
        get amount(): number {
          reads += 1
          return reads === 1 ? 1 : 1e9
        },
      },
    }))
    const { agent, seen } = spy(lying)
    await agent.session('alice', (s) => call(s, {}))
    expect([seen.when, seen.redact, seen.execute]).toEqual([
      [{ amount: 1 }],
      [{ amount: 1 }],
      [{ amount: 1 }],
    ])
  })

  test('an answer of the schema is read once', async () => {
    let reads = 0
    const lying = schemaOf(() => ({
      get value(): unknown {
        reads += 1
        return { amount: reads === 1 ? 1 : 1e9 }
      },
    }))
    const { agent, seen } = spy(lying)
    await agent.session('alice', (s) => call(s, {}))
    expect(seen.execute).toEqual([{ amount: 1 }])
  })
})

describe('one object goes to predicate, log and tool', () => {
  const deep = {
    amount: 1,
    to: [{ name: 'bob', tags: ['a'] }],
    memo: { text: 'x', none: null, gone: undefined },
  }

  function expectDeepFrozen(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    expect(Object.isFrozen(value)).toBe(true)
    for (const member of Object.values(value)) expectDeepFrozen(member)
  }

  test.each(['async', 'sync'])(
    'the same object, deep-frozen, and not the one that the caller holds (%s)',
    async (kind) => {
      const { agent, seen } = spy()
      if (kind === 'async') await agent.session('alice', (s) => call(s, deep))
      else agent.sessionSync('alice', (s) => s.callTool('pay', deep))
      const [received] = seen.execute
      expect(received).toEqual(deep)
      expect(seen.when[0]).toBe(received)
      expect(seen.redact[0]).toBe(received)
      expectDeepFrozen(received)
      expectDeepFrozen(seen.schema[0])
      expect(received).not.toBe(deep)
      expect(Object.isFrozen(deep)).toBe(false)
    },
  )

  test('what the schema makes of the input is what runs', async () => {
    const trimmed = z.object({ name: z.string().trim().default('nobody') }).strip()
    const { agent, seen } = spy(trimmed)
    await agent.session('alice', async (s) => {
      await call(s, { name: '  bob ', extra: 1 })
      await call(s, {})
    })
    expect(seen.execute).toEqual([{ name: 'bob' }, { name: 'nobody' }])
  })

  const ATTACKS: Record<string, (input: Record<string, unknown>) => void> = {
    'changing a member': (input) => {
      input['amount'] = 1e9
    },
    'adding a member': (input) => {
      input['admin'] = true
    },
    'deleting a member': (input) => {
      delete input['amount']
    },
    'defining a getter': (input) => {
      Object.defineProperty(input, 'amount', { get: () => 1e9 })
    },
    'giving it a prototype': (input) => {
      Object.setPrototypeOf(input, { admin: true })
    },
    'changing the prototype that it has': (input) => {
      const prototype = Object.getPrototypeOf(input) ?? Object.freeze({})
      prototype.admin = true
    },
    'changing an element': (input) => {
      ;(input['to'] as unknown[])[0] = 'mallory'
    },
    'pushing an element': (input) => {
      ;(input['to'] as unknown[]).push('mallory')
    },
    'cutting an array': (input) => {
      ;(input['to'] as unknown[]).length = 0
    },
    'changing a member inside': (input) => {
      ;(input['to'] as { name: string }[])[0]!.name = 'mallory'
    },
  }

  test.each(Object.entries(ATTACKS))(
    '%s in the predicate throws there, and changes nothing',
    async (_label, attack) => {
      const caught = vi.fn()
      const execute = vi.fn()
      const pay = defineTool({
        inputSchema: anything,
        when: (input) => {
          try {
            attack(input as Record<string, unknown>)
          } catch (error) {
            caught(error)
          }
          return true
        },
        execute: (input) => execute(JSON.stringify(input), (input as { admin?: unknown }).admin),
      })
      const { agent } = bench({ pay })
      const input = { amount: 1, to: [{ name: 'bob' }] }
      await agent.session('alice', (s) => s.callTool('pay', input))
      expect(caught).toHaveBeenCalledWith(expect.any(TypeError))
      expect(execute).toHaveBeenCalledWith('{"amount":1,"to":[{"name":"bob"}]}', undefined)
    },
  )

  test('a predicate that does not catch that has failed, and the tool does not run', async () => {
    const execute = vi.fn()
    const pay = defineTool({
      inputSchema: amount,
      when: (input) => {
        ;(input as { amount: number }).amount = 0
        return true
      },
      execute,
    })
    const { agent, sink } = bench({ pay })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: { amount: 1 } }))
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual(['predicate_error'])
  })

  test('code that is not strict changes nothing either', async () => {
    const execute = vi.fn((input: unknown) => JSON.stringify(input))
    const sloppy = new Function('input', 'input.amount = 1e9; delete input.to; return true') as () => boolean
    const redact = new Function('input', 'input.amount = 7; return input') as (input: unknown) => unknown
    const pay = defineTool({ inputSchema: anything, when: sloppy, redact, execute })
    const { agent, sink } = bench({ pay })
    expect(await agent.session('alice', (s) => s.callTool('pay', { amount: 1, to: [] }))).toBe(
      '{"amount":1,"to":[]}',
    )
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: { amount: 1, to: [] } }])
  })

  test('a redact that changes the input fails, says so in the log, and the tool gets what was checked', async () => {
    const execute = vi.fn((input: Amount) => input.amount)
    const pay = defineTool({
      inputSchema: amount,
      redact: (input) => {
        ;(input as { amount: number }).amount = 7
        return input
      },
      execute,
    })
    const { agent, sink } = bench({ pay })
    expect(await agent.session('alice', (s) => s.callTool('pay', { amount: 1 }))).toBe(1)
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: { $omitted: 'redact_failed' } }])
  })

  test('the caller changes the input while the predicate thinks: the tool gets what was checked', async () => {
    const asked = gate()
    const answer = gate<boolean>()
    const execute = vi.fn((input: unknown) => JSON.stringify(input))
    const pay = defineTool({
      inputSchema: anything,
      when: () => {
        asked.open()
        return answer.promise
      },
      execute,
    })
    const { agent } = bench({ pay })
    const input: Record<string, unknown> = { amount: 1, to: ['bob'] }
    await agent.session('alice', async (s) => {
      const paying = s.callTool('pay', input)
      await asked.promise
      input['amount'] = 1e9
      ;(input['to'] as string[]).push('mallory')
      input['admin'] = true
      answer.open(true)
      expect(await paying).toBe('{"amount":1,"to":["bob"]}')
    })
  })

  test('the caller changes the request while the schema thinks: the tool that was named runs', async () => {
    const asked = gate()
    const answer = gate()
    const slow = schemaOf(async (value) => {
      asked.open()
      await answer.promise
      return { value }
    })
    const tools = {
      look: defineTool({ inputSchema: slow, execute: (input) => `looked ${JSON.stringify(input)}` }),
      pay: defineTool({ inputSchema: slow, execute: () => 'paid' }),
    }
    const { agent } = bench(tools)
    await agent.session('alice', async (s) => {
      const request = { name: 'look', input: { amount: 1 } as unknown }
      const looking = s.dispatch(request)
      await asked.promise
      request.name = 'pay'
      request.input = { amount: 1e9 }
      answer.open()
      expect(await looking).toEqual({ ok: true, output: 'looked {"amount":1}' })
    })
  })

  test('a schema that keeps its output and changes it later changes nothing', async () => {
    const kept = { amount: 1, to: ['bob'] }
    const keeping = schemaOf(() => ({ value: kept }))
    const pay = defineTool({
      inputSchema: keeping,
      when: async () => {
        kept.amount = 1e9
        kept.to.push('mallory')
        return true
      },
      execute: (input) => JSON.stringify(input),
    })
    const { agent } = bench({ pay })
    expect(await agent.session('alice', (s) => s.callTool('pay', {}))).toBe('{"amount":1,"to":["bob"]}')
  })

  test('a schema that changes its input has failed', async () => {
    const changing = schemaOf((value) => {
      ;(value as { amount: number }).amount = 1e9
      return { value }
    })
    const { agent, sink, seen } = spy(changing)
    const input = { amount: 1 }
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input }))
    expect(input).toEqual({ amount: 1 })
    expect(seen.execute).toEqual([])
    expect(reasonsOf(sink)).toEqual(['schema_error'])
  })

  test('a tool cannot change what a later reader of the same input sees', async () => {
    const { agent } = bench({
      pay: defineTool({
        inputSchema: amount,
        execute: (input) => {
          ;(input as { amount: number }).amount = 1e9
        },
      }),
    })
    await agent.session('alice', (s) => expect(s.callTool('pay', { amount: 1 })).rejects.toThrow(TypeError))
  })
})

describe('only plain data is an input', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const ring: unknown[] = []
  ring.push([ring])
  const nested = (levels: number): unknown => (levels === 0 ? 'end' : { in: nested(levels - 1) })

  class Account {
    amount = 1
  }

  test.each<[string, unknown, string, (string | number)[]]>([
    ['a cycle', cycle, 'too_deep', Array(64).fill('self')],
    ['a cycle of arrays', { ring }, 'too_deep', ['ring', ...Array(63).fill(0)]],
    ['65 levels', nested(65), 'too_deep', Array(64).fill('in')],
    ['a symbol', { amount: Symbol('one') }, 'not_plain_data', ['amount']],
    ['a function', { amount: [() => 1] }, 'not_plain_data', ['amount', 0]],
    ['toJSON of its own', { amount: 1, toJSON: () => ({ amount: 1e9 }) }, 'not_plain_data', ['toJSON']],
    ['an instance of a class', { account: new Account() }, 'not_plain_data', ['account']],
    ['a date', { at: new Date(0) }, 'not_plain_data', ['at']],
    ['a map', { map: new Map([['amount', 1]]) }, 'not_plain_data', ['map']],
    ['a set', { set: new Set([1]) }, 'not_plain_data', ['set']],
    ['a buffer', { bytes: Buffer.from('x') }, 'not_plain_data', ['bytes']],
    ['bytes', { bytes: new Uint8Array(1) }, 'not_plain_data', ['bytes']],
    ['a regular expression', { pattern: /x/ }, 'not_plain_data', ['pattern']],
    ['an error', { error: new Error('x') }, 'not_plain_data', ['error']],
    ['a promise', { amount: Promise.resolve(1) }, 'not_plain_data', ['amount']],
    ['a boxed number', { amount: Object(1) }, 'not_plain_data', ['amount']],
    ['not a number', { amount: Number.NaN }, 'not_finite', ['amount']],
    ['infinity', { amount: [1, Number.POSITIVE_INFINITY] }, 'not_finite', ['amount', 1]],
    ['more than 100,000 members', { many: Array(100_001).fill(0) }, 'too_large', ['many']],
    ['an array that only claims to be long', { many: Array(4_000_000_000) }, 'too_large', ['many']],
    [
      'a getter that throws',
      Object.defineProperty({}, 'amount', {
        enumerable: true,
        get: () => {
          throw new RangeError('boom')
        },
      }),
      'unreadable',
      [],
    ],
  ])('%s is refused, with its place and its kind', async (_label, input, code, path) => {
    const { agent, sink, seen } = spy()
    await agent.session('alice', async (s) => {
      const result = await s.dispatch({ name: 'pay', input })
      expect(result).toMatchObject({ denial: { reason: 'invalid_input', issues: [{ code, path }] } })
    })
    agent.sessionSync('alice', (s) => {
      expect(s.dispatch({ name: 'pay', input })).toMatchObject({ denial: { reason: 'invalid_input' } })
    })
    expect(seen).toEqual({ schema: [], when: [], redact: [], execute: [] })
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([{ issues: [{ code }] }, { issues: [{ code }] }])
  })

  test('64 levels, one object in two places, objects without a prototype and of another realm are plain data', async () => {
    const shared = { name: 'bob' }
    const input = Object.assign(Object.create(null), { deep: nested(63), from: shared, to: [shared] })
    const { agent, seen } = spy()
    await agent.session('alice', (s) => call(s, input))
    expect(seen.execute).toEqual([{ deep: nested(63), from: shared, to: [shared] }])
  })

  test('a member under a symbol and a hidden member do not reach the tool', async () => {
    const { agent, seen } = spy()
    const input = Object.defineProperty({ amount: 1, [Symbol('admin')]: true }, 'hidden', {
      value: true,
      enumerable: false,
    })
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input }))
    for (const received of [...seen.when, ...seen.execute])
      expect(Reflect.ownKeys(received as object)).toEqual(['amount'])
  })

  test.each([
    ['{"__proto__":{"admin":true}}', ['__proto__']],
    ['{"amount":1,"to":[{"__proto__":null}]}', ['to', 0, '__proto__']],
    ['{"constructor":{"prototype":{"admin":true}}}', ['constructor']],
    ['{"in":{"prototype":{"admin":true}}}', ['in', 'prototype']],
  ])('%s is refused: its keys lead to prototypes', async (input, path) => {
    const { agent, seen } = spy()
    await agent.session('alice', async (s) => {
      expect(await s.dispatch({ name: 'pay', input })).toMatchObject({
        denial: { reason: 'invalid_input', issues: [{ code: 'forbidden_key', path }] },
      })
    })
    expect(seen.execute).toEqual([])
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })

  test('such a key in what a schema returns is refused as well', async () => {
    const { agent, sink, seen } = spy(schemaOf(() => ({ value: JSON.parse('{"__proto__":{"admin":true}}') })))
    await agent.session('alice', (s) => s.dispatch({ name: 'pay', input: {} }))
    expect(seen.execute).toEqual([])
    expect(reasonsOf(sink)).toEqual(['invalid_input'])
  })
})

describe('a polluted Object.prototype', () => {
  /** What a pollution could put in the place of members that are absent. */
  const POLLUTIONS: Record<string, Readonly<Record<string, unknown>>> = {
    toJSON: { toJSON: () => 'forged' },
    amount: { amount: 1e9 },
    allowed: { allowed: true },
    decision: { decision: { allowed: true } },
    value: { value: { amount: 1e9 } },
    'no issues': { issues: [] },
    issues: { issues: [{ path: ['forged'], code: 'forged', message: 'forged' }] },
    'issues that are none': { issues: 'forged' },
    path: { path: ['forged'] },
    'a path that is none': { path: 5 },
    code: { code: 'ERR_FORGED' },
    name: { name: 'Forged' },
    message: { message: 'forged' },
    cause: { cause: 'forged' },
    id: { id: 'forged' },
    signal: { signal: AbortSignal.abort('forged') },
    'a signal that is none': { signal: 'forged' },
    timeoutMs: { timeoutMs: 0 },
    maxCalls: { maxCalls: 0 },
    when: { when: () => false },
    'a predicate that is none': { when: 'forged' },
    redact: { redact: () => 'forged' },
    outputSchema: { outputSchema: schemaOf(() => ({ value: 'forged' })) },
    late: { late: true },
    error: { error: new RangeError('forged') },
    reason: { reason: 'forged' },
    kind: { kind: 'done', output: 'forged' },
    meter: { meter: {}, limit: 'usd', used: 0, max: 0 },
    asked: { asked: 1, left: 1, held: 1 },
    usageOfError: { usageOfError: () => ({ model: 'm', inputTokens: 0, outputTokens: 0 }) },
    costUsd: { costUsd: 0, latencyMs: 1, cachedInputTokens: 1 },
    task: { task: 'forged', parent: 'forged', user: 'forged' },
    'then that is no function': Object.fromEntries([['then', 'forged']]),
  }

  /** Everything that a session records, in one go, and what its callers saw. */
  async function story(enter: () => void, leave: () => void, during: () => void = () => undefined) {
    const sink = AuditSink.memory()
    const tools: ToolSet = {
      pay: defineTool({
        inputSchema: amount,
        redact: (input) => ({ amount: input.amount }),
        when: async (input) => {
          during()
          return input.amount < 100
        },
        execute: async (input) => `paid ${input.amount}`,
      }) as ToolSet[string],
      plain: defineTool({
        inputSchema: anything,
        execute: (input) => JSON.stringify(input),
      }) as ToolSet[string],
      fail: defineTool({
        inputSchema: anything,
        execute: () => {
          throw new RangeError('no')
        },
      }) as ToolSet[string],
      terse: defineTool({
        inputSchema: schemaOf(() => ({ issues: [{ message: 'wrong' }] })),
        execute: () => 'ran',
      }) as ToolSet[string],
      odd: defineTool({ inputSchema: schemaOf(() => 7), execute: () => 'ran' }) as ToolSet[string],
    }
    const agent = new Agent<ToolSet>({
      identity: 'bench-bot/v1',
      budget: { usd: 5, tokens: 100, toolCalls: 5 },
      tools,
      audit: sink,
      clock: fakeClock(),
    })
    const seen: unknown[] = []
    const session = agent.open('alice')
    const tell = async (answer: unknown): Promise<void> => {
      try {
        seen.push(await answer)
      } catch (error) {
        seen.push(`${(error as Error).constructor.name} ${(error as { reason?: unknown }).reason}`)
      }
    }
    enter()
    try {
      await tell(session.callTool('pay', { amount: 1 }))
      await tell(session.callTool('pay', { amount: 1000 }))
      await tell(session.callTool('pay', {}))
      await tell(session.callTool('plain', { to: ['bob'] }))
      await tell(session.callTool('none', {}))
      await tell(session.callTool('odd', {}))
      await tell(session.callTool('terse', {}))
      await tell(agent.session('carol', () => 'told'))
      await tell(session.callTool('fail', {}))
      session.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 2, costUsd: 0.5 })
      await tell(
        session.callLlm(
          { model: 'm', maxTokens: 10, maxUsd: 1 },
          () => 'reply',
          () => ({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.25 }),
        ),
      )
      const reservation = session.reserve({ usd: 1 })
      reservation.settle({ usd: 0.5 })
    } finally {
      leave()
    }
    await session.close()
    let sync: unknown
    enter()
    try {
      sync = agent.sessionSync('bob', (s) => [
        s.callTool('plain', { to: ['bob'] }),
        s.authorize('none', {}).allowed,
        s.authorize('plain', {}).allowed,
      ])
    } finally {
      leave()
    }
    // Ids and hashes differ from run to run; everything else is byte for byte the same.
    const text = sink
      .text()
      .replace(/"[0-9a-f]{64}"/g, '"HASH"')
      .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, 'ID')
    return { text, seen, sync }
  }

  let expected: Awaited<ReturnType<typeof story>>
  beforeAll(async () => {
    expected = await story(
      () => undefined,
      () => undefined,
    )
  })

  test('the story without pollution is the one that is meant', () => {
    expect(expected.seen).toEqual([
      'paid 1',
      'ToolNotPermitted predicate_false',
      'ToolNotPermitted invalid_input',
      '{"to":["bob"]}',
      'ToolNotPermitted not_registered',
      'ToolNotPermitted schema_error',
      'ToolNotPermitted invalid_input',
      'told',
      'RangeError undefined',
      'reply',
    ])
    expect(expected.sync).toEqual(['{"to":["bob"]}', false, true])
  })

  test.each(Object.entries(POLLUTIONS))(
    'before the call, with %s: same decisions, same bytes',
    async (_label, members) => {
      const polluted = await story(
        () => pollute(members),
        () => clean(members),
      ).finally(() => clean(members))
      expect(polluted.text).toBe(expected.text)
      // The tool and the test itself inherit what everything inherits: here they read it.
      if (!('toJSON' in members || 'reason' in members)) expect(polluted.seen).toEqual(expected.seen)
      if (!('toJSON' in members)) expect(polluted.sync).toEqual(expected.sync)
    },
  )

  test.each(Object.entries(POLLUTIONS))(
    'in the middle of a call, with %s: same bytes',
    async (_label, members) => {
      const polluted = await story(
        () => undefined,
        () => clean(members),
        () => pollute(members),
      ).finally(() => clean(members))
      expect(polluted.text).toBe(expected.text)
    },
  )

  test('with then: no answer is taken for a promise, and nothing that it resolves to is believed', async () => {
    const forged = Object.assign(Object.create(null), {
      value: Object.assign(Object.create(null), { amount: 1e9 }),
    })
    const members = Object.fromEntries([['then', (resolve: (value: unknown) => void) => resolve(forged)]])
    const asyncRuns: unknown[] = []
    const execute = vi.fn((input: Amount) => {
      asyncRuns.push(input.amount)
      return 'paid'
    })
    const { agent, sink } = bench({
      pay: defineTool({ inputSchema: amount, when: (input) => input.amount < 100, execute }),
    })
    await withPollution(members, async () => {
      expect(agent.sessionSync('bob', (s) => s.callTool('pay', { amount: 1 }))).toBe('paid')
      const s = agent.open('alice')
      expect(await s.callTool('pay', { amount: 2 })).toBe('paid')
      await s.callTool('pay', { amount: 1000 }).then(
        () => undefined,
        () => undefined,
      )
      void s.dispatch({ name: 'none', input: {} })
      await s.close()
    })
    expect(asyncRuns).toEqual([1, 2])
    expect(reasonsOf(sink)).toEqual(['predicate_false', 'not_registered'])
  })

  test('lends nothing to what the tool is handed', async () => {
    const members = { admin: true, toJSON: () => 'forged', amount: 1e9 }
    const received: unknown[] = []
    const pay = defineTool({
      inputSchema: anything,
      execute: (input) => {
        const { admin, amount, to } = input as {
          admin?: unknown
          amount?: unknown
          to: { amount?: unknown }[]
        }
        received.push(admin, amount, to[0]?.amount)
      },
    })
    const { agent } = bench({ pay })
    await withPollution(members, () => agent.session('alice', (s) => s.callTool('pay', { to: [{}] })))
    expect(received).toEqual([undefined, undefined, undefined])
  })

  test('after the pollutions nothing is left of them', () => {
    expect(Object.keys(Object.prototype)).toEqual([])
    for (const members of Object.values(POLLUTIONS)) {
      for (const name of Object.keys(members)) expect(Object.hasOwn(Object.prototype, name)).toBe(false)
    }
  })
})
