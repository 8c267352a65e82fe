import { type Clock, MAX_TIMER_MS, systemClock } from '../core/clock.js'
import { RuntimeUnsupported } from '../core/errors.js'
import { isPlainObject, readCount, readFunction, readOptions } from '../core/guards.js'
import { createSigner, type Sign } from '../sinks/webhook-signature.js'
import { readHeaders, readUrl } from '../sinks/webhook-target.js'
import { pause } from './pause.js'

/** One request, as it is handed to `fetch`. */
export interface ApprovalHttpRequest {
  method: 'POST' | 'GET'
  headers: [name: string, value: string][]
  body?: string
  /** A redirect is an answer, not an instruction. */
  redirect: 'manual'
  signal: AbortSignal
}

/** What is used of the answer. */
export interface ApprovalHttpResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
      cancel(): Promise<void>
    }
  } | null
}

/** The part of the global `fetch` that is used. */
export type ApprovalFetch = (url: string, request: ApprovalHttpRequest) => Promise<ApprovalHttpResponse>

/** Every time is in milliseconds, an integer up to 2^31 − 1. */
export interface WebhookApprovalOptions {
  /** Signs requests, and answers: `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks has it. */
  readonly secret: string
  /** Sent with every request to the origin of the URL, for instance `authorization`; not `content-type` and its like. */
  readonly headers?: Readonly<Record<string, string>>
  /** For one attempt, the body of the answer included, at least 1. Default 10,000. */
  readonly timeoutMs?: number
  /** Attempts to deliver the request, at least 1. Default 3. */
  readonly maxAttempts?: number
  /** Between two attempts, and two polls; at least 1. Default 2,000. */
  readonly pollIntervalMs?: number
  /** Origins, beside that of the URL, that an answer may ask to poll. */
  readonly pollOrigins?: readonly string[]
  /** Where time comes from. */
  readonly clock?: Clock
  /** Instead of the global `fetch`. */
  readonly fetch?: ApprovalFetch
}

/** Parsed options. */
export interface WebhookApprovalSettings {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly sign: Sign
  readonly timeoutMs: number
  readonly maxAttempts: number
  readonly pollIntervalMs: number
  readonly pollOrigins: readonly string[]
  readonly clock: Clock
  readonly fetch: ApprovalFetch
  /** Resolves after so many milliseconds; rejects with the reason of the signal. */
  pause(delayMs: number, signal: AbortSignal): Promise<void>
}

const OPTIONS = [
  'secret',
  'headers',
  'timeoutMs',
  'maxAttempts',
  'pollIntervalMs',
  'pollOrigins',
  'clock',
  'fetch',
] as const satisfies readonly (keyof WebhookApprovalOptions)[]

/** Checks everything once. No message holds a header's value, the secret, or more of a URL than its scheme. */
export function readSettings(label: string, url: unknown, options: unknown): WebhookApprovalSettings {
  const { href } = readUrl(label, url)
  // Not left to readOptions, which prints a string: somebody may have passed the secret alone.
  if (!isPlainObject(options)) throw new TypeError(`${label}: expected an options object`)
  const given = readOptions(label, options, OPTIONS)
  const count = (name: (typeof OPTIONS)[number], fallback: number): number => {
    const value = readCount(`${label}: ${name}`, given[name] ?? fallback, MAX_TIMER_MS)
    if (value < 1) throw new RangeError(`${label}: ${name}: expected at least 1, got ${value}`)
    return value
  }
  const clock = readClock(label, given.clock ?? systemClock)
  return {
    url: href,
    headers: readHeaders(`${label}: headers`, given.headers ?? {}),
    sign: createSigner(`${label}: secret`, given.secret),
    timeoutMs: count('timeoutMs', 10_000),
    maxAttempts: count('maxAttempts', 3),
    pollIntervalMs: count('pollIntervalMs', 2_000),
    pollOrigins: readOrigins(`${label}: pollOrigins`, given.pollOrigins ?? []),
    clock,
    fetch: readFetch(label, given.fetch),
    pause: (delayMs, signal) => pause(clock, delayMs, signal),
  }
}

function readOrigins(label: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`${label}: expected an array of origins`)
  return value.map((origin: unknown) => readUrl(label, origin).origin)
}

function readClock(label: string, value: unknown): Clock {
  const clock = value as Clock
  for (const method of ['nowMs', 'monotonicMs', 'setTimer', 'clearTimer'] as const) {
    readFunction(`${label}: clock.${method}`, clock[method])
  }
  return clock
}

function readFetch(label: string, value: unknown): ApprovalFetch {
  if (value !== undefined) return readFunction(`${label}: fetch`, value)
  const { fetch } = globalThis
  if (fetch === undefined) throw new RuntimeUnsupported(label, 'fetch')
  return fetch
}
