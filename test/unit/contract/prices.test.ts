import { describe, expect, test } from 'vitest'
import { type ModelPrice, Prices } from '../../../src/contract/prices.js'
import { priceBounds, priceCeiling, priceUsage } from '../../../src/contract/rates.js'

const price: ModelPrice = { inputUsdPerMTok: 3, outputUsdPerMTok: 15 }

describe('a table of prices', () => {
  test('gives rates in nano-USD per million tokens, by the exact name', () => {
    const prices = Prices.from('prices', { m: price })
    expect(prices.rates('m')).toEqual({
      input: 3_000_000_000,
      output: 15_000_000_000,
      cachedInput: 3_000_000_000,
      cacheWrite: 3_000_000_000,
      cacheWrite1h: 3_000_000_000,
      tiers: [],
      by: 'table',
    })
    for (const other of ['M', 'm ', 'm-2', '', 'toString', '__proto__', 'constructor']) {
      expect(prices.rates(other)).toBeUndefined()
    }
  })

  test('has prices of their own for tokens from a cache, and a price may be nothing', () => {
    const prices = Prices.from('prices', {
      m: { ...price, cachedInputUsdPerMTok: 0, cacheWriteUsdPerMTok: 3.75 },
    })
    expect(prices.rates('m')).toMatchObject({ cachedInput: 0, cacheWrite: 3_750_000_000 })
  })

  test('is copied: what happens to it later changes nothing', () => {
    const row = { ...price }
    const table: Record<string, ModelPrice> = { m: row }
    const prices = Prices.from('prices', table)
    row.inputUsdPerMTok = 0
    table['m'] = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
    table['n'] = { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }
    expect(prices.rates('m')).toMatchObject({ input: 3_000_000_000 })
    expect(prices.rates('n')).toBeUndefined()
    expect(Object.isFrozen(prices.rates('m'))).toBe(true)
  })

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-1', -1],
    ["'3'", '3'],
    ['null', null],
    ['3n', 3n],
    ['an object that is a number when asked', { valueOf: (): number => 3 }],
    ['more than can be counted', 9_007_200],
  ])('refuses %s as any price, naming it', (_what, value) => {
    for (const member of [
      'inputUsdPerMTok',
      'outputUsdPerMTok',
      'cachedInputUsdPerMTok',
      'cacheWriteUsdPerMTok',
      'cacheWrite1hUsdPerMTok',
    ]) {
      const parse = (): unknown => Prices.from('prices', { m: { ...price, [member]: value } })
      expect(parse).toThrow(RangeError)
      expect(parse).toThrow(`prices.m.${member}: expected `)
    }
  })

  test.each([
    ['an unknown member', { m: { ...price, inputUsdPer1k: 3 } }],
    ['a price without input', { m: { outputUsdPerMTok: 3 } }],
    ['a price without output', { m: { inputUsdPerMTok: 3 } }],
    ['a price that is null', { m: null }],
    ['a price that is a number', { m: 3 }],
    ['null', null],
    ['a number', 3],
    ['an array of what is no table', [price]],
    ['a map', new Map([['m', price]])],
  ])('refuses %s', (_what, table) => {
    expect(() => Prices.from('prices', table)).toThrow(TypeError)
  })
})

describe('prices of long input', () => {
  const tier = { aboveInputTokens: 200_000, inputUsdPerMTok: 6, outputUsdPerMTok: 22.5 }

  test('are ordered by what they are above, and frozen', () => {
    const tiers = [{ ...tier, aboveInputTokens: 500_000 }, tier]
    const rates = Prices.from('prices', { m: { ...price, tiers } }).rates('m')
    expect(rates?.tiers.map(({ aboveInputTokens }) => aboveInputTokens)).toEqual([200_000, 500_000])
    expect(rates?.tiers[0]).toMatchObject({ input: 6_000_000_000, cachedInput: 6_000_000_000 })
    expect(Object.isFrozen(rates?.tiers)).toBe(true)
    expect(Object.isFrozen(rates?.tiers[0])).toBe(true)
  })

  test.each([
    ['tiers that are no array', { tiers: tier }, 'prices.m.tiers: expected an array'],
    ['a tier without a bound', { tiers: [price] }, 'prices.m.tiers[0].aboveInputTokens: expected'],
    ['a bound below nothing', { tiers: [{ ...tier, aboveInputTokens: -1 }] }, 'aboveInputTokens: expected'],
    [
      'a price in a tier that is none',
      { tiers: [{ ...tier, inputUsdPerMTok: -1 }] },
      'tiers[0].inputUsdPerMTok',
    ],
    ['a tier with tiers', { tiers: [{ ...tier, tiers: [] }] }, 'tiers'],
    ['an entry that is no string', { entry: 5 }, 'prices.m.entry: expected'],
  ])('are refused: %s', (_what, members, message) => {
    expect(() => Prices.from('prices', { m: { ...price, ...members } })).toThrow(message)
  })
})

