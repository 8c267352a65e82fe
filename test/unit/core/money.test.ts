import { describe, expect, test } from 'vitest'
import { formatUsd, fromNanoUsd, MAX_USD, priceTokens, toNanoUsd } from '../../../src/core/money.js'

describe('toNanoUsd', () => {
  test.each([
    [0, 0],
    [0.000_000_001, 1],
    [0.000_001, 1000],
    [0.1, 100_000_000],
    [0.3, 300_000_000],
    [0.1 + 0.2, 300_000_001],
    [1.005, 1_005_000_000],
    [5, 5_000_000_000],
    // Where the product of a double and 10^9 is itself rounded.
    [4_301_813.687_310_671, 4_301_813_687_310_671],
    [MAX_USD, 9_007_199_000_000_000],
  ])('%d US dollars are %d nano-USD', (usd, amount) => {
    expect(toNanoUsd(usd)).toBe(amount)
  })

  test.each([
    ['half a nano-USD', 0.000_000_000_5, 1],
    ['the least number there is', Number.MIN_VALUE, 1],
    ['a little more than a nano-USD', 0.000_000_001_000_1, 2],
    ['the neighbour of a tenth', 0.100_000_000_000_000_02, 100_000_001],
    ['a number whose product looks whole', 6_925_258.358_121_010_5, 6_925_258_358_121_011],
  ])('%s is rounded up', (_what, usd, amount) => {
    expect(toNanoUsd(usd)).toBe(amount)
  })

  test('minus zero is zero', () => {
    expect(toNanoUsd(-0)).toBe(0)
  })

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['a negative amount', -0.01],
    ['the least negative number', -Number.MIN_VALUE],
    ['more than the most', 9_007_199.000_000_01],
    ['2^53', 2 ** 53],
    ['a string', '5'],
    ['an empty string', ''],
    ['a bigint', 5n],
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['an object that is a number when asked', { valueOf: () => 5 }],
    ['a boxed number', Object(5)],
    ['an array', [5]],
  ])('%s is no amount', (_what, usd) => {
    expect(toNanoUsd(usd)).toBeUndefined()
  })
})

test('fromNanoUsd gives the double nearest to the amount', () => {
  expect(fromNanoUsd(1)).toBe(1e-9)
  expect(fromNanoUsd(300_000_000)).toBe(0.3)
  expect(fromNanoUsd(0)).toBe(0)
})

describe('formatUsd', () => {
  test.each([
    [0, '0'],
    [1, '0.000000001'],
    [10, '0.00000001'],
    [1000, '0.000001'],
    [100_000_000, '0.1'],
    [1_000_000_000, '1'],
    [1_500_000_000, '1.5'],
    [12_345_678_901, '12.345678901'],
    [100_000_000_000, '100'],
    [9_007_199_254_740_991, '9007199.254740991'],
  ])('prints %d nano-USD as %s', (amount, text) => {
    expect(formatUsd(amount)).toBe(text)
  })
})

describe('priceTokens', () => {
  test.each([
    ['nothing', [], 0],
    ['a million tokens at their price', [[1_000_000, 3_000_000_000]], 3_000_000_000],
    ['one token, rounded up', [[1, 1]], 1],
    ['tokens that are free', [[1_000_000, 0]], 0],
    [
      'parts, rounded up once and not one by one',
      [
        [1, 400_000],
        [1, 600_000],
      ],
      1,
    ],
    ['a million and one tokens at a millionth each', [[1_000_001, 1]], 2],
    ['products beyond 2^53', [[9_007_199_254_740_991, 1_000_000]], 9_007_199_254_740_991],
  ] as [string, [number, number][], number][])('%s', (_what, parts, price) => {
    expect(priceTokens(parts)).toBe(price)
  })
})
