import Anthropic from '@anthropic-ai/sdk'
import { type GovernedCallOptions, governedMiddleware } from 'writ/anthropic'
import { anthropicWire } from './anthropic-wire.js'
import type { Provider } from './provider.js'
import { type Ask, adapterSuite, MODEL } from './suite.js'

const governed = ({ origin }: Pick<Provider, 'origin'>, options: GovernedCallOptions = {}): Anthropic =>
  new Anthropic({ apiKey: 'none', baseURL: origin, middleware: [governedMiddleware(options)] })

const messages = [{ role: 'user' as const, content: 'hi' }]
const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) =>
  [
    // A request without a bound, which the types of the package do not allow.
    { model, messages, max_tokens: maxTokens as number },
    signal === undefined ? {} : { signal },
  ] as const

adapterSuite('anthropic messages', {
  wire: anthropicWire,
  abortError: 'APIUserAbortError',
  client: (provider, options) => {
    const anthropic = governed(provider, options)
    return {
      ask: async (ask) => {
        const [block] = (await anthropic.messages.create(...request(ask))).content
        return block?.type === 'text' ? block.text : ''
      },
      stream: async function* (ask) {
        const [body, more] = request(ask)
        for await (const event of await anthropic.messages.create({ ...body, stream: true }, more)) {
          if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
            yield event.delta.text
          }
        }
      },
    }
  },
})