describe('a source of prices', () => {
  test('is asked for every model by name', () => {
    const prices = Prices.from('prices', {
      name: 'catalogue',
      price: (model: string) => (model === 'm' ? price : undefined),
    })
    expect(prices.rates('m')).toMatchObject({ input: 3_000_000_000, output: 15_000_000_000, by: 'catalogue' })
    expect(prices.rates('n')).toBeUndefined()
  })

  test('may be an instance of a class, which finds itself as this', () => {
    class Catalogue {
      readonly name = 'catalogue'
      readonly rows = new Map([['m', price]])
      price(model: string): ModelPrice | undefined {
        return this.rows.get(model)
      }
    }
    expect(Prices.from('prices', new Catalogue()).rates('m')).toMatchObject({ input: 3_000_000_000 })
  })

  test('cannot be replaced after it was given, be it a literal or an instance', () => {
    class Catalogue {
      readonly name = 'catalogue'
      price = (): ModelPrice => price
    }
    for (const source of [new Catalogue(), { name: 'catalogue', price: () => price }]) {
      const prices = Prices.from('prices', source)
      source.price = () => ({ inputUsdPerMTok: 0, outputUsdPerMTok: 0 })
      expect(prices.rates('m')).toMatchObject({ input: 3_000_000_000 })
    }
  })

  test.each([
    ['throws', () => expect.fail('the source is down')],
    ['answers with a promise', () => Promise.resolve(price)],
    ['answers with NaN', () => ({ ...price, inputUsdPerMTok: Number.NaN })],
    ['answers with a negative price', () => ({ ...price, outputUsdPerMTok: -1 })],
    ['answers with a string', () => ({ ...price, outputUsdPerMTok: '15' })],
    ['answers with half a price', () => ({ inputUsdPerMTok: 3 })],
    ['answers with null', () => null],
  ])('that %s gives no price: never a guess', (_what, answer) => {
    expect(Prices.from('prices', { name: 'broken', price: answer }).rates('m')).toBeUndefined()
  })

  test.each([
    ['an unknown member', { name: 'x', price: () => price, cache: true }],
    ['no name', { price: () => price }],
    ['a name that is no string', { name: 5, price: () => price }],
  ])('with %s is refused', (_what, source) => {
    expect(() => Prices.from('prices', source)).toThrow(TypeError)
  })
})

describe('several tables and sources', () => {
  const cheap: ModelPrice = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
  const source = (name: string, answer: (model: string) => unknown) => ({ name, price: answer })

  test('are asked in order: the first that knows a model says what it costs', () => {
    const prices = Prices.from('prices', [
      { m: { ...price, entry: 'our contract, 2026-11-01' } },
      source('catalogue', (model) => (model === 'z' ? undefined : cheap)),
      { '*': { inputUsdPerMTok: 100, outputUsdPerMTok: 500 } },
    ])
    expect(prices.rates('m')).toMatchObject({ input: 3_000_000_000, by: 'our contract, 2026-11-01' })
    expect(prices.rates('n')).toMatchObject({ input: 1_000_000_000, by: 'catalogue' })
    expect(prices.rates('z')).toMatchObject({ input: 100_000_000_000, by: 'table *' })
  })

  test.each([
    ['throws', () => expect.fail('broken')],
    ['gives a price that is none', () => ({ inputUsdPerMTok: Number.NaN, outputUsdPerMTok: 1 })],
  ])('are not asked on where one %s: the model has no price then', (_what, answer) => {
    expect(Prices.from('prices', [source('broken', answer), { '*': cheap }]).rates('m')).toBeUndefined()
  })

  test('are read when they are given', () => {
    expect(() => Prices.from('prices', [{ m: price }, { '*': { ...cheap, inputUsdPerMTok: -1 } }])).toThrow(
      'prices[1].*.inputUsdPerMTok: expected',
    )
    expect(() => Prices.from('prices', [[{ m: price }]])).toThrow('prices[0]: expected a table of prices')
  })

  test('a star is the name of no model where there is no row for it', () => {
    expect(Prices.from('prices', { m: price }).rates('*')).toBeUndefined()
  })
})

