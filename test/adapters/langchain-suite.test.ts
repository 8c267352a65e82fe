import { AIMessageChunk } from '@langchain/core/messages'
import { createAgent, MiddlewareError } from 'langchain'
import { governedMiddleware, governedModel } from 'writ/langchain'
import { LoopbackChat } from './langchain-model.js'
import { openAiWire } from './openai-wire.js'
import type { Provider } from './provider.js'
import { type Ask, adapterSuite, MODEL } from './suite.js'

const connected = ({ origin }: Provider, { model = MODEL, maxTokens }: Ask) =>
  new LoopbackChat({ baseURL: `${origin}/v1`, model, maxTokens })

const signalOf = ({ signal }: Ask) => (signal === undefined ? {} : { signal })

/** LangChain throws where the cases have a stream end: after its caller has aborted it. */
async function* untilAborted(pieces: AsyncIterable<string>, signal?: AbortSignal): AsyncIterable<string> {
  let isBegun = false
  try {
    for await (const piece of pieces) {
      isBegun = true
      yield piece
    }
  } catch (error) {
    if (!(isBegun && signal?.aborted === true)) throw error
  }
}

adapterSuite('langchain models', {
  wire: openAiWire,
  abortError: 'DOMException',
  counts: 'all',
  client: (provider, options) => ({
    ask: async (ask = {}) => {
      const model = governedModel(connected(provider, ask), options)
      return (await model.invoke('hi', signalOf(ask))).text
    },
    stream: (ask = {}) => {
      const model = governedModel(connected(provider, ask), options)
      const pieces = async function* () {
        for await (const { text } of await model.stream('hi', signalOf(ask))) if (text !== '') yield text
      }
      return untilAborted(pieces(), ask.signal)
    },
  }),
})

adapterSuite('langchain agents', {
  readsOn: true,
  wire: openAiWire,
  abortError: 'DOMException',
  counts: 'all',
  client: (provider, options) => {
    const agentOf = (ask: Ask) =>
      createAgent({ model: connected(provider, ask), tools: [], middleware: [governedMiddleware(options)] })
    return {
      ask: async (ask = {}) => {
        try {
          const { messages } = await agentOf(ask).invoke({ messages: 'hi' }, signalOf(ask))
          return messages.at(-1)?.text ?? ''
        } catch (error) {
          // What another try may get through, LangChain wraps, as it does for all middleware.
          throw MiddlewareError.isInstance(error) ? error.cause : error
        }
      },
      stream: (ask = {}) => {
        const pieces = async function* () {
          const run = await agentOf(ask).stream(
            { messages: 'hi' },
            { streamMode: 'messages', ...signalOf(ask) },
          )
          for await (const [message] of run) {
            if (message instanceof AIMessageChunk && message.text !== '') yield message.text
          }
        }
        return untilAborted(pieces(), ask.signal)
      },
    }
  },
})
