import { calcPrice, findProvider } from '@pydantic/genai-prices'
import type { PriceSource } from '../../index.js'
import { cataloguePrice } from './catalogue-price.js'

/** What {@link genaiPrices} can be told. */
export interface GenaiPricesOptions {
  /**
   * Whose prices: an id of the catalogue, such as `openai`, `anthropic`, `google`, `aws`, `azure`. Without it,
   * they are those of whoever made the model, as its name tells.
   */
  readonly provider?: string
  /** The moment whose prices apply; now, when absent. Some models cost less at night, or more from a day on. */
  readonly now?: () => Date
}

/** Nothing is used up: what is asked for is the price, not the sum. */
const NO_USAGE = Object.freeze({ input_tokens: 0, output_tokens: 0 })

/**
 * The prices of the `@pydantic/genai-prices` that is installed: offline, and as new as that package.
 *
 * A model that the catalogue does not know has no price, nor has one that is charged by more than its tokens:
 * a session limited in US dollars refuses both. Put a table before it for prices of your own, and a row named
 * `*` behind it for a price that stands in for all others.
 *
 * @throws TypeError for options that are not usable, RangeError for a provider that the catalogue does not have.
 * @example
 * const prices = [{ 'our-model': { inputUsdPerMTok: 1, outputUsdPerMTok: 4 } }, genaiPrices()]
 * const agent = new Agent({ identity: 'writer/v1', budget: { usd: 1 }, prices, audit })
 */
export function genaiPrices(options: GenaiPricesOptions = {}): PriceSource {
  if (typeof options !== 'object' || options === null) throw new TypeError('genaiPrices: expected options')
  for (const name of Object.keys(options)) {
    if (name !== 'provider' && name !== 'now') {
      throw new TypeError(`genaiPrices: unknown option ${name}; known options are provider, now`)
    }
  }
  const { provider, now = () => new Date() } = options
  if (typeof now !== 'function') throw new TypeError('genaiPrices.now: expected a function')
  if (provider !== undefined) {
    if (typeof provider !== 'string') throw new TypeError('genaiPrices.provider: expected a string')
    if (findProvider({ providerId: provider }) === undefined) {
      throw new RangeError(
        `genaiPrices.provider: the catalogue has no provider ${JSON.stringify(provider)}; its ids are like openai, anthropic, google, aws, azure`,
      )
    }
  }
  const whose = provider === undefined ? {} : { providerId: provider }
  return {
    name: 'genai-prices',
    price: (model) => {
      const found = calcPrice(NO_USAGE, model, { ...whose, timestamp: now() })
      if (found === null) return undefined
      const price = cataloguePrice(found.model_price)
      return price && { ...price, entry: `genai-prices ${found.provider.id}/${found.model.id}` }
    },
  }
}
