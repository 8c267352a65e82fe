import { ApprovalFailure } from '../contract/approval.js'
import type { ApprovalHttpResponse, WebhookApprovalSettings } from './webhook-settings.js'

const MAX_BODY_BYTES = 64 * 1024
/** As the libraries of Standard Webhooks have it. */
const MAX_SKEW_S = 300

/** What is asked: the request itself, or, without a body, what has become of it. */
interface Question {
  readonly url: string
  readonly id: string
  readonly body: string | undefined
}

/**
 * The text of a signed answer.
 *
 * @param attempts how often an endpoint that cannot be reached, or is busy, is tried.
 * @throws {@link ApprovalFailure} with the reason for the denial; the reason of `signal`.
 */
export async function exchange(
  settings: WebhookApprovalSettings,
  question: Question,
  attempts: number,
  signal: AbortSignal,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const answer = await tryOnce(settings, question, signal)
    signal.throwIfAborted()
    if (typeof answer === 'string') return answer
    if (attempt >= attempts)
      throw new ApprovalFailure('approval_unavailable', 'the endpoint cannot be reached')
    await settings.pause(settings.pollIntervalMs, signal)
  }
}

/** `undefined` when it is worth another try. */
async function tryOnce(
  settings: WebhookApprovalSettings,
  question: Question,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { clock, timeoutMs } = settings
  const attempt = new AbortController()
  const abort = (): void => attempt.abort()
  const timer = clock.setTimer(abort, timeoutMs, true)
  signal.addEventListener('abort', abort)
  try {
    const response = await unlessAborted(send(settings, question, attempt.signal), attempt.signal)
    const status = Number(response.status)
    if (status === 408 || status === 425 || status === 429 || (status >= 500 && status <= 599)) {
      discard(response)
      return undefined
    }
    if (status < 200 || status > 299) {
      discard(response)
      throw new ApprovalFailure('approval_error', `the endpoint answered ${status}`)
    }
    const text = await unlessAborted(readBody(response), attempt.signal)
    await verify(settings, question.id, response, text)
    return text
  } catch (error) {
    if (error instanceof ApprovalFailure) throw error
    return undefined
  } finally {
    clock.clearTimer(timer)
    signal.removeEventListener('abort', abort)
  }
}

async function send(
  settings: WebhookApprovalSettings,
  { url, id, body }: Question,
  signal: AbortSignal,
): Promise<ApprovalHttpResponse> {
  // Called without a receiver: a browser's fetch refuses any other than its global.
  const { clock, fetch, headers, sign } = settings
  const timestampS = Math.floor(clock.nowMs() / 1000)
  // What opens the endpoint is not for another origin, even one that may be polled.
  const own = new URL(url).origin === new URL(settings.url).origin ? headers : []
  const webhookId = body === undefined ? `poll_${id}` : id
  const sent: [string, string][] = [
    ...own.map(([name, value]): [string, string] => [name, value]),
    ['webhook-id', webhookId],
    ['webhook-timestamp', String(timestampS)],
    ['webhook-signature', await sign(webhookId, timestampS, body ?? '')],
  ]
  signal.throwIfAborted()
  if (body === undefined) return fetch(url, { method: 'GET', headers: sent, redirect: 'manual', signal })
  sent.push(['content-type', 'application/json'])
  return fetch(url, { method: 'POST', headers: sent, body, redirect: 'manual', signal })
}

/** An answer is signed under an id that no request has, so that a request sent back is not one. */
async function verify(
  { clock, sign }: WebhookApprovalSettings,
  id: string,
  { headers }: ApprovalHttpResponse,
  text: string,
): Promise<void> {
  const answerId = `answer_${id}`
  const timestamp = headers.get('webhook-timestamp') ?? ''
  const given = headers.get('webhook-id')
  const expected = /^\d{1,12}$/.test(timestamp) ? await sign(answerId, Number(timestamp), text) : undefined
  const signatures = (headers.get('webhook-signature') ?? '').split(' ')
  if (given !== null && given !== answerId) {
    throw new ApprovalFailure('approval_mismatch', 'the answer is to another request')
  }
  if (expected === undefined || !signatures.some((signature) => isSame(signature, expected))) {
    throw new ApprovalFailure('approval_error', 'the answer is not signed with the secret')
  }
  if (Math.abs(clock.nowMs() / 1000 - Number(timestamp)) > MAX_SKEW_S) {
    throw new ApprovalFailure('approval_expired', 'the answer was signed too long ago')
  }
}

/** Takes the same time wherever the two differ. */
function isSame(one: string, other: string): boolean {
  let difference = one.length ^ other.length
  for (let index = 0; index < other.length; index++) {
    difference |= one.charCodeAt(index) ^ other.charCodeAt(index)
  }
  return difference === 0
}

async function readBody({ body }: ApprovalHttpResponse): Promise<string> {
  if (body === null) return ''
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value?.length ?? 0
    if (bytes > MAX_BODY_BYTES) {
      void reader.cancel().catch(() => undefined)
      throw new ApprovalFailure('approval_error', `the answer is longer than ${MAX_BODY_BYTES} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

function discard({ body }: ApprovalHttpResponse): void {
  void body
    ?.getReader()
    .cancel()
    .catch(() => undefined)
}

/** An implementation of fetch that ignores its signal must not hold up anybody. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
    promise.then(resolve, reject)
  })
}
