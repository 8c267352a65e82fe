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
  /** Where this price is from, up to 256 characters; recorded as `priced_by` instead of the name of the source. */
  readonly entry?: string
}

/** Prices by exact model name; `*` is what every model costs that has no row. */
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

/** A table, a source, or several of either: the first that knows a model says what it costs. */
export type PriceOptions = PriceTable | PriceSource | readonly (PriceTable | PriceSource)[]

type Lookup = (model: string) => Rates | undefined

/** The prices of an agent, parsed once. */
export class Prices {
  readonly #lookup: Lookup

  private constructor(lookup: Lookup) {
    this.#lookup = lookup
  }

  /** @throws TypeError or RangeError for what is no {@link PriceOptions}. */
  static from(label: string, value: unknown): Prices {
    if (value === undefined) return new Prices(() => undefined)
    if (!Array.isArray(value)) return new Prices(readLookup(label, value))
    const lookups = value.map((one: unknown, index) => readLookup(`${label}[${index}]`, one))
    return new Prices((model) => {
      for (const lookup of lookups) {
        const rates = lookup(model)
        if (rates !== undefined) return rates
      }
      return undefined
    })
  }

  /** The rates of a model; `undefined` when it has none or a source fails: never a guess. */
  rates(model: string): Rates | undefined {
    try {
      return this.#lookup(model)
    } catch {
      return undefined
    }
  }
}

function readLookup(label: string, value: unknown): Lookup {
  if (!isPlainObject(value)) {
    // A source may be an instance of a class: its two documented members are read now, and not again.
    const { name, price } = (value ?? {}) as Partial<PriceSource>
    if (typeof price === 'function' && typeof name === 'string')
      return ofSource(label, { name, price: (model) => price.call(value, model) })
    throw new TypeError(`${label}: expected a table of prices or a price source, got ${describe(value)}`)
  }
  if (typeof value['price'] === 'function') {
    const { name, price } = readOptions(label, value, ['name', 'price'])
    if (typeof name !== 'string')
      throw new TypeError(`${label}.name: expected a string, got ${describe(name)}`)
    return ofSource(label, { name, price: readFunction<PriceSource['price']>(`${label}.price`, price) })
  }
  const table = new Map<string, Rates>()
  for (const model of Object.keys(value)) {
    table.set(model, parsePrice(`${label}.${model}`, value[model], model === '*' ? 'table *' : 'table'))
  }
  return (model) => table.get(model) ?? table.get('*')
}

function ofSource(label: string, { name, price }: PriceSource): Lookup {
  return (model) => {
    const found = price(model)
    return found === undefined ? undefined : parsePrice(`${label}(${model})`, found, name)
  }
}

function parsePrice(label: string, value: unknown, from: string): Rates {
  const { tiers, entry, ...given } = readOptions(label, value, [...PRICE_KEYS, 'tiers', 'entry'])
  if (tiers !== undefined && !Array.isArray(tiers))
    throw new TypeError(`${label}.tiers: expected an array, got ${describe(tiers)}`)
  const parsed = (tiers ?? []).map((tier, index) => parseTier(`${label}.tiers[${index}]`, tier))
  parsed.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens)
  return Object.freeze({
    ...parseTokenPrice(label, given),
    tiers: Object.freeze(parsed),
    by: entry === undefined ? from : readText(`${label}.entry`, entry, 256),
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
