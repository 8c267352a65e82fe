import { describe, expect, test } from 'vitest'
import { parseUsage, readTokens, readUsd } from '../../../src/contract/usage.js'
import { UsageInvalid } from '../../../src/core/usage-errors.js'
import { thrown } from '../../support/agents.js'

const usage = { model: 'm', inputTokens: 10, outputTokens: 5 }
const TOKENS = [
  'inputTokens',
  'outputTokens',
  'cachedInputTokens',
  'cacheWriteTokens',
  'cacheWrite1hTokens',
  'reasoningTokens',
] as const

function expectRefused(reported: unknown, field: string): void {
  const error = thrown(() => parseUsage(reported))
  expect(error).toBeInstanceOf(UsageInvalid)
  expect(error).toMatchObject({ code: 'ERR_USAGE_INVALID', field })
}

test('usage is read with money as nano-USD, and absent counts as zero', () => {
  expect(parseUsage({ ...usage, costUsd: 0.012, latencyMs: 812.5 })).toEqual({
    model: 'm',
    inputTokens: 10,
    outputTokens: 5,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    cacheWrite1hTokens: 0,
    reasoningTokens: 0,
    costUsd: 12_000_000,
    latencyMs: 812.5,
    estimated: false,
    error: undefined,
  })
  expect(parseUsage(usage)).toMatchObject({ costUsd: undefined, latencyMs: undefined })
})

test('zero is a count, an amount and a time', () => {
  const zero = { model: 'm', inputTokens: 0, outputTokens: 0, costUsd: 0, latencyMs: 0 }
  expect(parseUsage(zero)).toMatchObject(zero)
})

describe.each(TOKENS)('%s', (field) => {
  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-1', -1],
    ['1.5', 1.5],
    ['2^53', 2 ** 53],
    ["'5'", '5'],
    ['null', null],
    ['5n', 5n],
    ['true', true],
    ['an object that is a number when asked', { valueOf: () => 5 }],
  ])('refuses %s, by name', (_what, value) => {
    expectRefused({ ...usage, [field]: value }, field)
    const error = thrown(() => parseUsage({ ...usage, [field]: value }))
    expect((error as UsageInvalid).value).toBe(value)
  })
})

test.each(['inputTokens', 'outputTokens'])('%s must be there', (field) => {
  expectRefused({ ...usage, [field]: undefined }, field)
})

describe('costUsd', () => {
  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-0.01', -0.01],
    ['2^53', 2 ** 53],
    ["'5'", '5'],
    ['null', null],
    ['5n', 5n],
  ])('refuses %s', (_what, value) => {
    expectRefused({ ...usage, costUsd: value }, 'costUsd')
  })

  test('is rounded up to a nano-USD', () => {
    expect(parseUsage({ ...usage, costUsd: 1e-12 }).costUsd).toBe(1)
  })
})

describe('latencyMs', () => {
  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-1', -1],
    ["'5'", '5'],
    ['null', null],
  ])('refuses %s', (_what, value) => {
    expectRefused({ ...usage, latencyMs: value }, 'latencyMs')
  })
})

describe('model', () => {
  test.each([
    ['an empty one', ''],
    ['one of 257 characters', 'm'.repeat(257)],
    ['a number', 5],
    ['null', null],
    ['none', undefined],
  ])('refuses %s', (_what, model) => {
    expectRefused({ ...usage, model }, 'model')
  })

  test('takes 256 characters', () => {
    expect(parseUsage({ ...usage, model: 'm'.repeat(256) }).model).toHaveLength(256)
  })
})

describe('counts that cannot be parts of one another', () => {
  test.each([
    ['more cached than input', { cachedInputTokens: 11 }, 'inputTokens'],
    ['more written to a cache than input', { cacheWriteTokens: 11 }, 'inputTokens'],
    [
      'more cached and written together than input',
      { cachedInputTokens: 6, cacheWriteTokens: 5 },
      'inputTokens',
    ],
    [
      'more kept for an hour than written to a cache',
      { cacheWriteTokens: 1, cacheWrite1hTokens: 2 },
      'cacheWriteTokens',
    ],
    ['more reasoning than output', { reasoningTokens: 6 }, 'outputTokens'],
    [
      'more together than can be counted',
      { inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: 1 },
      'outputTokens',
    ],
  ])('are refused: %s', (_what, parts, field) => {
    expectRefused({ ...usage, ...parts }, field)
  })

  test('may be all of one another', () => {
    const whole = {
      ...usage,
      cachedInputTokens: 6,
      cacheWriteTokens: 4,
      cacheWrite1hTokens: 4,
      reasoningTokens: 5,
    }
    expect(parseUsage(whole)).toMatchObject(whole)
  })
})

describe('the object', () => {
  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a number', 5],
    ['an array', []],
    ['a class instance', Object.assign(new (class Usage {})(), usage)],
  ])('is refused as %s', (_what, reported) => {
    expectRefused(reported, '(all)')
  })

  test.each(['input_tokens', 'totalTokens', 'cost'])('is refused with an unknown member %s', (name) => {
    expectRefused({ ...usage, [name]: 1 }, name)
  })

  test('is refused with a symbol', () => {
    expectRefused({ ...usage, [Symbol('x')]: 1 }, 'Symbol(x)')
  })

  test('lends nothing from its prototype', () => {
    expectRefused(Object.assign(Object.create(null), { model: 'm', outputTokens: 1 }), 'inputTokens')
    const polluted = Object.prototype as { inputTokens?: number }
    polluted.inputTokens = 0
    try {
      expectRefused({ model: 'm', outputTokens: 1 }, 'inputTokens')
    } finally {
      Reflect.deleteProperty(polluted, 'inputTokens')
    }
  })

  test('has every member read once', () => {
    let reads = 0
    const parsed = parseUsage({
      ...usage,
      get inputTokens() {
        reads += 1
        return reads === 1 ? 10 : Number.NaN
      },
    })
    expect(parsed.inputTokens).toBe(10)
    expect(reads).toBe(1)
  })
})

test('readTokens and readUsd name their field', () => {
  expect(readTokens('maxTokens', 5)).toBe(5)
  expect(readUsd('maxUsd', 0.5)).toBe(500_000_000)
  expect(thrown(() => readTokens('maxTokens', 1.5))).toMatchObject({ field: 'maxTokens', value: 1.5 })
  expect(thrown(() => readUsd('maxUsd', Number.NaN))).toMatchObject({ field: 'maxUsd', value: Number.NaN })
})
