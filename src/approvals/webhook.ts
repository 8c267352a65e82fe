import {
  type ApprovalAnswer,
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
} from '../contract/approval.js'
import { isPlainObject, readMember } from '../core/guards.js'
import { encodeJson } from '../core/json-text.js'
import { readUrl } from '../sinks/webhook-target.js'
import { exchange } from './webhook-exchange.js'
import {
  readSettings,
  type WebhookApprovalOptions,
  type WebhookApprovalSettings,
} from './webhook-settings.js'

const LABEL = 'webhookApproval'

/**
 * Asks an HTTP endpoint. The request is a POST of `{"type":"approval.requested","request":{…}}`, signed as in
 * Standard Webhooks. The endpoint answers with 200 and JSON, signed with the same secret under the
 * `webhook-id` of the request after `answer_`:
 *
 * - `{"approved":true,"by":"marta","digest":"…"}`, with `reason` and `expiresAt` if it likes; or
 * - `{"pending":true,"poll":"https://…","digest":"…"}`: then `poll` is asked with signed GETs until it says
 *   more or nobody waits any more. It has to be of the same origin, or of one in `pollOrigins`.
 *
 * Redirects are not followed. An answer that is not signed, signed too long ago, or for another call denies.
 * An endpoint that cannot be reached denies as `approval_unavailable`.
 *
 * @param url `https:`, or `http:` on localhost, 127.0.0.0/8 or [::1]; without credentials.
 * @throws TypeError or RangeError for another URL, or an option that is unknown, missing or not usable.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no `fetch`, or no Web Crypto.
 * @example
 * new Agent({ …, approve: webhookApproval('https://approvals.example.com/writ', { secret }) })
 * @see https://www.standardwebhooks.com
 */
export function webhookApproval(url: string | URL, options: WebhookApprovalOptions): ApprovalHandler {
  const settings = readSettings(LABEL, url, options)
  const handler = (
    request: ApprovalRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ApprovalAnswer> => ask(settings, request, signal)
  return Object.freeze(Object.assign(handler, { kind: 'webhook' }))
}

async function ask(
  settings: WebhookApprovalSettings,
  request: ApprovalRequest,
  signal: AbortSignal,
): Promise<ApprovalAnswer> {
  const id = request.id.replaceAll('.', '_')
  const body = encodeJson({ type: 'approval.requested', request })
  let answer = await exchange(settings, { url: settings.url, id, body }, settings.maxAttempts, signal)
  let poll: string | undefined
  for (;;) {
    const read = readReply(answer, request.digest)
    if (read['pending'] !== true) return read as unknown as ApprovalAnswer
    if (read['poll'] !== undefined) poll = pollUrl(settings, read['poll'])
    if (poll === undefined) throw new ApprovalFailure('approval_error', 'the answer has nothing to poll')
    await settings.pause(settings.pollIntervalMs, signal)
    // Somebody who thinks about it may be away for a while: as long as an answer is wanted, it is asked for.
    answer = await exchange(settings, { url: poll, id, body: undefined }, Number.POSITIVE_INFINITY, signal)
  }
}

/** A reply whose signature holds. It has to say itself which call it is for. */
function readReply(text: string, digest: string): Readonly<Record<string, unknown>> {
  let reply: unknown
  try {
    reply = JSON.parse(text)
  } catch (cause) {
    throw new ApprovalFailure('approval_error', 'the answer is no JSON', { cause })
  }
  if (!isPlainObject(reply)) throw new ApprovalFailure('approval_error', 'the answer is no object')
  if (readMember(reply, 'digest') !== digest) {
    throw new ApprovalFailure('approval_mismatch', 'the answer is for another call')
  }
  return reply
}

function pollUrl({ url, pollOrigins }: WebhookApprovalSettings, value: unknown): string {
  let poll: URL
  try {
    poll = readUrl(`${LABEL}: poll`, value)
  } catch (cause) {
    throw new ApprovalFailure('approval_error', 'the URL to poll is not usable', { cause })
  }
  if (poll.origin !== new URL(url).origin && !pollOrigins.includes(poll.origin)) {
    throw new ApprovalFailure('approval_error', 'the URL to poll is of another origin')
  }
  return poll.href
}
