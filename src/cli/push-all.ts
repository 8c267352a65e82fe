import type { CliIo, LogBytes } from './cli-io.js'
import { Progress } from './progress.js'

/** Hands a log to whatever checks it, and shows how far it is. */
export async function pushAll(
  log: LogBytes,
  to: { push(chunk: Uint8Array): void },
  io: CliIo,
): Promise<void> {
  const progress = new Progress(io, log.size)
  try {
    for await (const chunk of log) {
      to.push(chunk)
      await progress.advance(chunk.length)
    }
  } finally {
    await progress.erase()
  }
}
