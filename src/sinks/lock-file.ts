import type { FileIo } from './file-open.js'
import { closeQuietly, unavailable, writeAll } from './file-open.js'
import { type Beating, startBeating, stopBeating } from './heartbeat.js'
import { findLock } from './lock-found.js'
import type { LockHost } from './lock-host.js'
import { type Claimant, nextPath, takeLockFile } from './lock-takeover.js'
import { encodeToken, type LockToken } from './lock-token.js'
import { unlinkQuietly } from './new-file.js'

/** A lock file that is ours, until it is released or somebody takes it. */
export class LockFile implements Beating {
  readonly path: string
  readonly #logPath: string
  readonly #io: FileIo
  readonly #host: LockHost
  #token: LockToken
  #fd: number
  readonly #dev: bigint
  readonly #ino: bigint
  #beatAtMs: number
  #loss: unknown

  /**
   * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when the log has a writer.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the file cannot be made.
   */
  constructor(claimant: Claimant) {
    this.path = claimant.lockPath
    this.#logPath = claimant.logPath
    this.#io = claimant.io
    this.#host = claimant.host
    this.#token = claimant.token
    this.#fd = takeLockFile(claimant)
    try {
      const { dev, ino } = this.#io.fstatSync(this.#fd, { bigint: true })
      this.#dev = dev
      this.#ino = ino
    } catch (cause) {
      unlinkQuietly(this.#io, this.path)
      closeQuietly(this.#io, this.#fd)
      throw unavailable(this.path, cause, claimant.logPath)
    }
    this.#beatAtMs = Date.now()
    startBeating(this)
  }

  get beatMs(): number {
    return this.#host.beatMs
  }

  /**
   * Whether the log may be written to: right before every batch.
   *
   * @returns what has happened to the lock, if something has, as an error with a code.
   */
  check(): unknown {
    if (this.#loss !== undefined) return this.#loss
    if (this.#silentMs() >= this.#host.beatMs) this.beat()
    if (this.#mayCountAsGone()) this.#loss ??= { code: 'LOCK_SILENT' }
    this.#loss ??= this.#displacement()
    return this.#loss
  }

  beat(): void {
    if (this.#loss !== undefined) return
    const mayCountAsGone = this.#mayCountAsGone()
    if (this.#put(this.#token) !== undefined) return
    // Somebody may have judged by the old time and be about to take over. One that makes its file after this look
    // sees the beat above; one that made it before is seen here, or has the lock by now.
    if (mayCountAsGone) this.#loss = this.#contender()
    this.#beatAtMs = Date.now()
  }

  /**
   * Names the file in which the log goes on.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the lock is lost, or cannot be written.
   */
  follow(identity: string): void {
    const token = { ...this.#token, identity }
    const error = this.check() ?? this.#put(token)
    if (error !== undefined) throw unavailable(this.path, error, this.#logPath)
    this.#token = token
  }

  /** Removes the file, if it is still ours. */
  release(): void {
    stopBeating(this)
    const isOurs = this.#loss === undefined && this.#displacement() === undefined
    closeQuietly(this.#io, this.#fd)
    this.#fd = -1
    if (isOurs) unlinkQuietly(this.#io, this.path)
    this.#loss ??= { code: 'LOCK_GONE' }
  }

  /** A clock that was set, either way, has to bring a beat forward, not put it off. */
  #silentMs(): number {
    return Math.abs(Date.now() - this.#beatAtMs)
  }

  /** Long before others see it so. */
  #mayCountAsGone(): boolean {
    return this.#silentMs() * 2 > this.#host.silentMs
  }

  /** By its name, and closed each time: then a network file system asks its server, and tells it. */
  #put(token: LockToken): unknown {
    const { O_RDWR, O_NOFOLLOW = 0 } = this.#io.constants
    let fd = -1
    try {
      if (findLock(this.#io, this.path)?.token?.id !== token.id) {
        this.#loss = this.#displacement() ?? { code: 'LOCK_TAKEN' }
        return this.#loss
      }
      fd = this.#io.openSync(this.path, O_RDWR | O_NOFOLLOW)
      const { dev, ino } = this.#io.fstatSync(fd, { bigint: true })
      if (dev !== this.#dev || ino !== this.#ino) return { code: 'LOCK_TAKEN' }
      return writeAll(this.#io, fd, encodeToken(token)).error
    } catch (cause) {
      return cause
    } finally {
      if (fd !== -1) closeQuietly(this.#io, fd)
    }
  }

  #displacement(): unknown {
    try {
      const stat = this.#io.lstatSync(this.path, { bigint: true, throwIfNoEntry: false })
      if (stat === undefined) return { code: 'LOCK_GONE' }
      return stat.ino === this.#ino && stat.dev === this.#dev ? undefined : { code: 'LOCK_TAKEN' }
    } catch (cause) {
      return cause
    }
  }

  #contender(): unknown {
    try {
      const next = this.#io.lstatSync(nextPath(this.path), { throwIfNoEntry: false })
      return next === undefined ? undefined : { code: 'LOCK_TAKEN' }
    } catch (cause) {
      return cause
    }
  }
}
