import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatUsd, fromNanoUsd, MAX_USD, priceTokens, toNanoUsd } from '../../src/core/money.js'

const NANO = 1_000_000_000
/** Below this many US dollars, neighbouring doubles are less than a nano-USD apart, so every nano-USD has its own. */
const DISTINCT_USD = 2 ** 23

const nano = fc.oneof(
  fc.maxSafeNat().map((n) => n % (DISTINCT_USD * NANO)),
  fc.nat({ max: 10_000 }),
  fc.nat({ max: 1_000_000 }).map((n) => n * 1000),
)
const usd = fc.oneof(
  fc.double({ min: 0, max: MAX_USD, noNaN: true }),
  fc.double({ min: 0, max: 1e-6, noNaN: true }),
  // The neighbours of decimals: the nearest to being exact without being it.
  fc.tuple(nano, fc.constantFrom(1n, -1n)).map(([n, step]) => neighbour(n / NANO, step)),
)

const bits = new DataView(new ArrayBuffer(8))

function neighbour(value: number, step: bigint): number {
  if (value === 0) return Number.MIN_VALUE
  bits.setFloat64(0, value)
  bits.setBigUint64(0, bits.getBigUint64(0) + step)
  return bits.getFloat64(0)
}

/** A double as the fraction that it is. */
function fraction(value: number): { readonly over: bigint; readonly under: bigint } {
  bits.setFloat64(0, value)
  const raw = bits.getBigUint64(0)
  const exponent = Number((raw >> 52n) & 0x7ffn)
  const mantissa = (raw & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n)
  const shift = (exponent === 0 ? 1 : exponent) - 1075
  return shift < 0
    ? { over: mantissa, under: 1n << BigInt(-shift) }
    : { over: mantissa << BigInt(shift), under: 1n }
}

describe('an amount with at most nine decimal places', () => {
  test('is converted exactly, there and back', () => {
    fc.assert(
      fc.property(nano, (n) => {
        expect(toNanoUsd(fromNanoUsd(n))).toBe(n)
        // As people write it: the double nearest to the decimal.
        expect(toNanoUsd(Number(`${Math.floor(n / NANO)}.${String(n % NANO).padStart(9, '0')}`))).toBe(n)
      }),
      { numRuns: 5000 },
    )
  })

  test('is printed as the decimal it is, without an exponent or needless zeros', () => {
    fc.assert(
      fc.property(nano, (n) => {
        const text = formatUsd(n)
        expect(text).toMatch(/^(?:0|[1-9]\d*)(?:\.\d{0,8}[1-9])?$/)
        const [whole = '', decimals = ''] = text.split('.')
        expect(BigInt(whole + decimals.padEnd(9, '0'))).toBe(BigInt(n))
        expect(toNanoUsd(JSON.parse(text))).toBe(n)
      }),
      { numRuns: 5000 },
    )
  })

  test('adds up exactly, in any number', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100 * NANO }), { maxLength: 200 }), (amounts) => {
        const total = amounts.reduce((sum, n) => sum + (toNanoUsd(fromNanoUsd(n)) as number), 0)
        expect(BigInt(total)).toBe(amounts.reduce((sum, n) => sum + BigInt(n), 0n))
      }),
    )
  })
})

test('any other amount is rounded up, by less than a nano-USD', () => {
  fc.assert(
    fc.property(usd, (value) => {
      const n = toNanoUsd(value) as number
      expect(Number.isSafeInteger(n)).toBe(true)
      if (fromNanoUsd(n) === value) return
      const { over, under } = fraction(value)
      const exact = over * BigInt(NANO)
      expect(BigInt(n) * under > exact).toBe(true)
      expect((BigInt(n) - 1n) * under < exact).toBe(true)
    }),
    { numRuns: 20_000 },
  )
})

test('a larger amount is never fewer nano-USD', () => {
  fc.assert(
    fc.property(usd, usd, (a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a]
      expect(toNanoUsd(less)).toBeLessThanOrEqual(toNanoUsd(more) as number)
    }),
    { numRuns: 5000 },
  )
})

test('whatever is not an amount has no value, and nothing throws', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const isAmount = typeof value === 'number' && value >= 0 && value <= MAX_USD
      expect(toNanoUsd(value) !== undefined).toBe(isAmount)
    }),
    { numRuns: 2000 },
  )
})

describe('the price of tokens', () => {
  const part = fc.tuple(fc.nat({ max: 10_000_000 }), fc.nat({ max: 1000 * NANO }))

  test('is the exact sum, rounded up once', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const exact = parts.reduce((sum, [tokens, rate]) => sum + BigInt(tokens) * BigInt(rate), 0n)
        const price = BigInt(priceTokens(parts))
        expect(price * 1_000_000n >= exact).toBe(true)
        expect((price - 1n) * 1_000_000n < exact).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('of tokens that cost anything is never nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: NANO }), (tokens, rate) => {
        expect(priceTokens([[tokens, rate]])).toBeGreaterThan(0)
      }),
    )
  })
})
