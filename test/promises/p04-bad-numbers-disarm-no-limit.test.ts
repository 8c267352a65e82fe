import { describe, expect, test } from 'vitest'
import {
  Agent,
  AuditSink,
  type Budget,
  BudgetExceeded,
  type LlmUsage,
  type PriceTable,
  type Session,
  UnpricedModel,
  UsageInvalid,
} from 'writ'
import { bench, rejection, thrown } from '../support/agents.js'

const USAGE = { model: 'm', inputTokens: 10, outputTokens: 10, costUsd: 0.25 } as const

/** None of these is a number of tokens, an amount of money or a time, whatever it looks like. */
const NEVER: readonly (readonly [string, unknown])[] = [
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['1e400', Number('1e400')],
  ['-1', -1],
  ['2^53', 2 ** 53],
  ["'5'", '5'],
  ["'NaN'", 'NaN'],
  ["''", ''],
  ['null', null],
  ['true', true],
  ['5n', 5n],
  ['a boxed number', Object(5)],
  ['[5]', [5]],
  ['an object that is a number when asked', Object.assign(Object.create(null), { valueOf: () => 5 })],
  ['a function', () => 5],
  ['a symbol', Symbol('5')],
]
const NO_COUNT = [...NEVER, ['1.5', 1.5], ['a fraction of nothing', Number.MIN_VALUE]] as const

const COUNTS = [
  'inputTokens',
  'outputTokens',
  'cachedInputTokens',
  'cacheWriteTokens',
  'cacheWrite1hTokens',
  'reasoningTokens',
] as const
const BAD_USAGE = [
  ...COUNTS.flatMap((field) => NO_COUNT.map(([what, value]) => ({ field, what, value }))),
  ...(['costUsd', 'latencyMs'] as const).flatMap((field) =>
    NEVER.map(([what, value]) => ({ field, what, value })),
  ),
]

/** What was reported, with one member replaced by what no compiler would let through. */
function reporting(field: string, value: unknown): LlmUsage {
  return { ...USAGE, [field]: value } as LlmUsage
}

function expectInvalid(error: unknown, field: string, value?: unknown): void {
  expect(error).toBeInstanceOf(UsageInvalid)
  expect(error).toMatchObject({ code: 'ERR_USAGE_INVALID', field })
  if (value !== undefined) expect((error as UsageInvalid).value).toBe(value)
}

/** Spends exactly what is left, and then sees the least more kill. */
function expectLimitsToHold(s: Session, spent: { readonly usd: number; readonly tokens: number }): void {
  expect(s.state).toBe('open')
  expect(s.usage()).toMatchObject(spent)
  expect(s.remaining()).toMatchObject({ usd: 1 - spent.usd, tokens: 100 - spent.tokens })
  const last = s.reserve({ usd: 1 - spent.usd, tokens: 100 - spent.tokens })
  last.settle({ usd: 1 - spent.usd, tokens: 100 - spent.tokens })
  expect(s.usage()).toMatchObject({ usd: 1, tokens: 100 })
  expect(s.state).toBe('open')
  const error = thrown(() =>
    s.recordLlm({ ...USAGE, inputTokens: 0, outputTokens: 0, costUsd: 0.000_000_001 }),
  )
  expect(error).toBeInstanceOf(BudgetExceeded)
}

const BUDGET: Budget = { usd: 1, tokens: 100 }

