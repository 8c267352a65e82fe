import type { CompactTree } from '../audit/merkle/compact-tree.js'
import type { Checkpoint } from '../audit/note/checkpoint.js'
import type { ChainHead, Recovered } from '../audit/sink.js'
import { AuditDamaged, AuditUnavailable } from '../core/errors.js'
import { FileClaim } from './file-claim.js'
import { closeQuietly, type FileIo, unavailable } from './file-open.js'
import { setAside } from './file-recovery.js'
import type { OpenFile } from './file-registry.js'
import { syncFile } from './file-sync.js'
import { refuseHeldLog } from './held-lock.js'
import { LogFile } from './log-file.js'
import { type LogScan, readFirstMs, scanLog } from './log-scan.js'
import { listSegments, type Segment } from './segments.js'

/** What opening a log has to see to. */
export interface OpenLogOptions {
  /** Absolute. */
  readonly path: string
  /** Bring what it holds to stable storage. */
  readonly sync: boolean
  /** It goes on in new files: those that are finished have to be found. */
  readonly rotates: boolean
  /** Keep the Merkle tree. */
  readonly tree: boolean
  /** The newest checkpoint of the log, which it has to agree with; read when nobody else can write a newer one. */
  readonly readCheckpoint: () => Checkpoint | undefined
}

/** A log that can be appended to. */
export interface OpenedLog {
  readonly file: LogFile
  /** Where the chain ends; undefined for a new log. */
  readonly head: ChainHead | undefined
  readonly tree: CompactTree | undefined
  /** `seq` of the first record of the file that is appended to. */
  readonly firstSeq: number
  /** When that record was written, in milliseconds since the epoch. */
  readonly firstMs: number | undefined
}

/**
 * Opens a log: takes it for this writer alone, checks what it holds, and sets crash damage aside.
 *
 * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when it has a writer, {@link AuditDamaged} (ERR_AUDIT_DAMAGED)
 * when it does not hold together, {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) otherwise.
 */
export function openLog(io: FileIo, owner: OpenFile, options: OpenLogOptions): OpenedLog {
  refuseHeldLog(io, options.path, owner.path)
  const file = LogFile.open(io, options.path, owner.path)
  try {
    file.claimedBy(new FileClaim(io, owner, file.identity, options.path))
    return takeUp(io, file, owner.path, options, options.readCheckpoint())
  } catch (cause) {
    file.abandon()
    throw cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_AUDIT')
      ? cause
      : unavailable(owner.path, cause)
  }
}

function takeUp(
  io: FileIo,
  file: LogFile,
  name: string,
  options: OpenLogOptions,
  checkpoint: Checkpoint | undefined,
): OpenedLog {
  const { path, sync } = options
  const own = scanLog(io, file.fd, options.tree, checkpoint)
  const { fault } = own.report
  // Where nothing of the file holds, the log ends in the one before, and that is what was signed.
  const isLost = own.report.bytes === 0 || fault?.offset === 0
  const before = isLost ? newestSegment(io, options) : undefined
  const scan = before === undefined ? own : scanSegment(io, before, name, options.tree, checkpoint)
  const alone = before === undefined ? own : scanLog(io, file.fd, false, undefined)
  let { bytes } = own.report
  let recovered: Recovered | undefined
  if (alone.report.verdict === 'CRASH_DAMAGED' && fault !== undefined) {
    recovered = setAside(io, file.fd, path, fault.offset)
    bytes = fault.offset
  } else if (bytes > 0) assertSound(alone, name, before === undefined ? checkpoint : undefined)

  if (bytes === 0 && before === undefined && checkpoint !== undefined && checkpoint.size > 0) {
    const detail = `${checkpoint.size} records were signed, and none are there`
    throw new AuditDamaged(name, 'TRUNCATED', 0, 0, detail)
  }
  const { size, head: hash, logId } = scan.report
  if (options.tree && scan.tree === undefined) {
    throw new AuditUnavailable(`${name}: it goes on from another file, and does not say with which tree`, {
      path: name,
    })
  }
  if (sync) syncFile(io, file.fd, path, bytes === 0)
  file.holds(bytes, size, sync ? size : 0)
  const head: ChainHead = {
    size,
    ...(hash === undefined ? {} : { hash }),
    ...(logId === undefined ? {} : { logId }),
    ...(recovered === undefined ? {} : { recovered }),
    ...(before === undefined
      ? {}
      : { announce: { previous: { file: before.file, size, hash, tree: scan.tree?.toJSON().nodes } } }),
  }
  return {
    file,
    head: size === 0 && recovered === undefined ? undefined : head,
    tree: scan.tree,
    firstSeq: bytes === 0 ? size : scan.report.first,
    firstMs: bytes === 0 ? undefined : readFirstMs(io, file.fd),
  }
}

/** @throws {@link AuditDamaged} (ERR_AUDIT_DAMAGED) for a file that nothing may be added to. */
function assertSound({ report }: LogScan, name: string, checkpoint: Checkpoint | undefined): void {
  const { verdict, fault, first, size, bytes } = report
  if (checkpoint !== undefined && checkpoint.size < first) {
    // A file is signed before the next is begun: this checkpoint is an old one that was put back.
    const detail = `its checkpoint is of ${checkpoint.size} records, and the file begins after ${first}`
    throw new AuditDamaged(name, 'REWRITTEN', first, 0, detail)
  }
  if (verdict === 'UNANCHORED' || verdict === 'VALID') return
  const detail = fault?.detail ?? `its checkpoint is of ${checkpoint?.size} records and does not agree`
  throw new AuditDamaged(name, verdict, fault?.seq ?? size, fault?.offset ?? bytes, detail)
}

/** A folder that may not be read is no reason not to write, unless finding its files is what was asked for. */
function newestSegment(io: FileIo, { path, rotates }: OpenLogOptions): Segment | undefined {
  try {
    return listSegments(io, path).at(-1)
  } catch (cause) {
    if (rotates || (cause as { code?: unknown }).code !== 'EACCES') throw cause
    return undefined
  }
}

/** A finished segment was stored before the next was begun: whatever is wrong with it is no crash. */
function scanSegment(
  io: FileIo,
  segment: Segment,
  name: string,
  tree: boolean,
  checkpoint: Checkpoint | undefined,
): LogScan {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  const fd = io.openSync(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const scan = scanLog(io, fd, tree, checkpoint)
    const label = `${name} (${segment.file})`
    assertSound(scan, label, checkpoint)
    const { first } = scan.report
    if (first !== segment.firstSeq) {
      throw new AuditDamaged(
        label,
        'TAMPERED',
        first,
        0,
        `it has the name of a finished file of this log, and begins with record ${first}`,
      )
    }
    return scan
  } finally {
    closeQuietly(io, fd)
  }
}
