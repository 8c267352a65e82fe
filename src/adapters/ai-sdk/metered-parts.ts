import { unlessStopped } from '../metered/failed-call.js'
import type { MeteredCall } from '../metered/metered-call.js'
import { partMeter } from './usage.js'

/**
 * The parts of a streamed answer, metered as they are read, and only as fast as they are asked for. A stream
 * that crosses a limit is cut: whoever reads it gets the error, first as a part of the stream and then as its
 * failure; the provider gets a closed connection.
 */
export function meteredParts(parts: ReadableStream<unknown>, call: MeteredCall): ReadableStream<unknown> {
  const reader = parts.getReader()
  const meter = partMeter(call)
  let refused: { readonly refusal: unknown } | undefined

  const leave = (reason: unknown): void => {
    call.stop(reason)
    void reader.cancel(reason).catch(() => undefined)
  }
  /** What comes next; `undefined` at the end. @throws whatever the provider fails with. */
  const next = async (): Promise<{ readonly part: unknown } | undefined> => {
    const { done, value } = await unlessStopped(call, reader.read())
    try {
      if (done) call.finishUnreported()
      else meter(value)
    } catch (refusal) {
      refused = { refusal }
      throw refusal
    }
    return done ? undefined : { part: value }
  }

  return new ReadableStream<unknown>(
    {
      pull: async (controller) => {
        if (refused !== undefined) {
          controller.error(refused.refusal)
          return
        }
        try {
          const read = await next()
          if (read !== undefined) {
            controller.enqueue(read.part)
            return
          }
          call.detach()
          controller.close()
        } catch (error) {
          if (call.stopped !== undefined) refused = { refusal: call.stopped.reason }
          leave(error)
          if (refused === undefined) throw error
          controller.enqueue({ type: 'error', error: refused.refusal })
        }
      },
      cancel: (reason) => leave(reason ?? new DOMException('the stream was broken off', 'AbortError')),
    },
    { highWaterMark: 0 },
  )
}
