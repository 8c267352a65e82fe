import { toUnavailable } from '../audit/failure.js'
import { AuditUnavailable, WritError } from '../core/errors.js'
import type { LockHost } from './lock-host.js'

/** The part of `node:fs` that a log needs; tests put a failing or a simulated disk in its place. */
export type FileIo = Pick<
  typeof import('node:fs'),
  | 'openSync'
  | 'closeSync'
  | 'fstatSync'
  | 'readSync'
  | 'writeSync'
  | 'ftruncateSync'
  | 'fsyncSync'
  | 'fdatasyncSync'
  | 'fdatasync'
  | 'fsync'
  | 'lstatSync'
  | 'readdirSync'
  | 'renameSync'
  | 'unlinkSync'
  | 'constants'
> & {
  /** Where the log is opened, if it is to look like somewhere else. */
  readonly lockHost?: LockHost
}

/** A log is for its owner's eyes. */
export const MODE = 0o600

/** What to do about the errors that opening a file usually meets. */
const ADVICE: { readonly [code: string]: string } = {
  ENOENT: 'its folder does not exist; create it first',
  EISDIR: 'it is a directory; name a file in it',
  EACCES: 'this process may not write to it',
  EPERM: 'this process may not write to it',
  EROFS: 'the file system is read-only',
  ELOOP: 'it is a symbolic link; name the file itself',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'it has reached the largest size that is allowed',
  EIO: 'the disk reports an error',
  ENOTDIR: 'a part of its path is no folder',
  ENXIO: 'it is not a regular file',
  EEXIST: 'another writer has made a file of that name',
  WRITE_ZERO: 'it takes no more bytes',
  GONE: 'it was removed or renamed while it was being written; records would reach nobody',
  REPLACED: 'another file has taken its place while it was being written',
  RESIZED: 'somebody else changed its length while it was being written',
  NO_LOCK: 'it is no regular file, as the lock file of a log is; remove it',
  LOCK_GONE: 'its lock file was removed while it was being written, so another writer may have it',
  LOCK_SILENT: 'its lock file could not be renewed for minutes, so another writer may take it',
  LOCK_TAKEN: 'another writer has taken its lock, as if this one were gone',
}

/**
 * An error of the system as one of the log; one that says what is wrong already goes on saying it.
 *
 * @param path where it happened; `log`, where that is not the log itself.
 */
export function unavailable(path: string, cause: unknown, log: string = path): AuditUnavailable {
  if (WritError.isInstance(cause)) return toUnavailable(cause.message, cause)
  const code = (cause as { code?: unknown } | null)?.code
  const advice =
    typeof code !== 'string' ? 'it failed' : Object.hasOwn(ADVICE, code) ? `${ADVICE[code]} (${code})` : code
  return new AuditUnavailable(`${path}: ${advice}`, { cause, path: log })
}

/**
 * Opens a log for appending, creating it for its owner alone.
 *
 * Only a regular file that is no symbolic link: a log that ends in a device or behind a link is not
 * evidence.
 *
 * @param name what errors call it.
 * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE)
 */
export function openForAppend(
  io: FileIo,
  path: string,
  name: string,
  mustBeNew: boolean,
): { fd: number; identity: string } {
  const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  let fd = -1
  try {
    // O_NOFOLLOW says the same, where there is one.
    if (io.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      throw new AuditUnavailable(`${name}: ${ADVICE['ELOOP']} (ELOOP)`, { path: name })
    }
    // Without O_NONBLOCK, opening a named pipe would wait for a reader.
    const flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | (mustBeNew ? O_EXCL : 0)
    fd = io.openSync(path, flags, MODE)
    const stat = io.fstatSync(fd, { bigint: true })
    if (!stat.isFile()) throw new AuditUnavailable(`${name}: ${ADVICE['ENXIO']}`, { path: name })
    return { fd, identity: `${stat.dev}:${stat.ino}` }
  } catch (cause) {
    if (fd !== -1) closeQuietly(io, fd)
    throw cause instanceof AuditUnavailable ? cause : unavailable(name, cause)
  }
}

/**
 * Whether the file behind `path` is still the one that is being written, and as long as its writer left it.
 * A descriptor alone goes on taking records after its file was removed, where nobody will find them.
 *
 * @returns what has happened to it, if something has, as an error with a code.
 */
export function displacement(io: FileIo, path: string, identity: string, bytes: number): unknown {
  try {
    const stat = io.lstatSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return { code: 'GONE' }
    if (`${stat.dev}:${stat.ino}` !== identity) return { code: 'REPLACED' }
    return stat.size === BigInt(bytes) ? undefined : { code: 'RESIZED' }
  } catch (cause) {
    return cause
  }
}

/** Cuts a file to a length; where that fails, the next open sets the rest aside. */
export function truncateQuietly(io: FileIo, fd: number, bytes: number): void {
  try {
    io.ftruncateSync(fd, bytes)
  } catch {
    // As said.
  }
}

/** Gives a descriptor up when something else has gone wrong already, which is what there is to say. */
export function closeQuietly(io: FileIo, fd: number): void {
  try {
    io.closeSync(fd)
  } catch {
    // On every system that matters the descriptor is gone all the same.
  }
}

/**
 * Writes every byte, however short the single writes are, or stops at the first error.
 *
 * @returns how many bytes the kernel took, and the error that stopped it, if one did.
 */
export function writeAll(io: FileIo, fd: number, bytes: Uint8Array): { written: number; error?: unknown } {
  let written = 0
  while (written < bytes.length) {
    try {
      const taken = io.writeSync(fd, bytes, written, bytes.length - written)
      if (taken <= 0) return { written, error: { code: 'WRITE_ZERO' } }
      written += taken
    } catch (error) {
      return { written, error }
    }
  }
  return { written }
}
