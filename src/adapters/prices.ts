export { type GenaiPricesOptions, genaiPrices } from './prices/genai-prices.js'
