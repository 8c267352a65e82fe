import type { ChainHead } from '../audit/sink.js'
import { LogVerifier, type VerifyReport } from '../audit/verify.js'
import { Sha256 } from '../core/digest.js'
import { AuditDamaged, AuditUnavailable } from '../core/errors.js'

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
  | 'lstatSync'
  | 'constants'
>

const CHUNK_BYTES = 1024 * 1024
const MODE = 0o600

/** What to do about the errors that opening a file usually meets. */
const ADVICE: { readonly [code: string]: string } = {
  ENOENT: 'its folder does not exist; create it first',
  EISDIR: 'it is a directory; name a file in it',
  EACCES: 'this process may not write to it',
  EPERM: 'this process may not write to it',
  EROFS: 'the file system is read-only',
  ELOOP: 'it is a symbolic link; name the file itself',
  ENOSPC: 'the disk is full',
  ENXIO: 'it is not a regular file',
}

export function unavailable(path: string, cause: unknown): AuditUnavailable {
  const code = (cause as { code?: unknown } | null)?.code
  const advice = typeof code === 'string' ? (ADVICE[code] ?? code) : 'it failed'
  return new AuditUnavailable(`${path}: ${advice}`, { cause, path })
}

/**
 * Opens a log for appending, creating it for its owner alone.
 *
 * Only a regular file that is no symbolic link: a log that ends in a device or behind a link is not
 * evidence.
 *
 * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE)
 */
export function openForAppend(io: FileIo, path: string): { fd: number; identity: string } {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  let fd: number
  try {
    if (io.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      throw Object.assign(new AuditUnavailable('symbolic link'), { code: 'ELOOP' })
    }
    // Without O_NONBLOCK, opening a named pipe would wait for a reader.
    fd = io.openSync(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, MODE)
  } catch (cause) {
    throw unavailable(path, cause)
  }
  const stat = io.fstatSync(fd, { bigint: true })
  if (!stat.isFile()) {
    io.closeSync(fd)
    throw new AuditUnavailable(`${path}: it is not a regular file`, { path })
  }
  return { fd, identity: `${stat.dev}:${stat.ino}` }
}

/**
 * Checks the whole chain that the file holds and sets crash damage aside, in `<path>.torn-<offset>`.
 *
 * @returns where the chain ends and how long the file is; no head for an empty file.
 * @throws {@link AuditDamaged} (ERR_AUDIT_DAMAGED) when the chain does not hold: nothing may be added to it.
 */
export function readHead(
  io: FileIo,
  fd: number,
  path: string,
): { head: ChainHead | undefined; bytes: number } {
  const verifier = new LogVerifier()
  for (const chunk of chunks(io, fd, 0)) verifier.push(chunk)
  const report = verifier.finish()
  if (report.bytes === 0) return { head: undefined, bytes: 0 }
  const { verdict, fault } = report
  if (fault === undefined) return { head: headOf(report), bytes: report.bytes }
  if (verdict !== 'CRASH_DAMAGED')
    throw new AuditDamaged(path, verdict, fault.seq, fault.offset, fault.detail)
  const recovered = setAside(io, fd, path, fault.offset)
  return { head: { ...headOf(report), recovered }, bytes: fault.offset }
}

function headOf(report: VerifyReport): ChainHead {
  return {
    size: report.size,
    ...(report.head === undefined ? {} : { hash: report.head }),
    ...(report.logId === undefined ? {} : { logId: report.logId }),
  }
}

function setAside(io: FileIo, fd: number, path: string, offset: number): NonNullable<ChainHead['recovered']> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = io.constants
  const torn = io.openSync(`${path}.torn-${offset}`, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE)
  const hash = new Sha256()
  let bytes = 0
  try {
    for (const chunk of chunks(io, fd, offset)) {
      const { error } = writeAll(io, torn, chunk)
      if (error !== undefined) throw error
      hash.update(chunk)
      bytes += chunk.length
    }
    io.fsyncSync(torn)
  } finally {
    io.closeSync(torn)
  }
  io.ftruncateSync(fd, offset)
  io.fsyncSync(fd)
  return { offset, bytes, sha256: hash.hex() }
}

function* chunks(io: FileIo, fd: number, from: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES)
  let position = from
  for (;;) {
    const length = io.readSync(fd, buffer, 0, CHUNK_BYTES, position)
    if (length === 0) return
    yield buffer.subarray(0, length)
    position += length
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
      if (taken <= 0) return { written, error: new AuditUnavailable('the file takes no more bytes') }
      written += taken
    } catch (error) {
      return { written, error }
    }
  }
  return { written }
}
