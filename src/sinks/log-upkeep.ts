import type { CompactTree } from '../audit/merkle/compact-tree.js'
import { leafHash } from '../audit/merkle/hash.js'
import type { SinkHost } from '../audit/sink.js'
import { errorText } from '../core/error-text.js'
import { AuditUnavailable } from '../core/errors.js'
import type { AnchorFailure } from './anchoring.js'
import { Checkpointer, type SignedLog } from './checkpointer.js'
import { type FileIo, unavailable } from './file-open.js'
import type { OpenFile } from './file-registry.js'
import { syncFolder } from './file-sync.js'
import { LogFile } from './log-file.js'
import { unlinkQuietly } from './new-file.js'
import { type OpenedLog, openLog } from './open-log.js'
import { type Expired, expiredSegments, prunedPayload } from './retention.js'
import type { RotationOptions } from './rotation.js'
import { segmentOf } from './segments.js'
import { Sidecar } from './sidecar.js'
import { loadSigningKey } from './signing-key-file.js'
import type { Signing } from './signing-options.js'

const LF = 0x0a

/** What a log needs beside being appended to. */
export interface UpkeepOptions {
  readonly io: FileIo
  /** Absolute. */
  readonly path: string
  readonly signing: Signing | undefined
  readonly rotation: RotationOptions | undefined
  /** Opening brings what the log holds to stable storage. */
  readonly sync: boolean
}

/** The sink whose log it is. */
export type UpkeepOwner = OpenFile & Pick<SignedLog, 'storedUpTo' | 'failed'>

/** What becomes of a log as it grows: its tree, its checkpoints, its files. */
export class LogUpkeep {
  readonly #options: UpkeepOptions
  readonly #owner: UpkeepOwner
  #tree: CompactTree | undefined
  #checkpointer: Checkpointer | undefined
  #firstSeq = 0
  #firstMs = 0
  #host: SinkHost | undefined
  /** Set with the last record: nothing comes after it, in no file. */
  #isSealed = false

  constructor(options: UpkeepOptions, owner: UpkeepOwner) {
    this.#options = options
    this.#owner = owner
  }

  /** True when the log is on stable storage whenever it is closed. */
  get isStored(): boolean {
    return this.#options.sync || this.#options.signing !== undefined
  }

  /** The checkpoint that is being made, if one is. It never rejects. */
  get publishing(): Promise<void> | undefined {
    return this.#checkpointer?.publishing
  }

