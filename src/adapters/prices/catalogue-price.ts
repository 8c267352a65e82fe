import type { ModelPrice, PriceTier, TokenPrice } from '../../index.js'

/** What a catalogue says of a unit: one price, or one that changes with the input of a call. */
export type UnitPrice =
  | number
  | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] }

/** A model's prices, by the catalogue's names of units. */
export type UnitPrices = { readonly [unit: string]: UnitPrice | undefined }

/** Units that a call costs beyond its tokens: a price by tokens alone would be too low. */
const BEYOND_TOKENS = ['requests_kcount', 'input_text_messages_kcount'] as const

/**
 * The price of a model as the contract takes it.
 *
 * @returns `undefined` for a model that is not priced by tokens alone, or in a way that is not known here.
 */
export function cataloguePrice(units: UnitPrices): ModelPrice | undefined {
  if (BEYOND_TOKENS.some((unit) => units[unit] !== undefined)) return undefined
  const base = priceAbove(units, undefined)
  if (base === undefined) return undefined
  const starts = new Set<number>()
  for (const unit of Object.values(units)) {
    if (typeof unit === 'object') for (const { start } of unit.tiers) starts.add(start)
  }
  const tiers: PriceTier[] = []
  for (const aboveInputTokens of starts) {
    const price = priceAbove(units, aboveInputTokens)
    if (price === undefined) return undefined
    tiers.push({ ...price, aboveInputTokens })
  }
  return tiers.length === 0 ? base : { ...base, tiers }
}

/** What tokens cost in a call with a little more input than `start`; without it, in the shortest one. */
function priceAbove(units: UnitPrices, start: number | undefined): TokenPrice | undefined {
  const price = (unit: string): number | undefined => {
    const value = units[unit]
    if (typeof value !== 'object') return value
    if (start === undefined) return value.base
    const reached = value.tiers.filter((tier) => tier.start <= start)
    return reached.reduce((last, tier) => (tier.start > last.start ? tier : last), {
      start: -1,
      price: value.base,
    }).price
  }
  const input = price('input_mtok')
  if (input === undefined) return undefined
  // A model of embeddings makes no output. Reasoning is part of the output, and is charged as its dearest.
  const output = Math.max(price('output_mtok') ?? 0, price('output_reasoning_mtok') ?? 0)
  const cachedInput = price('cache_read_mtok')
  const cacheWrite = price('cache_write_mtok')
  const cacheWrite1h = price('cache_write_1h_mtok')
  return {
    inputUsdPerMTok: input,
    outputUsdPerMTok: output,
    ...(cachedInput === undefined ? {} : { cachedInputUsdPerMTok: cachedInput }),
    ...(cacheWrite === undefined ? {} : { cacheWriteUsdPerMTok: cacheWrite }),
    ...(cacheWrite1h === undefined ? {} : { cacheWrite1hUsdPerMTok: cacheWrite1h }),
  }
}
