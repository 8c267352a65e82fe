import type { FileClaim } from './file-claim.js'
import {
  closeQuietly,
  displacement,
  type FileIo,
  openForAppend,
  truncateQuietly,
  writeAll,
} from './file-open.js'
import { wholeLines } from './line-buffer.js'

/** One open file of a log: what of it is with the kernel, and what is on stable storage. */
export class LogFile {
  readonly identity: string
  readonly #io: FileIo
  readonly #path: string
  readonly #fd: number
  /** Bytes of the file that are whole lines. */
  #bytes = 0
  #written = 0
  #synced = 0
  #syncing: Promise<void> | undefined
  /** How long the last call took. */
  #syncMs = Number.POSITIVE_INFINITY
  #claim: FileClaim | undefined

  /**
   * @param path absolute: the process may change its directory.
   * @param name what errors call it.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE); also when it is there already and has to be new.
   */
  static open(io: FileIo, path: string, name: string, mustBeNew = false): LogFile {
    const { fd, identity } = openForAppend(io, path, name, mustBeNew)
    return new LogFile(io, path, fd, identity)
  }

  private constructor(io: FileIo, path: string, fd: number, identity: string) {
    this.#io = io
    this.#path = path
    this.#fd = fd
    this.identity = identity
  }

  get fd(): number {
    return this.#fd
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Records of the log below this are with the kernel. */
  get written(): number {
    return this.#written
  }

  /** Records of the log below this are on stable storage. */
  get synced(): number {
    return this.#synced
  }

  /** The call under way, if there is one. It never rejects: who started it is told how it ended. */
  get syncing(): Promise<void> | undefined {
    return this.#syncing
  }

  /**
   * True when such a call is worth making while more is written: the last one took at most twice as long as it
   * took to fill a buffer. On a slower disk it is better to wait for all that there is.
   */
  keepsPaceWith(fillMs: number): boolean {
    return this.#syncMs <= 2 * fillMs
  }

  /** The right to write to it. */
  get claim(): FileClaim | undefined {
    return this.#claim
  }

  /** Says by which right it is written to. Without one it is not. */
  claimedBy(claim: FileClaim): void {
    this.#claim = claim
  }

  /** Says what it holds, once that is known. */
  holds(bytes: number, written: number, synced: number): void {
    this.#bytes = bytes
    this.#written = written
    this.#synced = synced
  }

  /**
   * Adds whole lines. A write that fails leaves only whole lines in the file.
   *
   * @param written records of the log once they are there.
   * @throws what the system says, or that the file is not where and as long as it was left.
   */
  write(lines: Uint8Array, written: number): void {
    const displaced = this.#lost() ?? displacement(this.#io, this.#path, this.identity, this.#bytes)
    if (displaced !== undefined) throw displaced
    const taken = writeAll(this.#io, this.#fd, lines)
    if (taken.error !== undefined) {
      const whole = wholeLines(lines.subarray(0, taken.written))
      this.#written += whole.lines
      truncateQuietly(this.#io, this.#fd, this.#bytes + whole.end)
      throw taken.error
    }
    this.#bytes += lines.length
    this.#written = written
  }

  /** Brings everything written so far to stable storage; `done` is told. One call at a time. */
  sync(done: (error: unknown) => void): void {
    const reached = this.#written
    const startedMs = performance.now()
    this.#syncing = new Promise((resolve) => {
      this.#io.fdatasync(this.#fd, (error) => {
        this.#syncing = undefined
        this.#syncMs = performance.now() - startedMs
        if (!error) this.#synced = Math.max(this.#synced, reached)
        done(error ?? undefined)
        resolve()
      })
    })
  }

  /** As {@link sync}, at once. @throws what the system says. */
  syncNow(): void {
    const reached = this.#written
    this.#io.fdatasyncSync(this.#fd)
    this.#synced = Math.max(this.#synced, reached)
  }

  /** Gives it up. @throws what the system says. */
  close(): void {
    try {
      this.#io.closeSync(this.#fd)
    } finally {
      this.#claim?.release()
    }
  }

  /** Gives it up when something else has gone wrong already, which is what there is to say. */
  abandon(): void {
    closeQuietly(this.#io, this.#fd)
    this.#claim?.release()
  }

  /** Closes it when its log goes on in another, by the same right. */
  succeededBy(next: LogFile): void {
    const claim = this.#claim
    claim?.follow(next.identity)
    if (claim !== undefined) next.claimedBy(claim)
    this.#claim = undefined
    closeQuietly(this.#io, this.#fd)
  }

  #lost(): unknown {
    return this.#claim === undefined ? { code: 'LOCK_GONE' } : this.#claim.check()
  }
}
