import { type Clock, MAX_TIMER_MS, systemClock } from '../core/clock.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { isPlainObject, MAX_COUNT, readCount, readFunction, readOptions, readText } from '../core/guards.js'
import { createSigner, type Sign } from './webhook-signature.js'
import { readHeaders, readUrl } from './webhook-target.js'

const LABEL = 'AuditSink.webhook'
const MAX_NAME_LENGTH = 128

/** One attempt, as it is handed to `fetch`. */
export interface WebhookRequest {
  method: 'POST'
  headers: [name: string, value: string][]
  body: string
  /** A redirect is an answer, not an instruction. */
  redirect: 'manual'
  signal: AbortSignal
}

/** What is used of the answer. The body is cancelled, never read. */
export interface WebhookResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { cancel(): Promise<void> } | null
}

/** The part of the global `fetch` that is used. */
export type WebhookFetch = (url: string, request: WebhookRequest) => Promise<WebhookResponse>

/** Every time is in milliseconds, an integer up to 2^31 − 1. */
export interface WebhookSinkOptions {
  /**
   * Sent with every request, for instance `authorization`. Not `host`, what describes the body or the
   * connection (`content-type`, `content-length`, `transfer-encoding`, …), nor `webhook-…`.
   */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Signs every request: `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks has it. Left out, nothing
   * is signed; `undefined` is refused, so that a variable that is not set is noticed.
   */
  readonly secret?: string
  /** Names the sink in `sink_dropped`; 1 to 128 characters. Default `webhook:` and the host of the URL. */
  readonly name?: string
  /** From the start of an attempt to the response's headers, at least 1. Default 10,000. */
  readonly timeoutMs?: number
  /** Attempts per batch, the first included, at least 1. Default 5. */
  readonly maxAttempts?: number
  /**
   * Longest wait before the second attempt, doubled for each one after it up to 30,000; the actual wait is a
   * random share of it. Default 500. A `retry-after` of the receiver that is longer counts, up to 300,000.
   */
  readonly backoffMs?: number
  /** Bytes that may be queued, the request in flight included; a record beyond it is refused. Default 8 MiB. */
  readonly maxQueueBytes?: number
  /** Records in one request, at least 1. Default 100. */
  readonly maxBatchRecords?: number
  /** Bytes in one request, unless a single record is larger; at least 1. Default 256 KiB. */
  readonly maxBatchBytes?: number
  /** How long a record may wait for others to share its request. Default 1,000. */
  readonly flushIntervalMs?: number
  /** How long `drain` and `close` may each take; what is not delivered by then is dropped. Default 5,000. */
  readonly closeTimeoutMs?: number
  /** Where time comes from. */
  readonly clock?: Clock
  /** Instead of the global `fetch`, for instance one with a proxy or a private certificate authority. */
  readonly fetch?: WebhookFetch
}

/** Parsed options. */
export interface WebhookSettings {
  readonly url: string
  readonly name: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly sign: Sign | undefined
  readonly timeoutMs: number
  readonly maxAttempts: number
  readonly backoffMs: number
  readonly maxQueueBytes: number
  readonly maxBatchRecords: number
  readonly maxBatchBytes: number
  readonly flushIntervalMs: number
  readonly closeTimeoutMs: number
  readonly clock: Clock
  readonly fetch: WebhookFetch
}

const OPTIONS = [
  'headers',
  'secret',
  'name',
  'timeoutMs',
  'maxAttempts',
  'backoffMs',
  'maxQueueBytes',
  'maxBatchRecords',
  'maxBatchBytes',
  'flushIntervalMs',
  'closeTimeoutMs',
  'clock',
  'fetch',
] as const satisfies readonly (keyof WebhookSinkOptions)[]

/** Checks everything once. No message holds a header's value, the secret, or more of the URL than its scheme. */
export function readWebhook(url: unknown, options: unknown): WebhookSettings {
  const parsed = readUrl(LABEL, url)
  // Not left to readOptions, which prints a string: somebody may have passed the secret alone.
  if (!isPlainObject(options)) throw new TypeError(`${LABEL}: expected an options object`)
  const given = readOptions(LABEL, options, OPTIONS)
  const count = (name: (typeof OPTIONS)[number], fallback: number, min: number, max: number): number => {
    const value = readCount(`${LABEL}: ${name}`, given[name] ?? fallback, max)
    if (value < min) throw new RangeError(`${LABEL}: ${name}: expected at least ${min}, got ${value}`)
    return value
  }
  return {
    url: parsed.href,
    name: readText(`${LABEL}: name`, given.name ?? `webhook:${parsed.host}`, MAX_NAME_LENGTH),
    headers: readHeaders(`${LABEL}: headers`, given.headers ?? {}),
    // There but undefined is a secret that somebody forgot to set, not a wish to send without a signature.
    sign: Object.hasOwn(options, 'secret') ? createSigner(`${LABEL}: secret`, given.secret) : undefined,
    timeoutMs: count('timeoutMs', 10_000, 1, MAX_TIMER_MS),
    maxAttempts: count('maxAttempts', 5, 1, MAX_COUNT),
    backoffMs: count('backoffMs', 500, 0, MAX_TIMER_MS),
    maxQueueBytes: count('maxQueueBytes', 8 * 1024 * 1024, 1, MAX_COUNT),
    maxBatchRecords: count('maxBatchRecords', 100, 1, MAX_COUNT),
    maxBatchBytes: count('maxBatchBytes', 256 * 1024, 1, MAX_COUNT),
    flushIntervalMs: count('flushIntervalMs', 1_000, 0, MAX_TIMER_MS),
    closeTimeoutMs: count('closeTimeoutMs', 5_000, 0, MAX_TIMER_MS),
    clock: readClock(given.clock ?? systemClock),
    fetch: readFetch(given.fetch),
  }
}

function readClock(value: unknown): Clock {
  const clock = value as Clock
  for (const method of ['nowMs', 'monotonicMs', 'setTimer', 'clearTimer'] as const) {
    readFunction(`${LABEL}: clock.${method}`, clock[method])
  }
  return clock
}

function readFetch(value: unknown): WebhookFetch {
  if (value !== undefined) return readFunction(`${LABEL}: fetch`, value)
  const { fetch } = globalThis
  if (fetch === undefined) throw new RuntimeUnsupported(LABEL, 'fetch')
  return fetch
}
