import type { ChainHead } from '../audit/sink.js'
import type { VerifyReport } from '../audit/verdict.js'
import { LogVerifier } from '../audit/verify.js'
import { Sha256 } from '../core/digest.js'
import { AuditDamaged } from '../core/errors.js'
import { closeQuietly, type FileIo, MODE, syncFile, writeAll } from './file-open.js'

const CHUNK_BYTES = 1024 * 1024
/** A log that is torn at one place so often has another problem. */
const MAX_TORN_FILES = 1000

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

/** Copies what follows `offset` into a file of its own, and only when that is stored, cuts it off. */
function setAside(io: FileIo, fd: number, path: string, offset: number): NonNullable<ChainHead['recovered']> {
  const torn = openTorn(io, `${path}.torn-${offset}`)
  const hash = new Sha256()
  let bytes = 0
  try {
    for (const chunk of chunks(io, fd, offset)) {
      const { error } = writeAll(io, torn.fd, chunk)
      if (error !== undefined) throw error
      hash.update(chunk)
      bytes += chunk.length
    }
    syncFile(io, torn.fd, path, true)
  } catch (cause) {
    unlinkQuietly(io, torn.path)
    throw cause
  } finally {
    closeQuietly(io, torn.fd)
  }
  io.ftruncateSync(fd, offset)
  io.fsyncSync(fd)
  return { offset, bytes, sha256: hash.hex() }
}

/** A new file. One of that name may be left from a recovery that was itself cut off, or from an earlier one. */
function openTorn(io: FileIo, name: string): { fd: number; path: string } {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = io.constants
  for (let attempt = 0; ; attempt++) {
    const path = attempt === 0 ? name : `${name}.${attempt}`
    try {
      return { fd: io.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, MODE), path }
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'EEXIST' || attempt === MAX_TORN_FILES) throw cause
    }
  }
}

function unlinkQuietly(io: FileIo, path: string): void {
  try {
    io.unlinkSync(path)
  } catch {
    // A part of a copy lies about; the log itself is as it was.
  }
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
