import type { LinesAhead } from '../verify.js'
import type { CliIo, LogBytes } from './cli-io.js'
import { hashedAhead, type Piece } from './hashed-ahead.js'
import { Progress } from './progress.js'

/**
 * Hands a log to whatever checks it, and shows how far it is.
 *
 * @param piecesOf how its pieces are read; hashed ahead when absent.
 */
export async function pushAll(
  log: LogBytes,
  to: { push(chunk: Uint8Array, ahead?: LinesAhead): void },
  io: CliIo,
  piecesOf: (log: LogBytes) => AsyncIterable<Piece> = hashedAhead,
): Promise<void> {
  const progress = new Progress(io, log.size)
  try {
    for await (const [chunk, ahead] of piecesOf(log)) {
      to.push(chunk, ahead)
      await progress.advance(chunk.length)
    }
  } finally {
    await progress.erase()
  }
}
