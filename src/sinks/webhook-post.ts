import type { WebhookResponse, WebhookSettings } from './webhook-options.js'

/** However long a receiver asks for, it is asked again after this. */
const MAX_RETRY_AFTER_MS = 300_000
/** RFC 9110, section 5.6.7, the form that senders must use. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/
/** The codes of Node and undici: `ECONNREFUSED`, `UND_ERR_SOCKET`. */
const ERROR_CODE = /^[A-Z][A-Z0-9_]{2,63}$/

/** What came of one attempt. No reason holds a part of the request, or text of the receiver. */
export type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number }

/**
 * Makes one attempt to deliver a body. Never rejects.
 *
 * @param id the same on every attempt, so that the receiver can tell a repetition.
 * @param stop ends the attempt at once.
 */
export async function post(
  settings: WebhookSettings,
  id: string,
  body: string,
  stop: AbortSignal,
): Promise<Outcome> {
  const { clock, timeoutMs } = settings
  const attempt = new AbortController()
  const abort = (): void => attempt.abort()
  const timer = clock.setTimer(abort, timeoutMs, true)
  stop.addEventListener('abort', abort)
  try {
    const response = send(settings, id, body, attempt.signal)
    void cancelBody(response)
    return judge(await unlessAborted(response, attempt.signal), clock.nowMs())
  } catch (error) {
    let reason = `network error${codeOf(error)}`
    if (attempt.signal.aborted) reason = stop.aborted ? 'no answer yet' : `no answer within ${timeoutMs} ms`
    return { kind: 'failed', reason, retryAfterMs: 0 }
  } finally {
    clock.clearTimer(timer)
    stop.removeEventListener('abort', abort)
  }
}

async function send(
  settings: WebhookSettings,
  id: string,
  body: string,
  signal: AbortSignal,
): Promise<WebhookResponse> {
  // Called without a receiver: a browser's fetch refuses any other than its global.
  const { clock, fetch, headers, sign, url } = settings
  const timestampS = Math.floor(clock.nowMs() / 1000)
  const sent: [string, string][] = [
    ...headers.map(([name, value]): [string, string] => [name, value]),
    ['content-type', 'application/x-ndjson'],
    ['webhook-id', id],
    ['webhook-timestamp', String(timestampS)],
  ]
  if (sign !== undefined) sent.push(['webhook-signature', await sign(id, timestampS, body)])
  signal.throwIfAborted()
  return fetch(url, { method: 'POST', headers: sent, body, redirect: 'manual', signal })
}

/** An implementation of fetch that ignores its signal must not hold up the queue. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
    promise.then(resolve, reject)
  })
}

/** Whenever an answer comes, even one that nobody waits for any more, its body is let go. */
async function cancelBody(response: Promise<WebhookResponse>): Promise<void> {
  try {
    const { body } = await response
    await body?.cancel()
  } catch {
    // Whoever waits for the answer sees why there is none.
  }
}

function judge({ status, headers }: WebhookResponse, nowMs: number): Outcome {
  if (status >= 200 && status <= 299) return { kind: 'delivered' }
  const reason = `answered ${Number(status)}`
  const isTransient = status === 408 || status === 425 || status === 429 || (status >= 500 && status <= 599)
  if (!isTransient) return { kind: 'refused', reason }
  return { kind: 'failed', reason, retryAfterMs: readRetryAfter(headers.get('retry-after') ?? '', nowMs) }
}

/** RFC 9110, section 10.2.3; 0 when it is neither of the two forms, or in the past. */
function readRetryAfter(text: string, nowMs: number): number {
  let delayMs = 0
  if (/^\d+$/.test(text)) delayMs = Number(text) * 1000
  else if (HTTP_DATE.test(text)) delayMs = Date.parse(text) - nowMs
  return delayMs > 0 ? Math.min(delayMs, MAX_RETRY_AFTER_MS) : 0
}

/** The code alone: messages of network errors can quote the request. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } }
  const found = cause?.code ?? code
  return typeof found === 'string' && ERROR_CODE.test(found) ? ` ${found}` : ''
}
