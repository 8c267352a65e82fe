import type { AuditSink, ChainHead, SealedRecord, SinkHost } from '../audit/sink.js'
import { AuditUnavailable } from '../core/errors.js'
import type { Durability } from './durability.js'
import { unavailable } from './file-open.js'
import { LineBuffer } from './line-buffer.js'
import type { LogFile } from './log-file.js'
import { LogUpkeep, type UpkeepOptions, type UpkeepOwner } from './log-upkeep.js'
import { makeWaiters, type Waiters } from './waiters.js'

const INTERVAL_MS = 100

/** One log, one writer, one file at a time. */
export class FileSink implements AuditSink, UpkeepOwner {
  readonly name: string
  readonly durable = true
  readonly mustBePrimary: boolean
  readonly path: string
  readonly #durability: Durability
  readonly #upkeep: LogUpkeep
  readonly #queue = new LineBuffer()
  #host: SinkHost | undefined
  #file: LogFile | undefined
  #nextSeq = 0
  #hash = ''
  #failure: AuditUnavailable | undefined
  #scheduled = false
  /** True when a session ends in the lines that are queued. */
  #endsSession = false
  #waiters: Waiters | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(path: string, durability: Durability, upkeep: Omit<UpkeepOptions, 'sync'>) {
    this.path = path
    this.name = `file:${path.replace(/^.*[/\\]/, '')}`
    this.mustBePrimary = upkeep.rotation !== undefined
    this.#durability = durability
    this.#upkeep = new LogUpkeep({ ...upkeep, sync: durability !== 'os' }, this)
  }

  get syncedSeq(): number {
    return (this.#file?.synced ?? 0) - 1
  }

  open(host: SinkHost): ChainHead | undefined {
    if (this.#file !== undefined) throw this.#unavailable('it is open already')
    const { file, head } = this.#upkeep.open(host)
    this.#file = file
    // What a log that failed had left unwritten is not part of the chain that goes on now.
    this.#queue.take()
    this.#host = host
    this.#nextSeq = file.written
    this.#hash = head?.hash ?? ''
    this.#endsSession = false
    this.#failure = undefined
    return head
  }

  append(record: SealedRecord): void {
    const file = this.#usable()
    if (record.seq !== this.#nextSeq) {
      throw this.#unavailable(`it ends before record ${this.#nextSeq}, and was given ${record.seq}`)
    }
    if (!this.#queue.addRecord(record)) {
      const isQuick = file.keepsPaceWith(this.#queue.fillMs)
      this.#write()
      if (isQuick && this.#durability === 'commit') this.#commit(file)
      this.#queue.addRecord(record)
    }
    this.#nextSeq += 1
    this.#hash = record.hash
    if (record.event === 'session_end') this.#endsSession = true
    else if (record.event === 'log_close') this.#upkeep.seal()
    this.#schedule()
  }

  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const file = this.#usable()
    if ((this.#durability === 'commit' ? file.synced : file.written) >= this.#nextSeq) return undefined
    this.#waiters ??= makeWaiters()
    this.#schedule()
    return this.#waiters.promise
  }

  flushSync(): void {
    const file = this.#usable()
    this.#write()
    if (this.#durability === 'commit') this.#attempt(() => file.syncNow())
  }

  async close(): Promise<void> {
    // Work that ends may start the next, for those who have asked meanwhile.
    while (this.#file?.syncing ?? this.#upkeep.publishing) {
      await (this.#file?.syncing ?? this.#upkeep.publishing)
    }
    const file = this.#file
    if (file === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const before = this.#failure
    try {
      if (before === undefined) this.#finish(file)
    } catch {
      // What failed has set #failure.
    }
    this.#file = undefined
    try {
      file.close()
    } catch (cause) {
      this.#fail(cause)
    }
    const anchored = this.#upkeep.close()
    const failure = this.#failure
    this.#failure ??= this.#unavailable('it is closed')
    if (before === undefined && failure !== undefined) {
      anchored.catch(() => undefined)
      throw failure
    }
    await anchored
  }

  flushOnExit(): void {
    try {
      if (this.#failure === undefined) this.#write()
    } catch {
      // The process is ending, and #write has already marked the log as failed.
    }
  }

  async storedUpTo(size: number): Promise<void> {
    for (let file = this.#usable(); file.synced < size; file = this.#usable()) {
      if (file.syncing === undefined) this.#sync(file)
      await file.syncing
    }
  }

  failed(cause: unknown): void {
    this.#fail(cause)
  }

  #finish(file: LogFile): void {
    this.#write()
    if (this.#upkeep.isStored) this.#attempt(() => file.syncNow())
    this.#settle()
    this.#attempt(() => this.#upkeep.finish())
  }

  #usable(): LogFile {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#file === undefined) throw this.#unavailable('it is not open')
    return this.#file
  }

  /** One write for everything that is appended before the microtask queue is empty. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      const file = this.#file
      if (this.#failure !== undefined || file === undefined) return
      try {
        this.#write()
        if (this.#rotate(file)) return
      } catch {
        return
      }
      if (this.#durability === 'commit') this.#commit(file)
      else this.#settle()
      if (this.#durability === 'interval') this.#syncSoon(file)
    })
  }

  /** Hands the queue to the kernel; a failure leaves only whole lines in the file, and ends the sink. */
  #write(): void {
    if (this.#queue.isEmpty) return
    const file = this.#usable()
    const lines = this.#queue.take()
    this.#attempt(() => file.write(lines, this.#nextSeq))
    this.#upkeep.wrote(lines, this.#endsSession)
    this.#endsSession = false
  }

  /** Goes on in a new file when this one is finished. */
  #rotate(file: LogFile): boolean {
    if (file.syncing !== undefined || !this.#upkeep.isDue(file)) return false
    this.#attempt(() => {
      file.syncNow()
      const next = this.#upkeep.rotate(file, this.#hash)
      this.#file = next.file
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#settle()
      this.#host?.record?.('log_open', next.opening)
      const expired = this.#upkeep.expired()
      if (expired === undefined) return
      this.#host?.record?.('log_pruned', expired.payload)
      this.#write()
      next.file.syncNow()
      this.#upkeep.remove(expired.files)
    })
    return true
  }

  /** Group commit: whoever asks while one call is under way shares the next one. */
  #commit(file: LogFile): void {
    if (file.syncing !== undefined || this.#waiters === undefined) return
    const waiters = this.#waiters
    this.#waiters = undefined
    this.#sync(file, waiters.settle)
  }

  #syncSoon(file: LogFile): void {
    if (this.#timer !== undefined || file.synced >= file.written) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#failure === undefined && this.#file === file && file.syncing === undefined) this.#sync(file)
    }, INTERVAL_MS)
    this.#timer.unref?.()
  }

  #sync(file: LogFile, done?: (failure: AuditUnavailable | undefined) => void): void {
    file.sync((error) => {
      const failure = error === undefined ? undefined : this.#fail(error)
      done?.(failure)
      if (failure !== undefined || this.#file !== file) return
      if (this.#waiters !== undefined || this.#upkeep.isDue(file)) this.#schedule()
      if (this.#durability === 'interval') this.#syncSoon(file)
    })
  }

  #settle(): void {
    this.#waiters?.settle()
    this.#waiters = undefined
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
      this.#host?.dropped(this.#nextSeq - (this.#file?.written ?? 0), this.#failure)
    }
    this.#waiters?.settle(this.#failure)
    this.#waiters = undefined
    return this.#failure
  }

  #unavailable(detail: string): AuditUnavailable {
    return new AuditUnavailable(`${this.path}: ${detail}`, { path: this.path })
  }
}