test('without prices, no model has one', () => {
  const prices = Prices.from('prices', undefined)
  expect(prices.rates('m')).toBeUndefined()
})

describe('what a call costs', () => {
  const base = {
    input: 1_000_000,
    output: 10_000_000,
    cachedInput: 100_000,
    cacheWrite: 2_000_000,
    cacheWrite1h: 4_000_000,
  }
  const rates = { ...base, tiers: [], by: 'table' }

  test('is each kind of token at its own price, and cached ones are not paid twice', () => {
    expect(
      priceUsage(rates, {
        inputTokens: 1000,
        outputTokens: 100,
        cachedInputTokens: 300,
        cacheWriteTokens: 200,
        cacheWrite1hTokens: 50,
      }),
    ).toBe(500 * 1 + 100 * 10 + 30 + 150 * 2 + 50 * 4)
  })

  test('is rounded up, once', () => {
    const cheap = { ...rates, input: 1, output: 1, cachedInput: 1, cacheWrite: 1 }
    expect(
      priceUsage(cheap, {
        inputTokens: 3,
        outputTokens: 1,
        cachedInputTokens: 1,
        cacheWriteTokens: 1,
        cacheWrite1hTokens: 0,
      }),
    ).toBe(1)
  })

  test('is at most the dearest of its prices for every token', () => {
    expect(priceCeiling(rates, 1_000_000)).toBe(10_000_000)
    expect(priceCeiling({ ...rates, cacheWrite: 20_000_000 }, 1_000_000)).toBe(20_000_000)
    expect(priceCeiling({ ...rates, input: 30_000_000 }, 1_000_000)).toBe(30_000_000)
    expect(priceCeiling({ ...rates, cachedInput: 40_000_000 }, 1_000_000)).toBe(40_000_000)
    expect(priceCeiling({ ...rates, cacheWrite1h: 50_000_000 }, 1_000_000)).toBe(50_000_000)
    expect(priceCeiling(rates, 0)).toBe(0)
  })

  describe('where long input has prices of its own', () => {
    const long = { ...base, input: 3_000_000, output: 20_000_000, aboveInputTokens: 1000 }
    const cheapest = { ...base, input: 0, output: 0, cacheWrite1h: 0, cacheWrite: 0, aboveInputTokens: 2000 }
    const tiered = { ...rates, tiers: [long, cheapest] }
    const counts = { outputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, cacheWrite1hTokens: 0 }

    test.each([
      ['as much input as has the lower price', 1000, 1000 * 1 + 10 * 10],
      ['one token more: all of them at the other price', 1001, 1001 * 3 + 10 * 20],
      ['the last of the tiers that it reaches', 2001, 0],
    ])('is, with %s', (_what, inputTokens, nano) => {
      expect(priceUsage(tiered, { ...counts, inputTokens })).toBe(nano)
    })

    test('is at most the dearest of the prices that the call can reach', () => {
      expect(priceBounds(tiered, 1000, 10)).toBe(1000 * 4 + 10 * 10)
      expect(priceBounds(tiered, 1001, 10)).toBe(1001 * 4 + 10 * 20)
      expect(priceBounds(tiered, 5000, 10)).toBe(5000 * 4 + 10 * 20)
      expect(priceCeiling(tiered, 1000)).toBe(1000 * 10)
      expect(priceCeiling(tiered, 5000)).toBe(5000 * 20)
    })
  })
})
