import { membersOf } from '../metered/members.js'
import type { MeteredCall } from '../metered/metered-call.js'
import { textBytes, utf8Bytes } from '../metered/text-size.js'
import { readUsage } from './usage.js'

/**
 * The events of a ConverseStream, metered as they are read. A stream that crosses a limit is cut: whoever
 * reads it gets the error, and the connection is closed. It is closed as well when the reader stops early,
 * which the client itself leaves open.
 */
export function meteredEvents<Event>(stream: AsyncIterable<Event>, call: MeteredCall): AsyncIterable<Event> {
  const iterator = stream[Symbol.asyncIterator]()

  const next = async (): Promise<IteratorResult<Event>> => {
    try {
      const result = await iterator.next()
      // Some connections end as if all had been said when they are aborted.
      if (call.stopped !== undefined) throw call.stopped.reason
      if (result.done !== true) meter(call, result.value)
      else {
        call.finishUnreported()
        call.detach()
      }
      return result
    } catch (error) {
      const { stopped } = call
      call.stop(error)
      throw stopped === undefined ? error : stopped.reason
    }
  }

  const end = (reason: unknown): void => {
    call.stop(reason)
    // It has nothing to say that matters, and may never say it.
    iterator.return?.().catch(() => undefined)
  }

  const metered: AsyncIterableIterator<Event> = {
    next,
    return: async (value) => {
      end(undefined)
      return { done: true, value }
    },
    throw: async (error) => {
      end(error)
      throw error
    },
    [Symbol.asyncIterator]: () => metered,
  }
  return metered
}

function meter(call: MeteredCall, event: unknown): void {
  const { metadata, contentBlockDelta, contentBlockStart } = membersOf(event) ?? {}
  const reported = readUsage(metadata)
  if (reported !== undefined) {
    call.finish(reported)
    return
  }
  const name = membersOf(membersOf(membersOf(contentBlockStart)?.['start'])?.['toolUse'])?.['name']
  const bytes =
    deltaBytes(membersOf(contentBlockDelta)?.['delta']) + (typeof name === 'string' ? utf8Bytes(name) : 0)
  if (bytes > 0) call.receive(bytes)
}

function deltaBytes(delta: unknown): number {
  const redacted = membersOf(membersOf(delta)?.['reasoningContent'])?.['redactedContent']
  return redacted instanceof Uint8Array ? redacted.byteLength : textBytes(delta)
}
