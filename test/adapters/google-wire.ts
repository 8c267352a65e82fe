import { sse } from './openai-wire.js'
import type { Tokens, Wire } from './provider.js'

/** Gemini counts thoughts beside the candidates, and the cache in the prompt. */
export const geminiUsage = ({ input, output, cached = 0, reasoning = 0 }: Tokens) => ({
  promptTokenCount: input,
  candidatesTokenCount: output - reasoning,
  thoughtsTokenCount: reasoning,
  cachedContentTokenCount: cached,
  totalTokenCount: input + output,
})

const chunk = (parts: readonly object[], more: object = {}) => ({
  candidates: [{ index: 0, content: { role: 'model', parts }, ...more }],
  modelVersion: 'model-1-dated',
})

/** What Gemini sends for contents and embeddings. */
export const googleWire: Wire = {
  reply: (path, _body, text, tokens) => {
    if (/embed/i.test(path)) return { embeddings: [{ values: [0.5, 0.25] }] }
    return {
      ...chunk([{ text }], { finishReason: 'STOP' }),
      ...(tokens === undefined ? {} : { usageMetadata: geminiUsage(tokens) }),
    }
  },
  events: (_path, _body, pieces, tokens) => ({
    pieces: pieces.map((text) => sse(chunk([{ text }]))),
    end: [
      sse({
        ...chunk([{ text: '' }], { finishReason: 'STOP' }),
        ...(tokens === undefined ? {} : { usageMetadata: geminiUsage(tokens) }),
      }),
    ],
  }),
}
