import type { AuditSink, SealedRecord, SinkHost } from '../audit/sink.js'
import { MAX_TIMER_MS, systemClock } from '../core/clock.js'
import { AuditUnavailable } from '../core/errors.js'
import { isThenable, readCount, readFunction, readOptions, readText } from '../core/guards.js'
import { settlesWithin } from './settles-within.js'

const MAX_NAME_LENGTH = 128

/**
 * Receives one record. Runs synchronously inside the append, so it should return at once; slow work belongs
 * into the promise. What it throws means that the record was not taken. Records come in the order of `seq`,
 * without waiting for the promises of earlier ones.
 */
export type RecordCallback = (record: SealedRecord) => void | PromiseLike<void>

export interface CallbackSinkOptions {
  /** Names the sink in `sink_dropped`; 1 to 128 characters. Default `callback`. */
  readonly name?: string
  /** Promises that may be unsettled at a time; at this number further records are refused. Default 10,000. */
  readonly maxPending?: number
  /** Milliseconds that `drain` and `close` wait for promises, 0 to 2^31 − 1. Default 5,000. */
  readonly closeTimeoutMs?: number
}

/**
 * Hands every record to a function.
 *
 * A record whose promise rejects is reported as dropped, and so is one whose promise has not settled when
 * `close` stops waiting. `flush` waits for the promises of every record taken so far, and rejects when one
 * has failed since the last flush. `flushSync` throws while promises are pending.
 *
 * @throws TypeError for a `fn` that is no function, an unknown option, or an option of the wrong type.
 * @throws RangeError for an option out of range.
 */
export function callbackSink(fn: RecordCallback, options: CallbackSinkOptions = {}): AuditSink {
  const label = 'AuditSink.callback'
  const callback = readFunction<RecordCallback>(label, fn)
  const given = readOptions(label, options, ['name', 'maxPending', 'closeTimeoutMs'])
  return new CallbackSink(
    callback,
    readText(`${label}: name`, given.name ?? 'callback', MAX_NAME_LENGTH),
    readCount(`${label}: maxPending`, given.maxPending ?? 10_000),
    readCount(`${label}: closeTimeoutMs`, given.closeTimeoutMs ?? 5_000, MAX_TIMER_MS),
  )
}

class CallbackSink implements AuditSink {
  readonly name: string
  readonly durable = false
  readonly #callback: RecordCallback
  readonly #maxPending: number
  readonly #closeTimeoutMs: number
  #host: SinkHost | undefined
  #isOpen = false
  #pending = 0
  /** Resolves when every promise so far has settled; never rejects. */
  #settled: Promise<unknown> = Promise.resolve()
  /** Raised when pending promises are given up, so that they are not counted again when they settle. */
  #epoch = 0
  #failures = 0
  /** Failures that a flush has already rejected for. */
  #reported = 0
  #lastCause: unknown

  constructor(callback: RecordCallback, name: string, maxPending: number, closeTimeoutMs: number) {
    this.#callback = callback
    this.name = name
    this.#maxPending = maxPending
    this.#closeTimeoutMs = closeTimeoutMs
  }

  open(host: SinkHost): undefined {
    if (this.#isOpen) throw this.#unavailable('the sink is open already')
    this.#isOpen = true
    this.#host = host
  }

  append(record: SealedRecord): void {
    if (!this.#isOpen) throw this.#unavailable('the sink is not open')
    if (this.#pending >= this.#maxPending) throw this.#unavailable(`${this.#pending} records are pending`)
    const callback = this.#callback
    const result: unknown = callback(record)
    if (isThenable(result)) this.#track(result)
  }

  flush(): Promise<void> | undefined {
    if (this.#pending === 0 && this.#failures === this.#reported) return undefined
    // Flushes that overlap all reject for a failure that none of them knew of when it was called.
    const known = this.#reported
    const flushed = this.#settled.then(() => this.#assertNoneFailedSince(known))
    // The host has heard of the failure: somebody who stopped waiting must not make it an unhandled rejection.
    flushed.catch(() => undefined)
    return flushed
  }

  flushSync(): void {
    if (this.#pending > 0) throw this.#unavailable(`${this.#pending} records are pending, which takes a wait`)
    this.#assertNoneFailedSince(this.#reported)
  }

  async drain(): Promise<void> {
    const host = this.#host
    if (this.#pending === 0 || (await settlesWithin(this.#settled, this.#closeTimeoutMs, systemClock))) return
    const count = this.#pending
    this.#pending = 0
    this.#epoch += 1
    this.#settled = Promise.resolve()
    this.#fail(host, count, this.#unavailable(`no answer within ${this.#closeTimeoutMs} ms`))
  }

  close(): Promise<void> {
    this.#isOpen = false
    return this.drain()
  }

  #track(result: PromiseLike<unknown>): void {
    const host = this.#host
    const epoch = this.#epoch
    this.#pending += 1
    const settled = Promise.resolve(result).then(
      () => {
        if (epoch === this.#epoch) this.#pending -= 1
      },
      (cause: unknown) => {
        if (epoch !== this.#epoch) return
        this.#pending -= 1
        this.#fail(host, 1, cause)
      },
    )
    // A chain, not a set: a flush costs the same whatever is pending.
    this.#settled = Promise.all([this.#settled, settled])
  }

  #fail(host: SinkHost | undefined, count: number, cause: unknown): void {
    this.#failures += 1
    this.#lastCause = cause
    host?.dropped(count, cause)
  }

  #assertNoneFailedSince(known: number): void {
    if (this.#failures === known) return
    this.#reported = this.#failures
    throw this.#unavailable('a promise of the callback failed', { cause: this.#lastCause })
  }

  #unavailable(reason: string, options?: ErrorOptions): AuditUnavailable {
    return new AuditUnavailable(`${this.name}: ${reason}`, options)
  }
}
