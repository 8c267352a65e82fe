import { describe } from '../core/describe.js'
import { isPlainObject, readFunction, readOptions } from '../core/guards.js'
import { MAX_USD, type NanoUsd, priceTokens, toNanoUsd } from '../core/money.js'
import type { TokenCounts } from './usage.js'

/** What a model costs, in US dollars per million tokens. */
export interface ModelPrice {
  readonly inputUsdPerMTok: number
  readonly outputUsdPerMTok: number
  /** For input tokens read from a cache; without it they cost what input costs. */
  readonly cachedInputUsdPerMTok?: number
  /** For input tokens written to a cache; without it they cost what input costs. */
  readonly cacheWriteUsdPerMTok?: number
}

/** Prices by exact model name. */
export type PriceTable = { readonly [model: string]: ModelPrice }

/** Where prices come from when a table is not enough. */
export interface PriceSource {
  /** Recorded as `priced_by`. */
  readonly name: string
  /** The price of a model, or `undefined` when it is not known: then a session limited in US dollars refuses the call. */
  readonly price: (model: string) => ModelPrice | undefined
}

/** Nano-USD per million tokens: an integer for every price with at most nine decimal places. */
export interface Rates {
  readonly input: number
  readonly output: number
  readonly cachedInput: number
  readonly cacheWrite: number
}

const PRICE_KEYS = [
  'inputUsdPerMTok',
  'outputUsdPerMTok',
  'cachedInputUsdPerMTok',
  'cacheWriteUsdPerMTok',
] as const satisfies readonly (keyof ModelPrice)[]

/** The prices of an agent, parsed once. */
export class Prices {
  readonly name: string
  readonly #lookup: (model: string) => Rates | undefined

  private constructor(name: string, lookup: (model: string) => Rates | undefined) {
    this.name = name
    this.#lookup = lookup
  }

  /** @throws TypeError or RangeError for what is neither a table of prices nor a {@link PriceSource}. */
  static from(label: string, value: unknown): Prices {
    if (value === undefined) return new Prices('none', () => undefined)
    if (!isPlainObject(value)) {
      // A source may be an instance of a class: its two documented members are read now, and not again.
      const { name, price } = (value ?? {}) as Partial<PriceSource>
      if (typeof price === 'function' && typeof name === 'string')
        return Prices.#ofSource(label, { name, price: (model) => price.call(value, model) })
      throw new TypeError(`${label}: expected a table of prices or a price source, got ${describe(value)}`)
    }
    if (typeof value['price'] === 'function') {
      const { name, price } = readOptions(label, value, ['name', 'price'])
      if (typeof name !== 'string')
        throw new TypeError(`${label}.name: expected a string, got ${describe(name)}`)
      return Prices.#ofSource(label, {
        name,
        price: readFunction<PriceSource['price']>(`${label}.price`, price),
      })
    }
    const table = new Map<string, Rates>()
    for (const model of Object.keys(value)) table.set(model, parsePrice(`${label}.${model}`, value[model]))
    return new Prices('table', (model) => table.get(model))
  }

  static #ofSource(label: string, source: PriceSource): Prices {
    const { name } = source
    return new Prices(name, (model) => {
      const price = source.price(model)
      return price === undefined ? undefined : parsePrice(`${label}(${model})`, price)
    })
  }

  /** The rates of a model; `undefined` when it has none or its source fails: never a guess. */
  rates(model: string): Rates | undefined {
    try {
      return this.#lookup(model)
    } catch {
      return undefined
    }
  }
}

function parsePrice(label: string, value: unknown): Rates {
  const given = readOptions(label, value, PRICE_KEYS)
  const rate = (key: (typeof PRICE_KEYS)[number]): number | undefined => {
    const usd = given[key]
    if (usd === undefined) return undefined
    const nano = toNanoUsd(usd)
    if (nano === undefined)
      throw new RangeError(`${label}.${key}: expected 0 to ${MAX_USD} US dollars, got ${describe(usd)}`)
    return nano
  }
  const input = rate('inputUsdPerMTok')
  const output = rate('outputUsdPerMTok')
  if (input === undefined || output === undefined) {
    throw new TypeError(`${label}: needs inputUsdPerMTok and outputUsdPerMTok`)
  }
  return Object.freeze({
    input,
    output,
    cachedInput: rate('cachedInputUsdPerMTok') ?? input,
    cacheWrite: rate('cacheWriteUsdPerMTok') ?? input,
  })
}

/** What a call cost at these rates, rounded up to a nano-USD. */
export function priceUsage(rates: Rates, counts: TokenCounts): NanoUsd {
  const plainInput = counts.inputTokens - counts.cachedInputTokens - counts.cacheWriteTokens
  return priceTokens([
    [plainInput, rates.input],
    [counts.cachedInputTokens, rates.cachedInput],
    [counts.cacheWriteTokens, rates.cacheWrite],
    [counts.outputTokens, rates.output],
  ])
}

/** What `tokens` tokens cost at most at these rates. */
export function priceCeiling(rates: Rates, tokens: number): NanoUsd {
  return priceTokens([[tokens, Math.max(rates.input, rates.output, rates.cachedInput, rates.cacheWrite)]])
}

/** What a call of so many tokens of input and of output costs at most at these rates. */
export function priceBounds(rates: Rates, inputTokens: number, outputTokens: number): NanoUsd {
  return priceTokens([
    [inputTokens, Math.max(rates.input, rates.cachedInput, rates.cacheWrite)],
    [outputTokens, rates.output],
  ])
}
