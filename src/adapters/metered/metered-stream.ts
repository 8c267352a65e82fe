import { unlessStopped } from './failed-call.js'
import type { MeteredCall } from './metered-call.js'
import { asOutermost } from './outermost.js'

/** A streamed answer of a neighbour's model. */
export interface ModelStream<Part> {
  /** Asks the model. */
  open(): AsyncIterator<Part>
  /** Meters a part. @throws what cuts the stream. */
  note(part: Part): void
  /** Settles a call that failed. @returns what its caller is to see. */
  fail(error: unknown, isBegun: boolean): unknown
  /** As of {@link unlessStopped}. */
  readonly heedsCaller?: boolean
}

/** The parts of a streamed answer, each metered before it is passed on; the call is settled however it ends. */
export async function* meteredStream<Part>(
  call: MeteredCall,
  stream: ModelStream<Part>,
): AsyncGenerator<Part, void, undefined> {
  let parts: AsyncIterator<Part> | undefined
  let isBegun = false
  let isOver = false
  try {
    const begun = asOutermost(() => stream.open())
    parts = begun
    for (;;) {
      const next = await unlessStopped(
        call,
        asOutermost(() => begun.next()),
        stream.heedsCaller,
      )
      if (next.done === true) break
      isBegun = true
      stream.note(next.value)
      yield next.value
      if (call.stopped !== undefined) throw call.stopped.reason
    }
    call.finishUnreported()
    call.detach()
    isOver = true
  } catch (error) {
    isOver = true
    leave(parts)
    throw stream.fail(error, isBegun)
  } finally {
    // Whoever reads has gone.
    if (!isOver) {
      leave(parts)
      call.stop(new DOMException('the stream was broken off', 'AbortError'))
    }
  }
}

function leave(parts: AsyncIterator<unknown> | undefined): void {
  void Promise.resolve(parts?.return?.()).catch(() => undefined)
}
