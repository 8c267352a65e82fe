import { type CliIo, LogUnreadable, type Output } from '../../src/cli/cli-io.js'
import { run } from '../../src/cli/run.js'
import { piecesOf } from '../support/audit-logs.js'

/** The world of a command under test. */
export interface World {
  /** Logs by their path; `-` is standard input. */
  readonly logs?: Readonly<Record<string, Uint8Array>>
  /** Bytes per piece. */
  readonly pieceBytes?: number
  readonly isTty?: boolean
  readonly columns?: number
  readonly mayColor?: boolean
  readonly nowMs?: number
  /** How long each piece takes. */
  readonly pieceMs?: number
  /** False for a log whose size nobody knows. */
  readonly knowsSize?: boolean
}

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
  /** The bytes that went to standard output. */
  readonly bytes: Uint8Array
}

/** Runs a command line in a world of its own. */
export async function writ(args: readonly string[], world: World = {}): Promise<Ran> {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const { isTty = false, columns = 80 } = world
  const output = (pieces: Uint8Array[]): Output => ({
    isTty,
    columns,
    write: async (data) => {
      pieces.push(typeof data === 'string' ? new TextEncoder().encode(data) : data.slice())
    },
  })
  let elapsedMs = 0
  const io: CliIo = {
    stdout: output(out),
    stderr: output(err),
    mayColor: world.mayColor ?? true,
    nowMs: () => world.nowMs ?? Date.UTC(2026, 0, 3),
    monotonicMs: () => elapsedMs,
    readLog: (path) => {
      const bytes = world.logs?.[path]
      if (bytes === undefined) throw new LogUnreadable('there is no such file')
      return {
        size: world.knowsSize === false ? undefined : bytes.length,
        async *[Symbol.asyncIterator]() {
          for (const piece of piecesOf(bytes, world.pieceBytes ?? 4096)) {
            elapsedMs += world.pieceMs ?? 0
            yield piece
          }
        },
      }
    },
  }
  const status = await run(args, io)
  const bytes = Buffer.concat(out)
  return { status, out: bytes.toString('utf8'), err: Buffer.concat(err).toString('utf8'), bytes }
}