  /** @throws {@link AuditUnavailable}, {@link AuditLocked} or {@link AuditDamaged}, as {@link openLog} does. */
  open(host: SinkHost): OpenedLog {
    const { io, path, signing, rotation } = this.#options
    if (rotation !== undefined && host.record === undefined) {
      throw this.#unavailable('only the primary sink of a log can rotate')
    }
    const checkpointer = signing === undefined ? undefined : this.#sign(signing)
    const tree = checkpointer !== undefined || rotation !== undefined
    const opened = openLog(io, this.#owner, {
      path,
      sync: this.isStored,
      tree,
      rotates: rotation !== undefined,
      readCheckpoint: () => this.#attempt(() => checkpointer?.newest()),
    })
    this.#host = host
    this.#isSealed = false
    this.#tree = opened.tree
    this.#firstSeq = opened.firstSeq
    this.#firstMs = opened.firstMs ?? Date.now()
    this.#checkpointer = checkpointer
    if (checkpointer === undefined) return opened
    try {
      // What the log holds now is signed first, so that what comes later can be told from it.
      this.#attempt(() => checkpointer.begin())
    } catch (cause) {
      opened.file.abandon()
      throw cause
    }
    const announce = { ...checkpointer.announcement, ...opened.head?.announce }
    return { ...opened, head: { size: 0, ...opened.head, announce } }
  }

  /** Says which whole lines were written. */
  wrote(lines: Uint8Array, endsSession: boolean): void {
    const tree = this.#tree
    if (tree === undefined) return
    for (let start = 0; start < lines.length; ) {
      const end = lines.indexOf(LF, start)
      tree.append(leafHash(lines.subarray(start, end)))
      start = end + 1
    }
    this.#checkpointer?.wrote(endsSession)
  }

  /** Says that the last record has been taken. */
  seal(): void {
    this.#isSealed = true
  }

  /** True when the file is finished. */
  isDue({ bytes }: LogFile): boolean {
    const { rotation } = this.#options
    if (rotation === undefined || bytes === 0 || this.#isSealed) return false
    const { maxBytes = Number.POSITIVE_INFINITY, maxAgeMs = Number.POSITIVE_INFINITY } = rotation
    return bytes >= maxBytes || Date.now() - this.#firstMs >= maxAgeMs
  }

  /**
   * Goes on in a new file. Everything written MUST be on stable storage.
   *
   * Two writers cannot go on with one chain: somebody who finds no file goes on from the one that was
   * finished, and then the new file cannot be made here.
   *
   * @param hash of the last record.
   * @returns the new file, and what the `log_open` that it begins with has to say.
   * @throws what the system says.
   */
  rotate(finished: LogFile, hash: string): { file: LogFile; opening: Readonly<Record<string, unknown>> } {
    const { io, path } = this.#options
    this.#checkpointer?.publishNow()
    const target = segmentOf(path, this.#firstSeq)
    // Renaming would take the place of a file without a word.
    if (io.lstatSync(target.path, { throwIfNoEntry: false }) !== undefined) {
      throw this.#unavailable(`${target.path} is in the way of its next segment`)
    }
    io.renameSync(path, target.path)
    const file = LogFile.open(io, path, this.#owner.path, true)
    try {
      syncFolder(io, path)
      finished.succeededBy(file)
    } catch (cause) {
      file.abandon()
      throw cause
    }
    const size = finished.written
    file.holds(0, size, size)
    this.#firstSeq = size
    this.#firstMs = Date.now()
    const previous = { file: target.file, size, hash, tree: this.#tree?.toJSON().nodes }
    return { file, opening: { ...this.#checkpointer?.announcement, previous } }
  }

  /** The finished files that are not kept any longer, and the payload of the record that says so. */
  expired():
    | { readonly files: readonly Expired[]; readonly payload: Readonly<Record<string, unknown>> }
    | undefined {
    const { io, path, rotation = {} } = this.#options
    const found = expiredSegments(io, path, rotation, Date.now(), this.#firstSeq)
    return found && { files: found.expired, payload: prunedPayload(found.reason, found.expired) }
  }

  /** Removes files. One that cannot be removed is found again when the next file is begun. */
  remove(files: readonly Expired[]): void {
    for (const { segment } of files) unlinkQuietly(this.#options.io, segment.path)
  }

  /** Signs the end. @throws what the system says. */
  finish(): void {
    this.#checkpointer?.publishNow()
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the last checkpoint was not anchored. */
  async close(): Promise<void> {
    await this.#checkpointer?.close()
  }

  #sign(signing: Signing): Checkpointer {
    const { io, path } = this.#options
    const owner = this.#owner
    const log: SignedLog = {
      path: owner.path,
      tree: () => this.#tree as CompactTree,
      storedUpTo: (size) => owner.storedUpTo(size),
      failed: (cause) => owner.failed(cause),
      anchorFailed: (failure) => this.#anchorFailed(failure),
    }
    return new Checkpointer(log, new Sidecar(io, path), loadSigningKey(io, signing.key), signing)
  }

  /** After the last record nobody can be told but whoever closes the log. */
  #anchorFailed({ size, count, error }: AnchorFailure): void {
    if (this.#isSealed) return
    try {
      this.#host?.record?.('anchor_failed', { size, count, error: JSON.parse(errorText(error)) })
    } catch {
      // The log has failed, and says so to everybody who uses it.
    }
  }

  #attempt<T>(step: () => T): T {
    try {
      return step()
    } catch (cause) {
      throw cause instanceof Error && String((cause as { code?: unknown }).code).startsWith('ERR_')
        ? cause
        : unavailable(`${this.#owner.path}.checkpoint`, cause)
    }
  }

  #unavailable(detail: string): AuditUnavailable {
    const { path } = this.#owner
    return new AuditUnavailable(`${path}: ${detail}`, { path })
  }
}
