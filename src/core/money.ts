/**
 * Money is an integer count of nano-USD (10⁻⁹ US dollars), so that sums are exact.
 *
 * The largest amount is 2^53 − 1 nano-USD, a little over nine million US dollars.
 */
export type NanoUsd = number

const NANO = 1_000_000_000

/** Largest amount in US dollars that {@link toNanoUsd} takes. */
export const MAX_USD = 9_007_199

/**
 * Converts US dollars to nano-USD: exactly for an amount with at most nine decimal places (up to 2^23, beyond
 * which a double cannot tell them apart), rounded **up** otherwise, so that a great many tiny charges cannot
 * add up to nothing.
 *
 * @returns `undefined` when `usd` is no finite number from 0 to {@link MAX_USD}.
 */
export function toNanoUsd(usd: unknown): NanoUsd | undefined {
  if (typeof usd !== 'number' || !(usd >= 0 && usd <= MAX_USD)) return undefined
  if (usd === 0) return 0
  const nearest = Math.round(usd * NANO)
  if (nearest / NANO === usd) return nearest
  // The product is rounded and may be off by one. Division is correctly rounded, so the least integer that
  // reaches `usd` is the decimal that it stands for, and where there is none, the next one up.
  let amount = nearest - 2
  while (amount / NANO < usd) amount += 1
  return amount
}

/** The amount in US dollars, as the double nearest to it. */
export function fromNanoUsd(amount: NanoUsd): number {
  return amount / NANO
}

/** The amount as a decimal number of US dollars with at most nine places, printed from the integer. */
export function formatUsd(amount: NanoUsd): string {
  const whole = Math.floor(amount / NANO)
  const fraction = amount % NANO
  return fraction === 0 ? String(whole) : `${whole}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`
}

/**
 * The price of some tokens: the sum of `tokens × rate` over the parts, rounded up to a whole nano-USD.
 *
 * @param parts pairs of a token count and a rate in nano-USD per million tokens.
 * @returns a value that may exceed the largest amount; the caller refuses that.
 */
export function priceTokens(parts: readonly (readonly [tokens: number, nanoUsdPerMTok: number])[]): NanoUsd {
  let total = 0n
  for (const [tokens, rate] of parts) total += BigInt(tokens) * BigInt(rate)
  return Number((total + 999_999n) / 1_000_000n)
}