describe('recordLlm', () => {
  test.each(BAD_USAGE)(
    'refuses $field: $what by name, and the limits still hold afterwards',
    async ({ field, value }) => {
      const { agent, payloads } = bench({ budget: BUDGET })
      const outcome = await rejection(
        agent.session('alice', (s) => {
          for (let again = 0; again < 3; again++) {
            expectInvalid(
              thrown(() => s.recordLlm(reporting(field, value))),
              field,
              value,
            )
          }
          expect(s.usage().llmCalls).toBe(3)
          expectLimitsToHold(s, { usd: 0, tokens: 0 })
        }),
      )
      expect(outcome).toMatchObject({ limit: 'usd' })
      // That something was reported is on record, and that nobody could charge it.
      expect(payloads('llm_call').slice(0, 3)).toMatchObject(
        Array.from({ length: 3 }, () => ({
          metering: 'refused',
          cost_usd: null,
          error: { code: 'ERR_USAGE_INVALID' },
        })),
      )
    },
  )

  test('refuses a report of nothing but bad numbers without a limit on money or tokens too', async () => {
    const { agent } = bench({ budget: { llmCalls: 2 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        thrown(() => s.recordLlm(reporting('inputTokens', Number.NaN)))
        thrown(() => s.recordLlm(reporting('costUsd', Number.NaN)))
        expect(s.usage()).toMatchObject({ usd: 0, tokens: 0, llmCalls: 2 })
        // A report that is refused counts as a call: it cannot be used to make calls that do not count.
        thrown(() => s.recordLlm(reporting('inputTokens', Number.NaN)))
      }),
    )
    expect(outcome).toMatchObject({ limit: 'llmCalls', used: 2, max: 2 })
  })

  test.each([
    ['more cached than input tokens', { cachedInputTokens: 11 }, 'inputTokens'],
    ['more tokens written to a cache than input', { cacheWriteTokens: 11 }, 'inputTokens'],
    ['more reasoning than output tokens', { reasoningTokens: 11 }, 'outputTokens'],
    ['an unknown member', { total_tokens: 20 }, 'total_tokens'],
    ['the member of another vendor', { cost: 0.25 }, 'cost'],
    ['no model', { model: undefined }, 'model'],
    ['no input tokens', { inputTokens: undefined }, 'inputTokens'],
  ])('refuses %s', async (_what, members, field) => {
    const { agent } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', (s) => {
        expectInvalid(
          thrown(() => s.recordLlm({ ...USAGE, ...members } as unknown as LlmUsage)),
          field,
        )
        expectLimitsToHold(s, { usd: 0, tokens: 0 })
      }),
    )
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a number', 5],
    ['an array', []],
    ['a promise of usage', Promise.resolve(USAGE)],
  ])('refuses %s', async (_what, reported) => {
    const { agent } = bench({ budget: BUDGET })
    await agent.session('alice', (s) => {
      expectInvalid(
        thrown(() => s.recordLlm(reported as unknown as LlmUsage)),
        '(all)',
      )
    })
  })

  test('refuses usage whose members cannot be read, and goes on', async () => {
    const { agent } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', (s) => {
        const trap = new RangeError('of the getter')
        const trapped = {
          ...USAGE,
          get costUsd(): number {
            throw trap
          },
        }
        expect(thrown(() => s.recordLlm(trapped))).toBe(trap)
        expectLimitsToHold(s, { usd: 0, tokens: 0 })
      }),
    )
  })

  test('takes minus zero as zero', async () => {
    const { agent, lines } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', (s) => {
        s.recordLlm({ model: 'm', inputTokens: -0, outputTokens: -0, costUsd: -0, latencyMs: -0 })
        expectLimitsToHold(s, { usd: 0, tokens: 0 })
      }),
    )
    expect(lines().filter((line) => /:-0\b/.test(line))).toEqual([])
  })

  test('a sum of counts that are each in range still cannot leave it', async () => {
    const { agent } = bench({ budget: { tokens: Number.MAX_SAFE_INTEGER } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        const most = { ...USAGE, inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 0 }
        expectInvalid(
          thrown(() => s.recordLlm({ ...most, outputTokens: 1 })),
          'outputTokens',
        )
        s.recordLlm(most)
        expect(s.state).toBe('open')
        s.recordLlm({ ...USAGE, inputTokens: 1, outputTokens: 0 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'tokens' })
  })
})

describe('callLlm charges all it held when what is read from the reply', () => {
  test.each(BAD_USAGE)(
    'says $field: $what, and the limits still hold afterwards',
    async ({ field, value }) => {
      const { agent, payloads } = bench({ budget: BUDGET })
      await rejection(
        agent.session('alice', async (s) => {
          const call = s.callLlm(
            { model: 'm', maxUsd: 0.5, maxTokens: 50 },
            () => 'answer',
            () => reporting(field, value),
          )
          expectInvalid(await rejection(call), field, value)
          expectLimitsToHold(s, { usd: 0.5, tokens: 50 })
        }),
      )
      expect(payloads('llm_call')[0]).toMatchObject({
        cost_usd: 0.5,
        tokens: 50,
        metering: 'estimated',
        priced_by: 'reservation',
        error: { code: 'ERR_USAGE_INVALID' },
      })
    },
  )

  test.each([
    ['is nothing', undefined],
    ['is null', null],
    ['has unknown members', { ...USAGE, total: 5 }],
    ['has parts that are more than the whole', { ...USAGE, cachedInputTokens: 11 }],
  ])('%s', async (_what, reported) => {
    const { agent } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', async (s) => {
        const call = s.callLlm(
          { model: 'm', maxUsd: 0.5, maxTokens: 50 },
          () => 'answer',
          () => reported as LlmUsage,
        )
        expect(await rejection(call)).toBeInstanceOf(UsageInvalid)
        expectLimitsToHold(s, { usd: 0.5, tokens: 50 })
      }),
    )
  })
})

