import { closeQuietly, type FileIo } from './file-open.js'
import { decodeToken, type LockToken, TOKEN_BYTES } from './lock-token.js'

/** What lies where a lock file is expected. */
export interface FoundLock {
  /** Absent where the file is no lock of this version. */
  readonly token?: LockToken
  /** No bytes, or NUL bytes alone, as a power cut leaves them: it was a lock. */
  readonly isEmpty: boolean
  /** When its holder was last heard of, by the clock of the file system. */
  readonly seenMs: number
}

/**
 * Reads a lock file; no more of it than a lock file has, and never through a link.
 *
 * @throws an error with a code when what lies there is no regular file, or cannot be read.
 */
export function findLock(io: FileIo, path: string): FoundLock | undefined {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  let fd = -1
  try {
    const entry = io.lstatSync(path, { throwIfNoEntry: false })
    if (entry === undefined) return undefined
    if (!entry.isFile()) throw Object.assign(new TypeError(`${path} is no regular file`), { code: 'NO_LOCK' })
    fd = io.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const { size, mtimeMs } = io.fstatSync(fd)
    const bytes = new Uint8Array(TOKEN_BYTES)
    const length = io.readSync(fd, bytes, 0, TOKEN_BYTES, 0)
    const token = size === TOKEN_BYTES ? decodeToken(bytes.subarray(0, length)) : undefined
    const isEmpty = size <= TOKEN_BYTES && bytes.every((byte) => byte === 0)
    return { isEmpty, seenMs: mtimeMs, ...(token === undefined ? {} : { token }) }
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined
    throw cause
  } finally {
    if (fd !== -1) closeQuietly(io, fd)
  }
}

/** Who holds the log, as far as its lock file says. */
export function holderOf(io: FileIo, lockPath: string): string {
  try {
    return describeHolder(findLock(io, lockPath))
  } catch {
    return describeHolder(undefined)
  }
}

export function describeHolder(found: FoundLock | undefined): string {
  if (found?.token === undefined) return 'another process or worker thread'
  const { pid, host, opened } = found.token
  const seen = new Date(found.seenMs).toISOString()
  return `process ${pid} on ${host || 'an unnamed host'}, opened at ${opened}, last seen at ${seen}`
}
