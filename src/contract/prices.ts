import { describe } from '../core/describe.js'
import { isPlainObject, readCount, readFunction, readOptions, readText } from '../core/guards.js'
import { MAX_USD, toNanoUsd } from '../core/money.js'
import type { BaseRates, Rates } from './rates.js'

/** What tokens cost, in US dollars per million. */
export interface TokenPrice {
  readonly inputUsdPerMTok: number
  readonly outputUsdPerMTok: number
  /** For input tokens read from a cache; without it they cost what input costs. */
  readonly cachedInputUsdPerMTok?: number
  /** For input tokens written to a cache; without it they cost what input costs. */
  readonly cacheWriteUsdPerMTok?: number
  /** For input tokens written to a cache that keeps them for an hour; without it they cost what cache writes cost. */
  readonly cacheWrite1hUsdPerMTok?: number
}

/** What a model costs in calls with more than so many tokens of input: all tokens of such a call cost this. */
export interface PriceTier extends TokenPrice {
  readonly aboveInputTokens: number
}

/** What a model costs. */
export interface ModelPrice extends TokenPrice {
  /** Other prices for long input. */
  readonly tiers?: readonly PriceTier[]
  /** Which entry of a source this is, up to 256 characters; recorded as `priced_by` in the place of the source's name. */
  readonly entry?: string
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

const PRICE_KEYS = [
  'inputUsdPerMTok',
  'outputUsdPerMTok',
  'cachedInputUsdPerMTok',
  'cacheWriteUsdPerMTok',
  'cacheWrite1hUsdPerMTok',
] as const satisfies readonly (keyof TokenPrice)[]

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
  const { tiers, entry, ...given } = readOptions(label, value, [...PRICE_KEYS, 'tiers', 'entry'])
  if (tiers !== undefined && !Array.isArray(tiers))
    throw new TypeError(`${label}.tiers: expected an array, got ${describe(tiers)}`)
  const parsed = (tiers ?? []).map((tier, index) => parseTier(`${label}.tiers[${index}]`, tier))
  parsed.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens)
  return Object.freeze({
    ...parseTokenPrice(label, given),
    tiers: Object.freeze(parsed),
    entry: entry === undefined ? undefined : readText(`${label}.entry`, entry, 256),
  })
}

function parseTier(label: string, value: unknown): Rates['tiers'][number] {
  const { aboveInputTokens, ...given } = readOptions(label, value, [...PRICE_KEYS, 'aboveInputTokens'])
  return Object.freeze({
    ...parseTokenPrice(label, given),
    aboveInputTokens: readCount(`${label}.aboveInputTokens`, aboveInputTokens),
  })
}

function parseTokenPrice(label: string, given: { readonly [K in keyof TokenPrice]?: unknown }): BaseRates {
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
  const cacheWrite = rate('cacheWriteUsdPerMTok') ?? input
  return {
    input,
    output,
    cachedInput: rate('cachedInputUsdPerMTok') ?? input,
    cacheWrite,
    cacheWrite1h: rate('cacheWrite1hUsdPerMTok') ?? cacheWrite,
  }
}
