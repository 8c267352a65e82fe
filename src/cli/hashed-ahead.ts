import { availableParallelism } from 'node:os'
import type { LinesAhead } from '../verify.js'
import type { LogBytes } from './cli-io.js'
import { type HashedChunk, HashThread } from './hash-thread.js'

/** A shorter log is checked before a thread has started. */
const ALONE_BYTES = 16 * 1024 * 1024

/** A chunk of a log, and what will be known of its lines. */
export type Piece = readonly [chunk: Uint8Array, ahead: LinesAhead | undefined]

/**
 * The pieces of a log, with their lines hashed in a second thread: it is given every chunk one ahead of whoever
 * takes them. Where there is one processor, or the log is short, nothing is known ahead.
 */
export async function* hashedAhead(log: LogBytes): AsyncGenerator<Piece> {
  let aloneBytes = availableParallelism() > 1 ? ALONE_BYTES : Number.POSITIVE_INFINITY
  let thread: HashThread | undefined
  let held: readonly [Uint8Array, HashedChunk | undefined] | undefined
  try {
    for await (const chunk of log) {
      aloneBytes -= chunk.length
      if (aloneBytes < 0) {
        thread = HashThread.start()
        aloneBytes = Number.POSITIVE_INFINITY
      }
      const next = [chunk, thread?.give(chunk)] as const
      if (held !== undefined) {
        yield held
        held[1]?.stop()
      }
      held = next
    }
    if (held !== undefined) yield held
  } finally {
    await thread?.end()
  }
}

/** The pieces of a log of which nothing can be known ahead. */
export async function* unhashed(log: LogBytes): AsyncGenerator<Piece> {
  for await (const chunk of log) yield [chunk, undefined]
}
