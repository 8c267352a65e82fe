import {
  closeSync,
  createReadStream,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { FileNotMade, type LogBytes, LogUnreadable } from './cli-io.js'

const CHUNK_BYTES = 1024 * 1024
/** See {@link LogBytes}: a piece, and the one that was asked for after it. */
const VALID_PIECES = 2

const REASONS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is no directory',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
}

/**
 * The bytes of a file, read piece by piece.
 *
 * @throws {@link LogUnreadable} when it is not there or a directory.
 */
export function readFileLog(path: string): LogBytes {
  let size: number | undefined
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) throw new LogUnreadable(`${path}: ${REASONS['EISDIR']}`)
    // A pipe or a device does not know.
    if (!stat.isFile())
      return logBytes(path, () => createReadStream(path, { highWaterMark: CHUNK_BYTES }), undefined)
    size = stat.size
    // Opened at once: by the time it is read, a log that is being written to may have gone on to another file.
    const fd = openSync(path, 'r')
    return logBytes(path, () => piecesOf(fd), size)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/**
 * The last bytes of a file; `undefined` when there is no such file.
 *
 * @throws {@link LogUnreadable} when it is there and cannot be read, or is no file.
 */
export function readFileEnd(path: string, maxBytes: number): Uint8Array | undefined {
  let fd: number | undefined
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    if (!stat.isFile()) throw new LogUnreadable(`${path}: it is no file`)
    fd = openSync(path, 'r')
    const { size } = fstatSync(fd)
    const bytes = new Uint8Array(Math.min(size, maxBytes))
    let filled = 0
    while (filled < bytes.length) {
      const length = readSync(fd, bytes, filled, bytes.length - filled, size - bytes.length + filled)
      if (length === 0) break
      filled += length
    }
    return bytes.subarray(0, filled)
  } catch (cause) {
    throw unreadable(path, cause)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Names in a folder, sorted; `undefined` when there is no folder of that name. */
export function listNames(path: string): readonly string[] | undefined {
  try {
    return readdirSync(path).sort()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined
    throw unreadable(path, cause)
  }
}

/**
 * Makes a file that is not there yet and brings it to stable storage; never follows a link.
 *
 * @throws {@link FileNotMade} when there is something of that name, or it cannot be written whole.
 */
export function makeNewFile(path: string, data: string | Uint8Array, secret = false): void {
  let fd: number
  try {
    fd = openSync(path, 'wx', secret ? 0o600 : 0o644)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'EEXIST' ? 'there is something of that name, and nothing is overwritten' : message
    throw new FileNotMade(`${path}: ${why}`, { cause })
  }
  try {
    writeFileSync(fd, data)
    fsyncSync(fd)
  } catch (cause) {
    // Half a key is worse than none.
    unlinkSync(path)
    throw new FileNotMade(`${path}: ${(cause as Error).message}`, { cause })
  } finally {
    closeSync(fd)
  }
}

/**
 * The bytes of standard input.
 *
 * @throws {@link LogUnreadable} when it is a directory, which Node takes for an empty stream.
 */
export function readStdinLog(stdin: AsyncIterable<Uint8Array>): LogBytes {
  const STDIN = 0
  if (fstatSync(STDIN).isDirectory()) throw new LogUnreadable(`standard input: ${REASONS['EISDIR']}`)
  return logBytes('standard input', () => stdin, undefined)
}

/**
 * Reads into memory that is there already, and at once: new memory for each piece, and a thread that reads beside
 * those that hash, would take a third of the time of checking a log.
 */
function* piecesOf(fd: number): Generator<Uint8Array> {
  const buffers: Uint8Array[] = []
  try {
    for (let turn = 0; ; turn = (turn + 1) % VALID_PIECES) {
      buffers[turn] ??= new Uint8Array(CHUNK_BYTES)
      const buffer = buffers[turn] as Uint8Array
      const length = readSync(fd, buffer)
      if (length === 0) return
      yield buffer.subarray(0, length)
    }
  } finally {
    closeSync(fd)
  }
}

type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

function logBytes(name: string, open: () => Pieces, size: number | undefined): LogBytes {
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* open()
    } catch (cause) {
      throw unreadable(name, cause)
    }
  }
  return { size, [Symbol.asyncIterator]: read }
}

function unreadable(name: string, cause: unknown): LogUnreadable {
  if (cause instanceof LogUnreadable) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  return new LogUnreadable(`${name}: ${REASONS[code ?? ''] ?? message}`, { cause })
}
