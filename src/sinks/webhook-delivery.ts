import type { Clock } from '../core/clock.js'
import { newId } from '../core/ids.js'
import type { WebhookSettings } from './webhook-options.js'
import { post } from './webhook-post.js'

const MAX_BACKOFF_MS = 30_000

/**
 * Delivers one body: attempt after attempt until it is accepted, refused for good, or given up. Never rejects.
 *
 * @param stop gives up at once.
 * @returns why it was not delivered, or `undefined` when it was.
 */
export async function deliver(
  settings: WebhookSettings,
  body: string,
  stop: AbortSignal,
): Promise<string | undefined> {
  const { backoffMs, clock, maxAttempts } = settings
  const id = newId(clock.nowMs())
  for (let attempt = 1; ; attempt++) {
    const outcome = await post(settings, id, body, stop)
    if (outcome.kind === 'delivered') return undefined
    if (outcome.kind === 'refused') return outcome.reason
    if (stop.aborted) return `${outcome.reason}; no time left for another attempt`
    if (attempt === maxAttempts) return `${outcome.reason}; gave up after ${attempt} attempts`
    const ceilingMs = Math.min(backoffMs * 2 ** (attempt - 1), MAX_BACKOFF_MS)
    // The whole wait is random, so that many senders that failed together do not return together.
    const delayMs = Math.max(Math.random() * ceilingMs, outcome.retryAfterMs)
    await pause(delayMs, clock, stop)
    if (stop.aborted) return `${outcome.reason}; no time left for another attempt`
  }
}

function pause(delayMs: number, clock: Clock, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clock.clearTimer(timer)
      stop.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(end, delayMs, true)
    stop.addEventListener('abort', end)
  })
}
