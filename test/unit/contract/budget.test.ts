import { describe, expect, test } from 'vitest'
import { display, LIMIT_NAMES, narrowLimits, parseBudget } from '../../../src/contract/budget.js'
import type { LimitName } from '../../../src/core/limits.js'

const NONE = Number.POSITIVE_INFINITY

describe('parseBudget', () => {
  test('fills in what is absent as unlimited, and money as nano-USD', () => {
    expect({ ...parseBudget('budget', { usd: 1.5, toolCalls: 10 }) }).toEqual({
      usd: 1_500_000_000,
      tokens: NONE,
      wallMs: NONE,
      toolCalls: 10,
      llmCalls: NONE,
      depth: NONE,
      denials: NONE,
    })
  })

  test.each(LIMIT_NAMES)('takes %s: 0 as zero, and minus zero too', (name) => {
    expect(Object.is(parseBudget('budget', { [name]: 0 })[name], 0)).toBe(true)
    expect(Object.is(parseBudget('budget', { [name]: -0 })[name], 0)).toBe(true)
  })

  test('takes the largest there is', () => {
    expect(parseBudget('budget', { usd: 9_007_199 }).usd).toBe(9_007_199_000_000_000)
    expect(parseBudget('budget', { tokens: Number.MAX_SAFE_INTEGER }).tokens).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('returns a frozen copy without a prototype', () => {
    const budget = { usd: 5 }
    const limits = parseBudget('budget', budget)
    budget.usd = 500
    expect(limits.usd).toBe(5_000_000_000)
    expect(Object.isFrozen(limits)).toBe(true)
    expect(Object.getPrototypeOf(limits)).toBeNull()
  })

  test('reads every limit once, so that a getter cannot take it back', () => {
    let reads = 0
    const limits = parseBudget('budget', {
      get usd() {
        reads += 1
        return reads === 1 ? 5 : undefined
      },
    })
    expect(limits.usd).toBe(5_000_000_000)
  })

  const WRONG_TYPE: readonly (readonly [string, unknown])[] = [
    ["'5'", '5'],
    ["''", ''],
    ['null', null],
    ['true', true],
    ['5n', 5n],
    ['an object that is a number when asked', { valueOf: () => 5 }],
    ['a boxed number', Object(5)],
    ['[5]', [5]],
    ['a function', () => 5],
  ]
  const OUT_OF_RANGE: readonly (readonly [string, number])[] = [
    ['NaN', Number.NaN],
    ['Infinity', NONE],
    ['1e400', Number('1e400')],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['-1', -1],
    ['2^53', 2 ** 53],
  ]

  describe.each(LIMIT_NAMES)('refuses, naming it, a %s', (name) => {
    test.each(WRONG_TYPE)('of %s', (_what, value) => {
      const parse = (): unknown => parseBudget('budget', { [name]: value })
      expect(parse).toThrow(TypeError)
      expect(parse).toThrow(`budget.${name}: expected a number`)
    })

    test.each(OUT_OF_RANGE)('of %s', (_what, value) => {
      const parse = (): unknown => parseBudget('budget', { [name]: value })
      expect(parse).toThrow(RangeError)
      expect(parse).toThrow(`budget.${name}: expected `)
    })
  })

  test.each(LIMIT_NAMES.filter((name) => name !== 'usd'))('refuses a fraction of %s', (name) => {
    expect(() => parseBudget('budget', { [name]: 1.5 })).toThrow(RangeError)
  })

  test.each([0.000_000_000_1, 1.000_000_000_1, 5.123_456_789_1, 1e-300])(
    'refuses %d US dollars: more than nine places',
    (usd) => {
      expect(() => parseBudget('budget', { usd })).toThrow(RangeError)
      expect(() => parseBudget('budget', { usd })).toThrow('budget.usd: expected at most nine decimal places')
    },
  )

  test('refuses more US dollars than it can count', () => {
    expect(() => parseBudget('budget', { usd: 9_007_200 })).toThrow(RangeError)
  })

  test.each([
    ['no limit', {}],
    ['only limits that are undefined', { usd: undefined, tokens: undefined }],
  ])('refuses %s', (_what, budget) => {
    expect(() => parseBudget('budget', budget)).toThrow(TypeError)
    expect(() => parseBudget('budget', budget)).toThrow('budget: sets no limit')
  })

  test.each([
    ['an unknown limit', { usd: 5, toolcalls: 1 }],
    ['a limit in the spelling of the log', { usd: 5, tool_calls: 1 }],
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['an array', [5]],
    ['limits that are inherited', Object.create({ usd: 5 })],
  ])('refuses %s', (_what, budget) => {
    expect(() => parseBudget('budget', budget)).toThrow(TypeError)
  })
})

describe('narrowLimits', () => {
  const base = parseBudget('budget', { usd: 5, toolCalls: 10, depth: 0 })

  test.each(LIMIT_NAMES)('takes a %s that is lower or equal, or that the agent does not limit', (name) => {
    const asked = parseBudget('budget', { [name]: 0 })
    expect(narrowLimits('budget', base, asked)[name]).toBe(0)
    expect(narrowLimits('budget', asked, asked)[name]).toBe(0)
  })

  test('keeps what is not asked for, and freezes the result', () => {
    const limits = narrowLimits('budget', base, parseBudget('budget', { usd: 1, tokens: 100 }))
    expect({ ...limits }).toEqual({
      usd: 1_000_000_000,
      tokens: 100,
      wallMs: NONE,
      toolCalls: 10,
      llmCalls: NONE,
      depth: 0,
      denials: NONE,
    })
    expect(Object.isFrozen(limits)).toBe(true)
  })

  test.each(LIMIT_NAMES)('refuses a %s above the base', (name: LimitName) => {
    const one = parseBudget('budget', { [name]: 1 })
    const more = parseBudget('budget', { [name]: name === 'usd' ? 1.000_000_001 : 2 })
    expect(() => narrowLimits('budget', one, more)).toThrow(RangeError)
    expect(() => narrowLimits('budget', one, more)).toThrow(
      `budget.${name}: ${display(name, more[name])} is above the agent's 1`,
    )
  })
})

test('limits are shown in the unit that people use', () => {
  expect(display('usd', 1_500_000_000)).toBe(1.5)
  expect(display('tokens', 1500)).toBe(1500)
})