describe('a reservation', () => {
  const REQUESTS = [
    ...NEVER.map(([what, value]) => ({ member: 'usd', what, value })),
    ...NO_COUNT.map(([what, value]) => ({ member: 'tokens', what, value })),
  ]

  test.each(REQUESTS)('of $member: $what is refused, and holds nothing', async ({ member, value }) => {
    const { agent } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', (s) => {
        expectInvalid(
          thrown(() => s.reserve({ [member]: value })),
          member,
          value,
        )
        expectLimitsToHold(s, { usd: 0, tokens: 0 })
      }),
    )
  })

  test.each(REQUESTS)('that is settled with $member: $what is charged in full', async ({ member, value }) => {
    const { agent, payloads } = bench({ budget: BUDGET })
    await rejection(
      agent.session('alice', (s) => {
        const held = s.reserve({ usd: 0.5, tokens: 50 })
        expectInvalid(
          thrown(() => held.settle({ [member]: value })),
          member,
          value,
        )
        expectLimitsToHold(s, { usd: 0.5, tokens: 50 })
      }),
    )
    expect(payloads('charge')[0]).toMatchObject({ usd: 0.5, tokens: 50, metering: 'estimated' })
  })

  const LLM_REQUESTS = [
    ...NEVER.map(([what, value]) => ({ member: 'maxUsd', what, value })),
    ...NO_COUNT.map(([what, value]) => ({ member: 'maxTokens', what, value })),
  ]

  test.each(LLM_REQUESTS)(
    'of a model call with $member: $what is refused, and the model is not called',
    async ({ member, value }) => {
      const { agent } = bench({ budget: BUDGET })
      await rejection(
        agent.session('alice', async (s) => {
          const request = { model: 'm', [member]: value }
          expectInvalid(
            thrown(() => s.reserve(request)),
            member,
            value,
          )
          const call = s.callLlm(
            request,
            () => expect.fail('it was called'),
            () => USAGE,
          )
          expectInvalid(await rejection(call), member, value)
          expect(s.usage().llmCalls).toBe(0)
          expectLimitsToHold(s, { usd: 0, tokens: 0 })
        }),
      )
    },
  )

  test.each(BAD_USAGE)(
    'of a model call that is settled with $field: $what is charged in full',
    async ({ field, value }) => {
      const { agent } = bench({ budget: BUDGET })
      await rejection(
        agent.session('alice', (s) => {
          const held = s.reserve({ model: 'm', maxUsd: 0.5, maxTokens: 50 })
          expectInvalid(
            thrown(() => held.settle(reporting(field, value))),
            field,
            value,
          )
          expectLimitsToHold(s, { usd: 0.5, tokens: 50 })
        }),
      )
    },
  )

  test('with unknown members is refused', async () => {
    const { agent } = bench({ budget: BUDGET })
    await agent.session('alice', (s) => {
      expect(thrown(() => s.reserve({ usd: 0.1, dollars: 0.1 } as { usd: number }))).toBeInstanceOf(TypeError)
      expect(thrown(() => s.reserve({ model: 'm', usd: 0.1 } as { model: string }))).toBeInstanceOf(TypeError)
      expect(s.remaining()).toMatchObject({ usd: 1, tokens: 100 })
    })
  })
})

