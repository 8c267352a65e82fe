import type { Clock } from '../core/clock.js'
import { AuditUnavailable } from '../core/errors.js'
import { isThenable } from '../core/guards.js'
import { newId } from '../core/ids.js'
import { encodeJson } from '../core/json-text.js'
import { utf8Length } from '../core/utf8.js'
import type { EventName } from './event.js'
import { messageOf, toUnavailable } from './failure.js'
import { openingPayload } from './host.js'
import { arrange, openPrimary } from './primary.js'
import { GENESIS, MAX_LINE_BYTES, sealStamped } from './record.js'
import { shrink } from './shrink.js'
import { SideSink } from './side-sink.js'
import type { AuditSink, ChainHead, CompositeSink, SealedRecord } from './sink.js'
import { Stamp } from './stamp.js'

/** Records of drops are at least this far apart, so that a flood of drops is not a flood of records. */
const DROP_REPORT_MS = 1000

/**
 * One chain of records and the sinks it goes to.
 *
 * The primary sink is the first durable one, else the first: a record that it does not take ends the log,
 * for good, with {@link AuditUnavailable}. The others get the same sealed line; what they lose is counted
 * in the primary.
 */
export class AuditLog {
  static readonly #open = new WeakMap<object, AuditLog>()

  readonly #sink: object
  readonly #clock: Clock
  readonly #stamp: Stamp
  readonly #primary: AuditSink
  readonly #sides: readonly SideSink[]
  readonly #head: ChainHead | undefined
  #users = 0
  #seq: number
  #prevHash: string
  #failure: AuditUnavailable | undefined
  #closing: Promise<void> | undefined
  /** What the primary promised last, and what comes of it: everybody who waits for the same shares it. */
  #pending: Promise<void> | undefined
  #flushed: Promise<void> | undefined
  /** Set when its last record has been written: whatever comes later is too late. */
  #isSealed = false
  /** Set while sinks are being handed a record: one that writes to the log from there would fork it. */
  #isWriting = false
  #droppedAtMs = Number.NEGATIVE_INFINITY

  /**
   * The log of a sink: the one that is open, or a new one. Two agents with the same sink share its chain.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) or the other errors of a log, when the primary cannot be opened.
   */
  static of(sink: AuditSink | CompositeSink, clock: Clock): AuditLog {
    let log = AuditLog.#open.get(sink)
    if (log === undefined) {
      log = new AuditLog(sink, clock)
      log.#announce()
      AuditLog.#open.set(sink, log)
    }
    log.#users += 1
    return log
  }

  private constructor(sink: AuditSink | CompositeSink, clock: Clock) {
    const { primary, others } = arrange(sink)
    this.#sink = sink
    this.#clock = clock
    this.#primary = primary
    const head = openPrimary(primary, {
      dropped: (count, cause) => void this.#fail(`${primary.name} lost ${count} records`, cause),
      record: (event, payload) =>
        this.#write(event, event === 'log_open' ? openingPayload(payload) : encodeJson(payload), '', ''),
    })
    this.#stamp = new Stamp(clock, head?.logId ?? newId(clock.nowMs()))
    this.#seq = head?.size ?? 0
    this.#prevHash = head?.hash ?? GENESIS
    this.#head = head
    this.#sides = others.map((other) => new SideSink(other, clock, head))
  }

  /** Why nothing can be recorded any more, if so. */
  get failure(): AuditUnavailable | undefined {
    return this.#failure
  }

