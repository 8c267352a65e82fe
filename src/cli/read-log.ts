import { createReadStream, fstatSync, statSync } from 'node:fs'
import { type LogBytes, LogUnreadable } from './cli-io.js'

const CHUNK_BYTES = 1024 * 1024

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
    if (stat.isDirectory()) throw new LogUnreadable(REASONS['EISDIR'])
    // A pipe or a device does not know.
    if (stat.isFile()) size = stat.size
  } catch (cause) {
    throw unreadable(cause)
  }
  return logBytes(() => createReadStream(path, { highWaterMark: CHUNK_BYTES }), size)
}

/**
 * The bytes of standard input.
 *
 * @throws {@link LogUnreadable} when it is a directory, which Node takes for an empty stream.
 */
export function readStdinLog(stdin: AsyncIterable<Uint8Array>): LogBytes {
  const STDIN = 0
  if (fstatSync(STDIN).isDirectory()) throw new LogUnreadable(REASONS['EISDIR'])
  return logBytes(() => stdin, undefined)
}

function logBytes(open: () => AsyncIterable<Uint8Array>, size: number | undefined): LogBytes {
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* open()
    } catch (cause) {
      throw unreadable(cause)
    }
  }
  return { size, [Symbol.asyncIterator]: read }
}

function unreadable(cause: unknown): LogUnreadable {
  if (cause instanceof LogUnreadable) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  return new LogUnreadable(REASONS[code ?? ''] ?? message, { cause })
}
