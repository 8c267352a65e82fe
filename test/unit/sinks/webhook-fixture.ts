import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { AuditSink, SealedRecord } from '../../../src/audit/sink.js'
import { webhookSink } from '../../../src/sinks/webhook.js'
import type { WebhookResponse, WebhookSinkOptions } from '../../../src/sinks/webhook-options.js'
import { type Answer, Endpoint } from './endpoint.js'
import { ManualClock } from './manual-clock.js'
import { Host } from './records.js'

export const TIMEOUT_MS = 7_000
export const INTERVAL_MS = 900
export const CLOSE_MS = 4_000

export let clock: ManualClock
export let host: Host
export let endpoint: Endpoint
export let sink: AuditSink

beforeEach(() => {
  clock = new ManualClock(1_790_000_000_099)
  host = new Host()
  // Backoffs are half of their ceiling: 250, 500, 1,000 ms, and so on.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Opens a sink to an endpoint that answers as told, then with 204. */
export function open(answers: Answer[], options: WebhookSinkOptions = {}): void {
  endpoint = new Endpoint(...answers)
  sink = webhookSink('https://alerts.example.com/writ', {
    clock,
    fetch: endpoint.fetch,
    timeoutMs: TIMEOUT_MS,
    flushIntervalMs: INTERVAL_MS,
    closeTimeoutMs: CLOSE_MS,
    ...options,
  })
  expect(sink.open(host)).toBeUndefined()
}

export function append(all: readonly SealedRecord[]): void {
  for (const each of all) sink.append(each)
}

export const bodyOf = (all: readonly SealedRecord[]): string => all.map(({ line }) => `${line}\n`).join('')

/** Lets everything happen that waits for nothing but the microtask queue and Web Crypto. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
}

/** An answer that is given by hand. */
export function laterAnswer(): {
  promise: Promise<WebhookResponse>
  give: (answer: WebhookResponse) => void
} {
  let give: (answer: WebhookResponse) => void = () => undefined
  const promise = new Promise<WebhookResponse>((resolve) => {
    give = resolve
  })
  return { promise, give }
}
