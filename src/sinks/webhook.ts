import type { AuditSink, SealedRecord, SinkHost } from '../audit/sink.js'
import type { TimerHandle } from '../core/clock.js'
import { AuditUnavailable } from '../core/errors.js'
import { settlesWithin } from './settles-within.js'
import { deliver } from './webhook-delivery.js'
import { readWebhook, type WebhookSettings, type WebhookSinkOptions } from './webhook-options.js'
import { WebhookQueue } from './webhook-queue.js'

/**
 * Sends records to an HTTP endpoint, in order, in batches, beside whatever the agent does.
 *
 * The body of a request is the exact lines of the log, each ended by LF (`application/x-ndjson`): appended to
 * a file they are a log that verifies. Every request has `webhook-id` and `webhook-timestamp`, and with a
 * `secret` a `webhook-signature`, as in Standard Webhooks; a receiver verifies the raw bytes before it parses
 * them.
 *
 * - Any 2xx answer accepts a batch. 408, 425, 429, 5xx, network errors and timeouts are tried again, with the
 *   same `webhook-id`: a receiver may see a batch twice, and can tell. Any other answer refuses the batch, a
 *   redirect too, which is never followed.
 * - One request is in flight at a time. What is refused, given up or beyond the bounds is dropped and counted;
 *   the receiver sees a gap in `seq`.
 * - `append` and `flush` never wait for the network: taken means queued. Records that are still queued when
 *   the process ends are lost, so close the agent first.
 * - The URL is configuration, not input: addresses of the own network are not refused.
 *
 * @param url `https:`, or `http:` on localhost, 127.0.0.0/8 or [::1]; without credentials.
 * @throws TypeError for another URL, an unknown option, or an option of the wrong type.
 * @throws RangeError for an option out of range.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no `fetch`, or no Web Crypto for a `secret`.
 * @example
 * AuditSink.webhook('https://alerts.example.com/writ', { secret, headers: { 'x-team': 'payments' } })
 * @see https://www.standardwebhooks.com
 */
export function webhookSink(url: string | URL, options: WebhookSinkOptions = {}): AuditSink {
  return new WebhookSink(readWebhook(url, options))
}

class WebhookSink implements AuditSink {
  readonly name: string
  readonly durable = false
  readonly #settings: WebhookSettings
  readonly #queue: WebhookQueue
  #host: SinkHost | undefined
  #isOpen = false
  #drains = 0
  /** Set while records wait for company. */
  #wait: { readonly timer: TimerHandle } | undefined
  /** Set while a request is in flight or about to be; never rejects. */
  #sending: Promise<void> | undefined
  #stop = new AbortController()
  #closing: Promise<void> | undefined

  constructor(settings: WebhookSettings) {
    this.name = settings.name
    this.#settings = settings
    this.#queue = new WebhookQueue(settings)
  }

  open(host: SinkHost): undefined {
    if (this.#isOpen || this.#closing !== undefined) throw this.#unavailable('the sink is open already')
    this.#isOpen = true
    this.#host = host
  }

  append(record: SealedRecord): void {
    if (!this.#isOpen) throw this.#unavailable('the sink is not open')
    if (!this.#queue.push(record.line, this.#settings.clock.monotonicMs())) {
      throw this.#unavailable(`the queue is full (maxQueueBytes is ${this.#settings.maxQueueBytes})`)
    }
    this.#schedule()
  }

  /** Taken is queued, and this sink promises no more: never waits. */
  flush(): undefined {
    return undefined
  }

  flushSync(): void {
    // As flush.
  }

  async drain(): Promise<void> {
    const { clock, closeTimeoutMs } = this.#settings
    this.#drains += 1
    this.#schedule()
    const sending = this.#sending
    const stop = this.#stop
    if (sending !== undefined && !(await settlesWithin(sending, closeTimeoutMs, clock))) {
      stop.abort()
      await sending
    }
    this.#drains -= 1
  }

  close(): Promise<void> {
    this.#isOpen = false
    this.#closing ??= this.drain().finally(() => {
      this.#closing = undefined
    })
    return this.#closing
  }

  /** Sends what is due, or sees to it that it will be sent when it is. */
  #schedule(): void {
    if (this.#sending !== undefined) return
    const waitMs = this.#waitMs()
    if (waitMs === undefined) return
    const { clock } = this.#settings
    if (waitMs > 0) {
      const expire = (): void => {
        this.#wait = undefined
        this.#schedule()
      }
      this.#wait ??= { timer: clock.setTimer(expire, waitMs, true) }
      return
    }
    if (this.#wait !== undefined) clock.clearTimer(this.#wait.timer)
    this.#wait = undefined
    this.#sending = this.#send().catch(() => {
      // Only a clock that throws leads here; what is queued stays for the next append or drain.
      this.#sending = undefined
    })
  }

  /** Milliseconds until the next request is due; `undefined` when there is nothing to send. */
  #waitMs(): number | undefined {
    const { oldestMs, holdsBatch } = this.#queue
    if (oldestMs === undefined) return undefined
    if (holdsBatch || this.#drains > 0) return 0
    const { clock, flushIntervalMs } = this.#settings
    return Math.max(0, oldestMs + flushIntervalMs - clock.monotonicMs())
  }

  async #send(): Promise<void> {
    const stop = new AbortController()
    this.#stop = stop
    // Nothing is sent inside somebody's append.
    await undefined
    while (this.#waitMs() === 0 && !stop.signal.aborted) {
      const batch = this.#queue.take()
      let reason: string | undefined
      try {
        reason = await deliver(this.#settings, batch.body, stop.signal)
      } catch {
        reason = 'the attempt could not be made'
      }
      this.#queue.settle(batch)
      if (reason !== undefined) this.#drop(batch.count, reason)
    }
    if (stop.signal.aborted) this.#drop(this.#queue.clear(), 'no time left')
    this.#sending = undefined
    this.#schedule()
  }

  #drop(count: number, reason: string): void {
    if (count === 0) return
    try {
      this.#host?.dropped(count, this.#unavailable(`${count} records were not delivered: ${reason}`))
    } catch {
      // A host that throws must not end the deliveries.
    }
  }

  #unavailable(reason: string): AuditUnavailable {
    return new AuditUnavailable(`${this.name}: ${reason}`)
  }
}
