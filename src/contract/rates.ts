import { type NanoUsd, priceTokens } from '../core/money.js'
import type { TokenCounts } from './usage.js'

/** Nano-USD per million tokens: an integer for every price with at most nine decimal places. */
export interface BaseRates {
  readonly input: number
  readonly output: number
  readonly cachedInput: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
}

/** The rates of a model. */
export interface Rates extends BaseRates {
  /** Other rates for calls with more input, by rising `aboveInputTokens`. */
  readonly tiers: readonly (BaseRates & { readonly aboveInputTokens: number })[]
  /** Who says so: recorded as `priced_by`. */
  readonly by: string
}

/** What a call cost at these rates, rounded up to a nano-USD. */
export function priceUsage(rates: Rates, counts: TokenCounts): NanoUsd {
  const { inputTokens, cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens } = counts
  const at = applicable(rates, inputTokens).at(-1) ?? rates
  return priceTokens([
    [inputTokens - cachedInputTokens - cacheWriteTokens, at.input],
    [cachedInputTokens, at.cachedInput],
    [cacheWriteTokens - cacheWrite1hTokens, at.cacheWrite],
    [cacheWrite1hTokens, at.cacheWrite1h],
    [counts.outputTokens, at.output],
  ])
}

/** What `tokens` tokens cost at most at these rates. */
export function priceCeiling(rates: Rates, tokens: number): NanoUsd {
  return priceTokens([
    [tokens, Math.max(...applicable(rates, tokens).flatMap((at) => [dearestInput(at), at.output]))],
  ])
}

/** What a call of so many tokens of input and of output costs at most at these rates. */
export function priceBounds(rates: Rates, inputTokens: number, outputTokens: number): NanoUsd {
  const possible = applicable(rates, inputTokens)
  return priceTokens([
    [inputTokens, Math.max(...possible.map(dearestInput))],
    [outputTokens, Math.max(...possible.map((at) => at.output))],
  ])
}

const dearestInput = (at: BaseRates): number =>
  Math.max(at.input, at.cachedInput, at.cacheWrite, at.cacheWrite1h)

/** The rates of a call with at most so many tokens of input, with the one of just so many last. */
function applicable(rates: Rates, inputTokens: number): readonly BaseRates[] {
  return [rates, ...rates.tiers.filter(({ aboveInputTokens }) => inputTokens > aboveInputTokens)]
}