  /**
   * Seals a record and hands it to every sink.
   *
   * @param session the members that identify a session, as JSON text with a trailing comma; empty for a record of the log.
   * @param payload JSON text of an object.
   * @param budget `,"budget":{…}` or nothing.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the primary does not take it; then and ever after.
   */
  append(event: EventName, payload: string, session = '', budget = ''): void {
    if (this.#isSealed) throw this.#failure ?? new AuditUnavailable('the log is closed')
    this.#reportDrops(event === 'session_end')
    this.#write(event, payload, session, budget)
  }

  /**
   * Resolves when everything appended so far is as durable as the primary promises; `undefined` when it
   * already is. Rejects with {@link AuditUnavailable}.
   */
  flush(): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    try {
      const pending = this.#primary.flush()
      if (pending === undefined) return undefined
      if (!isThenable(pending))
        throw new TypeError(`sink ${this.#primary.name}: flush must return a promise or undefined`)
      if (pending === this.#pending) return this.#flushed
      const flushed = Promise.resolve(pending).catch((cause: unknown) => {
        throw this.#fail(messageOf(cause), cause)
      })
      // A promise settles once; what a thenable says may be of something else every time.
      if (pending instanceof Promise) {
        this.#pending = pending
        this.#flushed = flushed
      }
      return flushed
    } catch (cause) {
      return Promise.reject(this.#fail(messageOf(cause), cause))
    }
  }

  /** As {@link flush}, at once. @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE). */
  flushSync(): void {
    if (this.#failure !== undefined) throw this.#failure
    try {
      this.#primary.flushSync()
    } catch (cause) {
      throw this.#fail(messageOf(cause), cause)
    }
  }

  /**
   * Gives the log up. The last user's call drains the other sinks, records what they dropped and the
   * close, and closes every sink.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the log failed, or fails now.
   */
  release(): Promise<void> {
    this.#users -= 1
    if (this.#users > 0) return Promise.resolve(this.flush())
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    AuditLog.#open.delete(this.#sink)
    await Promise.all(this.#sides.map((side) => side.drain()))
    try {
      this.#reportDrops(true)
      this.#isSealed = true
      this.#write('log_close', `{"records":${this.#seq + 1}}`, '', '')
    } catch {
      // The log has failed, and says so below; its sinks are closed nevertheless.
    }
    await Promise.all(this.#sides.map((side) => side.close()))
    try {
      this.#reportDrops(true)
      await this.#primary.drain?.()
      await this.flush()
    } catch (cause) {
      this.#fail(messageOf(cause), cause)
    }
    try {
      await this.#primary.close()
    } catch (cause) {
      this.#fail(messageOf(cause), cause)
    }
    // Read last: a primary may lose records while it closes.
    const failure = this.#failure
    this.#failure ??= new AuditUnavailable('the log is closed')
    if (failure !== undefined) throw failure
  }

  /** The records that open the log. Without them it is not open, and its sinks are given up again. */
  #announce(): void {
    const { recovered, announce } = this.#head ?? {}
    try {
      // A file that goes on from another begins with a record that says so.
      const isNewFile = announce !== undefined && 'previous' in announce
      if (isNewFile) this.#write('log_open', openingPayload(announce), '', '')
      if (recovered !== undefined) this.#write('log_recovered', encodeJson(recovered), '', '')
      if (!isNewFile) this.#write('log_open', openingPayload(announce), '', '')
    } catch (failure) {
      for (const sink of [this.#primary, ...this.#sides]) sink.close().catch(() => undefined)
      throw failure
    }
  }

  #write(event: EventName, payload: string, session: string, budget: string): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isWriting)
      throw new AuditUnavailable('a sink may not write to the log that it is taking a record of')
    let record = this.#seal(event, payload, session, budget)
    if (record.line.length > MAX_LINE_BYTES / 3 && utf8Length(record.line) >= MAX_LINE_BYTES) {
      record = this.#seal(event, shrink(payload), session, budget)
    }
    this.#isWriting = true
    try {
      const returned: unknown = this.#primary.append(record)
      // An async method satisfies the type; nobody would ever hear of its failure.
      if (isThenable(returned)) {
        returned.then(undefined, () => undefined)
        throw new TypeError(`sink ${this.#primary.name}: append must be synchronous`)
      }
      this.#seq += 1
      this.#prevHash = record.hash
      for (const side of this.#sides) side.append(record)
    } catch (cause) {
      throw this.#fail(messageOf(cause), cause)
    } finally {
      this.#isWriting = false
    }
  }

  #seal(event: EventName, payload: string, session: string, budget: string): SealedRecord {
    const stamp = this.#stamp.now(this.#syncedSeq())
    return sealStamped({ seq: this.#seq, stamp, session, event, payload, budget, prevHash: this.#prevHash })
  }

  /** What the primary says is stored, as far as it can be: a line that claims more would not verify. */
  #syncedSeq(): number {
    const { syncedSeq = -1 } = this.#primary
    return Number.isSafeInteger(syncedSeq) ? Math.max(-1, Math.min(syncedSeq, this.#seq - 1)) : -1
  }

  #reportDrops(always: boolean): void {
    if (this.#sides.length === 0 || !this.#sides.some((side) => side.drops > 0)) return
    const nowMs = this.#clock.monotonicMs()
    if (!always && nowMs - this.#droppedAtMs < DROP_REPORT_MS) return
    this.#droppedAtMs = nowMs
    for (const side of this.#sides) {
      const report = side.takeReport()
      if (report !== undefined) this.#write('sink_dropped', encodeJson(report), '', '')
    }
  }

  /** The first failure is the log's failure: errors on a file are not to be tried again. */
  #fail(message: string, cause: unknown): AuditUnavailable {
    this.#failure ??= toUnavailable(message, cause)
    return this.#failure
  }
}
