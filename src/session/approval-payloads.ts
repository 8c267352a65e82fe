import type { ApprovalDenial, ApprovalRequest } from '../contract/approval.js'
import { quote } from '../core/json-text.js'

/** The JSON texts of the records of an approval. */

/**
 * @param call the members that identify the call.
 * @param args the members that show its input.
 */
export function approvalRequested(
  call: string,
  args: string,
  { digest, expiresAt, cause }: ApprovalRequest,
  handler: string,
): string {
  const why = cause === undefined ? '' : `"cause":${quote(cause)},`
  const suspended = handler === 'suspend' ? ',"suspended":true' : ''
  const until = new Date(expiresAt).toISOString()
  return `{${call},"digest":"${digest}","handler":"${handler}",${why}"expires_at":"${until}",${args}${suspended}}`
}

/** What came of a request: what was decided and by whom, or why nobody did. */
export interface Decided {
  readonly outcome: 'approved' | 'aborted' | ApprovalDenial
  readonly by: string | undefined
  readonly reason: string | undefined
  readonly waitedMs: number
  /** Milliseconds of the wait that do not count as the session's `wallMs`. */
  readonly excludedMs: number
  /** The id of the suspended call that this one goes on with. */
  readonly resumedFrom: string | undefined
}

export function approvalDecided(callId: string, digest: string, decided: Decided): string {
  const { outcome, by, reason, waitedMs, excludedMs, resumedFrom } = decided
  const who = by === undefined ? '' : `"by":${quote(by)},`
  const why = reason === undefined ? '' : `"reason":${quote(reason)},`
  const from = resumedFrom === undefined ? '' : `,"resumed_from":${quote(resumedFrom)}`
  return `{"call_id":"${callId}","digest":"${digest}","outcome":"${outcome}",${who}${why}"waited_ms":${round(waitedMs)},"excluded_ms":${round(excludedMs)}${from}}`
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
