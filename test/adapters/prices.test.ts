import { calcPrice, findProvider } from '@pydantic/genai-prices'
import { describe, expect, test } from 'vitest'
import { type PriceOptions, UnpricedModel } from 'writ'
import { genaiPrices } from 'writ/prices'
import { bench, thrown } from '../support/agents.js'

const usage = { inputTokens: 1000, outputTokens: 100 }

/** What one call cost, and by whose word. */
async function charged(prices: PriceOptions, model: string, counts: object = usage) {
  const b = bench({ budget: { usd: 100_000 }, prices })
  await b.agent.session('alice', (s) => s.recordLlm({ model, ...usage, ...counts }))
  const { cost_usd, priced_by } = b.payloads('llm_call')[0] ?? {}
  return { cost_usd, priced_by }
}

describe('a model of the catalogue', () => {
  test.each([
    ['gpt-5', {}, 0.00225, 'genai-prices openai/gpt-5'],
    ['gpt-5', { cachedInputTokens: 1000 }, 0.001125, 'genai-prices openai/gpt-5'],
    [
      'claude-opus-4-1-20250805',
      { cacheWriteTokens: 1000 },
      0.02625,
      'genai-prices anthropic/claude-opus-4-1',
    ],
    [
      'claude-opus-4-1-20250805',
      { cacheWriteTokens: 1000, cacheWrite1hTokens: 1000 },
      0.0375,
      'genai-prices anthropic/claude-opus-4-1',
    ],
    ['gemini-2.5-pro', { inputTokens: 200_000 }, 0.251, 'genai-prices google/gemini-2.5-pro'],
    ['gemini-2.5-pro', { inputTokens: 200_001 }, 0.501_502_5, 'genai-prices google/gemini-2.5-pro'],
  ])('%s, %j', async (model, counts, cost_usd, priced_by) => {
    expect(await charged(genaiPrices(), model, counts)).toEqual({ cost_usd, priced_by })
  })

  test('costs what a provider takes that is not its maker', async () => {
    const model = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
    expect((await charged(genaiPrices({ provider: 'aws' }), model)).priced_by).toMatch(/^genai-prices aws\//)
  })

  test('costs what it costs at the time', async () => {
    const { models = [] } = findProvider({ providerId: 'deepseek' }) ?? {}
    const model = models.find(
      ({ prices }) =>
        Array.isArray(prices) && prices.some(({ constraint }) => constraint?.type === 'time_of_date'),
    )
    const at = async (time: string) =>
      (await charged(genaiPrices({ now: () => new Date(`2025-08-01T${time}Z`) }), model?.id ?? '')).cost_usd
    expect(await at('20:00:00')).toBeLessThan(Number(await at('12:00:00')))
  })

  test('of the whole catalogue costs what the catalogue says, to the next nano-dollar', async () => {
    const now = new Date('2026-10-01T12:00:00Z')
    let compared = 0
    for (const provider of [
      'openai',
      'anthropic',
      'google',
      'aws',
      'azure',
      'mistral',
      'groq',
      'deepseek',
      'x-ai',
    ]) {
      const prices = genaiPrices({ provider, now: () => now })
      for (const { id } of findProvider({ providerId: provider })?.models ?? []) {
        for (const input_tokens of [1000, 300_000]) {
          const parts = { input_tokens, output_tokens: 100, cache_read_tokens: 300, cache_write_tokens: 200 }
          const stated = calcPrice(parts, id, { providerId: provider, timestamp: now })
          const price = stated && prices.price(stated.model.id)
          if (!price || price.cachedInputUsdPerMTok === undefined || price.cacheWriteUsdPerMTok === undefined)
            continue
          const counts = { inputTokens: input_tokens, cachedInputTokens: 300, cacheWriteTokens: 200 }
          const { cost_usd } = await charged(prices, stated.model.id, counts)
          expect(Math.abs(Number(cost_usd) - stated.total_price), `${provider}/${id}`).toBeLessThan(2e-9)
          compared += 1
        }
      }
    }
    expect(compared).toBeGreaterThan(100)
  })
})

describe('a model without a price', () => {
  const refused = async (prices: PriceOptions, model: string) => {
    const b = bench({ budget: { usd: 1 }, prices })
    let error: unknown
    await b.agent.session('alice', (s) => {
      error = thrown(() => s.recordLlm({ model, ...usage }))
      expect(s.usage().usd).toBe(0)
    })
    return error
  }

  test.each(['gpt-99', 'gpt-5-ultra', 'constructor', 'openai/gpt-5'])(
    'is refused, and never costs nothing: %s',
    async (model) => {
      expect(await refused(genaiPrices(), model)).toBeInstanceOf(UnpricedModel)
    },
  )

  test('is one that is charged by the request too', async () => {
    const models = ['perplexity', 'openrouter'].flatMap(
      (id) => findProvider({ providerId: id })?.models ?? [],
    )
    const model = models.find(
      ({ prices }) => !Array.isArray(prices) && prices['requests_kcount'] !== undefined,
    )
    expect(model).toBeDefined()
    expect(await refused(genaiPrices({ provider: 'perplexity' }), model?.id ?? '')).toBeInstanceOf(
      UnpricedModel,
    )
  })

  test('is one that another provider has', async () => {
    expect(await refused(genaiPrices({ provider: 'anthropic' }), 'gpt-5')).toBeInstanceOf(UnpricedModel)
  })

  test('costs the ceiling where there is one', async () => {
    const prices = [genaiPrices(), { '*': { inputUsdPerMTok: 100, outputUsdPerMTok: 500 } }]
    expect(await charged(prices, 'gpt-99')).toEqual({ cost_usd: 0.15, priced_by: 'table *' })
    expect(await charged(prices, 'gpt-5')).toMatchObject({ priced_by: 'genai-prices openai/gpt-5' })
  })

  test('is every model, while the clock that was given fails', async () => {
    const now = (): Date => {
      throw new Error('no clock')
    }
    expect(
      await refused([genaiPrices({ now }), { '*': { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }], 'gpt-5'),
    ).toBeInstanceOf(UnpricedModel)
  })
})

test('a table before it wins, and says since when', async () => {
  const row = { inputUsdPerMTok: 1, outputUsdPerMTok: 1, entry: 'our contract, 2026-11-01' }
  expect(await charged([{ 'gpt-5': row }, genaiPrices()], 'gpt-5')).toEqual({
    cost_usd: 0.0011,
    priced_by: 'our contract, 2026-11-01',
  })
})

test.each<[string, unknown, string]>([
  ['no object', 5, 'genaiPrices: expected options'],
  ['null', null, 'genaiPrices: expected options'],
  ['an unknown option', { providers: 'openai' }, 'unknown option providers; known options are provider, now'],
  ['a provider that is no text', { provider: 5 }, 'genaiPrices.provider: expected a string'],
  ['a provider that nobody knows', { provider: 'zzz' }, 'has no provider "zzz"'],
  ['a clock that is none', { now: 5 }, 'genaiPrices.now: expected a function'],
])('options are refused: %s', (_what, options, message) => {
  expect(() => genaiPrices(options as never)).toThrow(message)
})
