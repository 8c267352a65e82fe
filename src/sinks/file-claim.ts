import { AuditLocked } from '../core/errors.js'
import { builtin } from '../core/runtime.js'
import type { FileIo } from './file-open.js'
import { enlist, type OpenFile, strike } from './file-registry.js'
import { LockFile } from './lock-file.js'
import { holderOf } from './lock-found.js'
import { type LockHost, thisHost } from './lock-host.js'
import { socketName } from './lock-takeover.js'
import type { MachineLock } from './machine-lock.js'

/**
 * The right to write to a log, as its only writer: in this process, in its network namespace where the system
 * has sockets for that, and among all who see the lock file beside it.
 *
 * @example
 * const claim = new FileClaim(io, file, identity, path)
 * if (claim.check() === undefined) write()
 * claim.release()
 */
export class FileClaim {
  readonly #file: OpenFile
  readonly #host: LockHost
  readonly #io: FileIo
  readonly #lockFile: LockFile
  #identity: string
  #socket: MachineLock

  /**
   * @param identity device and inode of the file, as `dev:ino`.
   * @param path of the log; absolute, because the process may change its directory.
   * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when the log has a writer already.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when no lock file can be made beside it.
   */
  constructor(io: FileIo, file: OpenFile, identity: string, path: string) {
    const lockPath = `${path}.lock`
    this.#io = io
    this.#file = file
    this.#identity = identity
    this.#host = io.lockHost ?? thisHost()
    this.#socket = this.#take(identity, lockPath)
    try {
      const { host, pid, scope } = this.#host
      const source = builtin<{ randomUUID(): string }>('crypto') ?? globalThis.crypto
      const id = source.randomUUID().replaceAll('-', '')
      const opened = new Date().toISOString()
      const token = {
        id,
        host,
        pid,
        opened,
        identity,
        ...(scope === undefined ? {} : { scope }),
      }
      this.#lockFile = new LockFile({ io, host: this.#host, logPath: file.path, lockPath, token })
    } catch (cause) {
      this.#give(identity, this.#socket)
      throw cause
    }
  }

  /** The file that is held. */
  get identity(): string {
    return this.#identity
  }

  /**
   * Whether the log may be written to: to be asked right before every batch.
   *
   * @returns what has happened to the claim, if something has, as an error with a code.
   */
  check(): unknown {
    return this.#lockFile.check()
  }

  /**
   * Goes on with another file at the same path, as rotation makes one. The old file is given up only when the
   * new one is held; when it cannot be, the claim stays as it was.
   *
   * @throws {@link AuditLocked} (ERR_AUDIT_LOCKED) when the new file has another writer.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the claim is lost.
   */
  follow(identity: string): void {
    if (identity === this.#identity) return
    const socket = this.#take(identity, this.#lockFile.path)
    try {
      this.#lockFile.follow(identity)
    } catch (cause) {
      this.#give(identity, socket)
      throw cause
    }
    this.#give(this.#identity, this.#socket)
    this.#identity = identity
    this.#socket = socket
  }

  /** Gives the log up. A lock that somebody else has taken meanwhile is left alone. */
  release(): void {
    this.#lockFile.release()
    this.#give(this.#identity, this.#socket)
  }

  #take(identity: string, lockPath: string): MachineLock {
    enlist(identity, this.#file, () => this.#lockFile.release())
    const socket = this.#host.takeSocket(socketName(identity))
    if (socket !== undefined) return socket
    strike(identity)
    throw new AuditLocked(this.#file.path, { holder: holderOf(this.#io, lockPath) })
  }

  #give(identity: string, socket: MachineLock): void {
    socket.release()
    strike(identity)
  }
}
