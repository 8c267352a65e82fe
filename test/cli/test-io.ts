import { type CliIo, FileNotMade, LogUnreadable, type Output } from '../../src/cli/cli-io.js'
import { run } from '../../src/cli/run.js'
import { piecesOf } from '../support/audit-logs.js'

/** The world of a command under test. */
export interface World {
  /** Logs and other files by their path; `-` is standard input. A folder is what stands before a slash. */
  readonly logs?: Readonly<Record<string, Uint8Array | string>>
  /** Bytes per piece. */
  readonly pieceBytes?: number
  readonly isTty?: boolean
  readonly columns?: number
  readonly mayColor?: boolean
  readonly nowMs?: number
  /** How long each piece takes. */
  readonly pieceMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** False for a log whose size nobody knows. */
  readonly knowsSize?: boolean
}

async function* noBytes(): AsyncGenerator<Uint8Array> {
  yield* []
}

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
  /** The bytes that went to standard output. */
  readonly bytes: Uint8Array
  /** The files that were made. */
  readonly made: Readonly<Record<string, { readonly text: string; readonly secret: boolean }>>
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
  const made: Record<string, { text: string; secret: boolean }> = {}
  const find = (path: string): Uint8Array | undefined => {
    const file = world.logs?.[path]
    return typeof file === 'string' ? new TextEncoder().encode(file) : file
  }
  const io: CliIo = {
    stdout: output(out),
    stderr: output(err),
    mayColor: world.mayColor ?? true,
    nowMs: () => world.nowMs ?? Date.UTC(2026, 0, 3),
    monotonicMs: () => elapsedMs,
    readLog: (path) => {
      const bytes = find(path)
      if (bytes === undefined) throw new LogUnreadable(`${path}: there is no such file`)
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
    readEnd: (path, maxBytes) => find(path)?.slice(-maxBytes || Number.POSITIVE_INFINITY),
    listFolder: (path) => {
      const prefix = path === '.' ? '' : `${path}/`
      const names = Object.keys(world.logs ?? {})
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length).split('/', 1)[0] ?? '')
      return names.length === 0 || path in (world.logs ?? {}) ? undefined : [...new Set(names)].sort()
    },
    makeFile: (path, data, secret = false) => {
      if (find(path) !== undefined || path in made) {
        throw new FileNotMade(`${path}: there is something of that name, and nothing is overwritten`)
      }
      made[path] = { text: typeof data === 'string' ? data : new TextDecoder().decode(data), secret }
    },
    env: world.env ?? {},
    openInput: () => ({ [Symbol.asyncIterator]: () => noBytes(), close: () => undefined }),
    onStop: () => undefined,
  }
  const status = await run(args, io)
  const bytes = Buffer.concat(out)
  return { status, out: bytes.toString('utf8'), err: Buffer.concat(err).toString('utf8'), bytes, made }
}
