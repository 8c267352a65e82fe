import type { MeteredCall, ReportedTokens } from './metered-call.js'
import { type SsePart, SseReader } from './sse.js'

/** What an event of a stream says of the call. */
export interface EventReading {
  /** Bytes of text that it adds to the output. */
  readonly textBytes: number
  /** What the provider says was used so far. */
  readonly reported?: ReportedTokens | undefined
  /** True where that is all that will be used. */
  readonly isFinal?: boolean
  /** True where the output, or a part of it, is not in it yet. */
  readonly isPartial?: boolean
  /** True for an event that the caller did not ask for and must not see. */
  readonly isHidden?: boolean
}

/**
 * The body of a streamed response, metered as it is read. The bytes pass unchanged, and only as fast as they
 * are asked for. A stream that crosses a limit is cut: whoever reads it gets the error, the provider a closed
 * connection.
 *
 * @param read what an event says; its data is the text after `data:`.
 * @param hides whether `read` may hide events: bytes are then passed on event by event.
 */
export function meteredBody(
  body: ReadableStream<Uint8Array>,
  call: MeteredCall,
  read: (data: string) => EventReading,
  hides: boolean,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const events = new SseReader()
  call.startStream()

  /** Meters what the parts say and returns those to pass on. */
  const meter = (parts: readonly SsePart[]): Uint8Array[] => {
    const visible: Uint8Array[] = []
    let textBytes = 0
    let reported: ReportedTokens | undefined
    let isPartial = false
    for (const { bytes, data, unreadBytes } of parts) {
      textBytes += unreadBytes
      const reading = data === undefined ? undefined : read(data)
      if (reading?.isHidden !== true) visible.push(...bytes)
      if (reading === undefined) continue
      textBytes += reading.textBytes
      if (reading.reported !== undefined) {
        reported = reading.reported
        isPartial = reading.isPartial ?? false
      }
      if (reading.isFinal === true && reading.reported !== undefined) call.finish(reading.reported)
    }
    if (textBytes > 0 || reported !== undefined) call.receive(textBytes, reported, isPartial)
    return visible
  }

  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read()
      const visible = meter(done ? events.end() : events.push(value))
      const passed = hides || done ? (hides ? visible : []) : [value]
      for (const bytes of passed) controller.enqueue(bytes)
      if (done) {
        call.finishUnreported()
        call.detach()
        controller.close()
        return
      }
      if (passed.length > 0) return
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          await pull(controller)
        } catch (error) {
          const { stopped } = call
          call.stop(error)
          throw stopped === undefined ? error : stopped.reason
        }
      },
      cancel: async (reason) => {
        call.stop(reason)
        await reader.cancel(reason).catch(() => undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
