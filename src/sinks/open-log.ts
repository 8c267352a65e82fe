import { CompactTree } from '../audit/merkle/compact-tree.js'
import type { Checkpoint } from '../audit/note/checkpoint.js'
import type { ChainHead, Recovered } from '../audit/sink.js'
import { AuditDamaged, AuditUnavailable } from '../core/errors.js'
import { CheckpointMatch } from './checkpoint-match.js'
import { closeQuietly, type FileIo, unavailable } from './file-open.js'
import { setAside } from './file-recovery.js'
import { claimFile, type OpenFile, releaseFile } from './file-registry.js'
import { syncFile } from './file-sync.js'
import { LogFile } from './log-file.js'
import { type LogScan, scanLog } from './log-scan.js'
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
  /** The newest checkpoint of the log, which it has to agree with. */
  readonly checkpoint: Checkpoint | undefined
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
  const file = LogFile.open(io, options.path, owner.path)
  let isClaimed = false
  try {
    claimFile(file.identity, owner)
    isClaimed = true
    return takeUp(io, file, owner.path, options)
  } catch (cause) {
    if (isClaimed) releaseFile(file.identity)
    file.closeQuietly()
    throw cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_AUDIT')
      ? cause
      : unavailable(owner.path, cause)
  }
}

function takeUp(io: FileIo, file: LogFile, name: string, options: OpenLogOptions): OpenedLog {
  const match = options.checkpoint === undefined ? undefined : new CheckpointMatch(options.checkpoint)
  const onTree = options.tree ? (tree: CompactTree) => match?.at(tree) : undefined
  let scan = scanLog(io, file.fd, onTree)
  let bytes = scan.report.bytes
  let recovered: Recovered | undefined
  const { fault, verdict } = scan.report
  if (bytes > 0 && fault !== undefined) {
    // What was signed was on stable storage: no crash has damaged it.
    const signed = (options.checkpoint?.size ?? 0) > fault.seq
    if (verdict !== 'CRASH_DAMAGED' || signed) {
      throw new AuditDamaged(name, signed ? 'TAMPERED' : verdict, fault.seq, fault.offset, fault.detail)
    }
    recovered = setAside(io, file.fd, options.path, fault.offset)
    bytes = fault.offset
  }
  let before: Segment | undefined
  if (bytes === 0) {
    before = newestSegment(io, options)
    if (before !== undefined) scan = scanSegment(io, before, name, onTree)
  }
  const { size, head: hash, logId } = scan.report
  const end = bytes === 0 && before === undefined ? 0 : size
  const against = match?.verdict(end)
  if (against !== undefined) throw new AuditDamaged(name, against.verdict, end, bytes, against.detail)
  if (options.tree && scan.tree === undefined) {
    throw new AuditUnavailable(`${name}: it goes on from another file, and does not say with which tree`, {
      path: name,
    })
  }
  if (options.sync) syncFile(io, file.fd, options.path, bytes === 0)
  file.holds(bytes, end, options.sync ? end : 0)
  return {
    file,
    head: end === 0 && recovered === undefined ? undefined : headOf(),
    tree: end === 0 && options.tree ? new CompactTree() : scan.tree,
    firstSeq: bytes === 0 ? end : scan.firstSeq,
    firstMs: bytes === 0 ? undefined : scan.firstMs,
  }

  function headOf(): ChainHead {
    const previous =
      before === undefined ? undefined : { file: before.file, size, hash, tree: scan.tree?.toJSON().nodes }
    return {
      size: end,
      ...(end === 0 || hash === undefined ? {} : { hash }),
      ...(end === 0 || logId === undefined ? {} : { logId }),
      ...(recovered === undefined ? {} : { recovered }),
      ...(previous === undefined ? {} : { announce: { previous } }),
    }
  }
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
  onTree: ((tree: CompactTree) => void) | undefined,
): LogScan {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = io.constants
  const fd = io.openSync(segment.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const scan = scanLog(io, fd, onTree)
    const { fault, verdict } = scan.report
    if (fault !== undefined || scan.firstSeq !== segment.firstSeq) {
      const detail = fault?.detail ?? `it begins with record ${scan.firstSeq}`
      throw new AuditDamaged(
        `${name} (${segment.file})`,
        fault === undefined ? 'TAMPERED' : verdict,
        fault?.seq ?? scan.firstSeq,
        fault?.offset ?? 0,
        detail,
      )
    }
    return scan
  } finally {
    closeQuietly(io, fd)
  }
}