describe('a budget', () => {
  const LIMITS = ['usd', 'tokens', 'wallMs', 'toolCalls', 'llmCalls', 'depth', 'denials'] as const
  const BAD = LIMITS.flatMap((limit) =>
    (limit === 'usd' ? NEVER : NO_COUNT).map(([what, value]) => ({ limit, what, value })),
  )

  test.each(BAD)('with $limit: $what makes no agent', ({ limit, value }) => {
    const make = (): unknown =>
      new Agent({ identity: 'a', budget: { [limit]: value }, audit: AuditSink.memory() })
    const error = thrown(make)
    expect(error).toBeInstanceOf(typeof value === 'number' ? RangeError : TypeError)
    expect(error).toMatchObject({ message: expect.stringContaining(`budget.${limit}: expected `) })
  })

  test.each(BAD)('with $limit: $what opens no session', async ({ limit, value }) => {
    const { agent, payloads } = bench({ budget: { usd: 1, tokens: 100 } })
    const options = { budget: { [limit]: value } }
    const error = await rejection(agent.session('alice', () => expect.fail('it was opened'), options))
    expect(error).toBeInstanceOf(typeof value === 'number' ? RangeError : TypeError)
    expect(thrown(() => agent.open('alice', options))).toBeInstanceOf(
      typeof value === 'number' ? RangeError : TypeError,
    )
    expect(payloads('session_start')).toEqual([])
  })

  test.each([
    ['WRIT_BUDGET_USD', 'NaN'],
    ['WRIT_BUDGET_USD', 'Infinity'],
    ['WRIT_BUDGET_USD', '-5'],
    ['WRIT_BUDGET_USD', '1e9'],
    ['WRIT_BUDGET_USD', '0x10'],
    ['WRIT_BUDGET_USD', ''],
    ['WRIT_BUDGET_USD', ' 5'],
    ['WRIT_BUDGET_USD', '5\n'],
    ['WRIT_BUDGET_USD', '0.0000000001'],
    ['WRIT_BUDGET_TOKENS', '1.5'],
    ['WRIT_BUDGET_TOKENS', '9007199254740992'],
    ['WRIT_BUDGET_WALL_MS', '1e400'],
    ['WRIT_BUDGET_DENIALS', '٣'],
  ])('from the environment with %s=%j makes no agent, and names the variable', (name, text) => {
    const make = (): unknown => Agent.fromEnv({ identity: 'a', audit: AuditSink.memory() }, { [name]: text })
    expect(thrown(make)).toBeInstanceOf(RangeError)
    expect(thrown(make)).toMatchObject({ message: expect.stringContaining(name) })
  })
})

describe('prices', () => {
  const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
  const MEMBERS = [
    'inputUsdPerMTok',
    'outputUsdPerMTok',
    'cachedInputUsdPerMTok',
    'cacheWriteUsdPerMTok',
    'cacheWrite1hUsdPerMTok',
  ] as const
  const BAD = MEMBERS.flatMap((member) => NEVER.map(([what, value]) => ({ member, what, value })))

  test.each(BAD)('with $member: $what make no agent', ({ member, value }) => {
    const prices = { m: { ...price, [member]: value } } as PriceTable
    const error = thrown(() => bench({ budget: BUDGET, prices }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: expect.stringContaining(`prices.m.${member}`) })
  })

  test.each(BAD)(
    'of a source that answers $member: $what are no prices: refused, not free',
    async ({ member, value }) => {
      const prices = { name: 'broken', price: () => ({ ...price, [member]: value }) as typeof price }
      const { agent } = bench({ budget: BUDGET, prices })
      await agent.session('alice', (s) => {
        const error = thrown(() => s.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1 }))
        expect(error).toBeInstanceOf(UnpricedModel)
        expect(s.usage().usd).toBe(0)
      })
    },
  )

  test('of a model that has none are asked for, not taken as zero', async () => {
    const { agent } = bench({ budget: { usd: 1 }, prices: { m: price } })
    await agent.session('alice', (s) => {
      const error = thrown(() => s.recordLlm({ model: 'toString', inputTokens: 1, outputTokens: 1 }))
      expect(error).toMatchObject({ code: 'ERR_UNPRICED_MODEL', model: 'toString' })
    })
  })

  test('that make more than can be counted are charged, and kill', async () => {
    const dear = { inputUsdPerMTok: 9_000_000, outputUsdPerMTok: 9_000_000 }
    const { agent } = bench({ budget: { usd: 9_000_000 }, prices: { m: dear } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        s.recordLlm({ model: 'm', inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 0 })
      }),
    )
    expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd', max: 9_000_000 })
  })
})
