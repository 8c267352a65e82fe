import type { ChatModel } from './model-request.js'

type Stream = ChatModel['stream']

/**
 * Streams, and stops the call when whoever reads breaks off. LangChain's streams read ahead, and a generator
 * that waits for its provider hears of nothing until that says something.
 */
export function breakableStream(stream: Stream): Stream {
  return async (input, options) => {
    const broken = new AbortController()
    const given = options?.['signal'] as AbortSignal | undefined
    const signal = given === undefined ? broken.signal : AbortSignal.any([given, broken.signal])
    const chunks = await stream(input, { ...options, signal })
    const leaving = (leave: (reason?: unknown) => unknown) => (reason?: unknown) => {
      const left = leave.call(chunks, reason)
      broken.abort(new DOMException('the stream was broken off', 'AbortError'))
      return left
    }
    for (const name of ['return', 'throw', 'cancel'] as const) {
      Object.defineProperty(chunks, name, { value: leaving(chunks[name]), configurable: true })
    }
    return chunks
  }
}
