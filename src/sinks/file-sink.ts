import type { AuditSink, ChainHead, SealedRecord, SinkHost } from '../audit/sink.js'
import { AuditUnavailable } from '../core/errors.js'
import { builtin } from '../core/runtime.js'
import type { Durability } from './durability.js'
import {
  closeQuietly,
  displacement,
  type FileIo,
  openForAppend,
  syncFile,
  truncateQuietly,
  unavailable,
  writeAll,
} from './file-open.js'
import { readHead } from './file-recovery.js'
import { claimFile, type OpenFile, releaseFile } from './file-registry.js'
import { LineBuffer, wholeLines } from './line-buffer.js'
import { makeWaiters, type Waiters } from './waiters.js'

const INTERVAL_MS = 100

/** One file, one writer, one descriptor. */
export class FileSink implements AuditSink, OpenFile {
  readonly name: string
  readonly durable = true
  readonly path: string
  readonly #durability: Durability
  readonly #io: FileIo
  /** The process may change its directory. */
  readonly #absolutePath: string
  readonly #queue = new LineBuffer()
  #host: SinkHost | undefined
  #fd = -1
  #identity = ''
  /** Bytes of the file that are whole lines. */
  #bytes = 0
  #nextSeq = 0
  /** Records below this are with the kernel. */
  #written = 0
  /** Records below this are on stable storage. */
  #synced = 0
  #failure: AuditUnavailable | undefined
  #scheduled = false
  #syncing: Promise<void> | undefined
  #waiters: Waiters | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(path: string, durability: Durability, io: FileIo) {
    this.path = path
    this.name = `file:${path.replace(/^.*[/\\]/, '')}`
    this.#durability = durability
    this.#io = io
    this.#absolutePath = builtin<{ resolve(path: string): string }>('path')?.resolve(path) ?? path
  }

  get syncedSeq(): number {
    return this.#synced - 1
  }

  open(host: SinkHost): ChainHead | undefined {
    if (this.#fd !== -1) throw new AuditUnavailable(`${this.path}: it is open already`, { path: this.path })
    const { fd, identity } = openForAppend(this.#io, this.path)
    try {
      claimFile(identity, this)
      this.#identity = identity
      const { head, bytes } = readHead(this.#io, fd, this.path)
      if (this.#durability !== 'os') syncFile(this.#io, fd, this.path, bytes === 0)
      // What a log that failed had left unwritten is not part of the chain that goes on now.
      this.#queue.take()
      this.#host = host
      this.#fd = fd
      this.#bytes = bytes
      this.#nextSeq = head?.size ?? 0
      this.#written = this.#nextSeq
      this.#synced = this.#durability === 'os' ? 0 : this.#nextSeq
      this.#failure = undefined
      return head
    } catch (cause) {
      if (this.#identity === identity) releaseFile(identity)
      this.#identity = ''
      closeQuietly(this.#io, fd)
      throw cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_AUDIT')
        ? cause
        : unavailable(this.path, cause)
    }
  }

  append(record: SealedRecord): void {
    this.#assertUsable()
    if (record.seq !== this.#nextSeq) {
      throw new AuditUnavailable(
        `${this.path}: it ends before record ${this.#nextSeq}, and was given ${record.seq}`,
        { path: this.path },
      )
    }
    if (!this.#queue.add(record.line)) {
      this.#write()
      this.#queue.add(record.line)
    }
    this.#nextSeq += 1
    this.#schedule()
  }

  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const done = this.#durability === 'commit' ? this.#synced : this.#written
    if (done >= this.#nextSeq) return undefined
    this.#waiters ??= makeWaiters()
    this.#schedule()
    return this.#waiters.promise
  }

  flushSync(): void {
    this.#assertUsable()
    this.#write()
    if (this.#durability !== 'commit') return
    const reached = this.#written
    this.#attempt(() => this.#io.fdatasyncSync(this.#fd))
    this.#synced = Math.max(this.#synced, reached)
  }

  async close(): Promise<void> {
    // A call that ends may start the next one, for those who have asked meanwhile.
    while (this.#syncing !== undefined) await this.#syncing
    if (this.#fd === -1) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const before = this.#failure
    try {
      if (before === undefined) this.#writeOut()
    } catch {
      // What failed has set #failure.
    }
    const fd = this.#fd
    this.#fd = -1
    releaseFile(this.#identity)
    try {
      this.#io.closeSync(fd)
    } catch (cause) {
      this.#fail(cause)
    }
    if (before === undefined && this.#failure !== undefined) throw this.#failure
    this.#failure ??= new AuditUnavailable(`${this.path}: it is closed`, { path: this.path })
  }

  #writeOut(): void {
    this.#write()
    if (this.#durability !== 'os') this.#attempt(() => this.#io.fdatasyncSync(this.#fd))
    this.#settleWaiters()
  }

  flushOnExit(): void {
    try {
      if (this.#failure === undefined) this.#write()
    } catch {
      // The process is ending, and #write has already marked the log as failed.
    }
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#fd === -1) throw new AuditUnavailable(`${this.path}: it is not open`, { path: this.path })
  }

  /** One write for everything that is appended before the microtask queue is empty. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (this.#failure !== undefined || this.#fd === -1) return
      try {
        this.#write()
      } catch {
        return
      }
      if (this.#durability === 'commit') this.#commit()
      else this.#settleWaiters()
      if (this.#durability === 'interval') this.#syncSoon()
    })
  }

  /** Hands the buffer to the kernel; a failure leaves only whole lines in the file, and ends the sink. */
  #write(): void {
    if (this.#queue.isEmpty) return
    const displaced = displacement(this.#io, this.#absolutePath, this.#identity, this.#bytes)
    if (displaced !== undefined) throw this.#fail(displaced)
    const batch = this.#queue.take()
    const { written, error } = writeAll(this.#io, this.#fd, batch)
    if (error !== undefined) {
      const { lines, end } = wholeLines(batch.subarray(0, written))
      this.#written += lines
      truncateQuietly(this.#io, this.#fd, this.#bytes + end)
      throw this.#fail(error)
    }
    this.#bytes += batch.length
    this.#written = this.#nextSeq
  }

  /** Group commit: whoever asks while one call is under way shares the next one. */
  #commit(): void {
    if (this.#syncing !== undefined || this.#waiters === undefined) return
    const waiters = this.#waiters
    this.#waiters = undefined
    this.#sync((failure) => {
      if (failure !== undefined) waiters.reject(failure)
      else waiters.resolve()
      if (this.#waiters !== undefined) this.#schedule()
    })
  }

  #syncSoon(): void {
    if (this.#timer !== undefined || this.#synced >= this.#written) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#failure === undefined && this.#fd !== -1) this.#sync(() => this.#syncSoon())
    }, INTERVAL_MS)
    this.#timer.unref?.()
  }

  #sync(done: (failure: AuditUnavailable | undefined) => void): void {
    const reached = this.#written
    this.#syncing = new Promise((resolve) => {
      this.#io.fdatasync(this.#fd, (error) => {
        this.#syncing = undefined
        if (!error) this.#synced = Math.max(this.#synced, reached)
        done(error ? this.#fail(error) : undefined)
        resolve()
      })
    })
  }

  #settleWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = undefined
    waiters?.resolve()
  }

  #attempt(step: () => void): void {
    try {
      step()
    } catch (cause) {
      throw this.#fail(cause)
    }
  }

  /** Errors are final: a descriptor whose write or sync failed once may lie about the next. */
  #fail(cause: unknown): AuditUnavailable {
    if (this.#failure === undefined) {
      this.#failure = unavailable(this.path, cause)
      this.#host?.dropped(this.#nextSeq - this.#written, this.#failure)
    }
    this.#waiters?.reject(this.#failure)
    this.#waiters = undefined
    return this.#failure
  }
}
