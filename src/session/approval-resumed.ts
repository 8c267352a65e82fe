import { isThenable } from '../core/guards.js'
import { judge, unanswered, type Verdict } from './approval-answer.js'
import { approvalDigest } from './approval-digest.js'
import type { SuspendedCall } from './approval-token.js'
import type { CallRecord } from './call-record.js'
import type { Permit, Steps } from './decide.js'
import type { LiveCall, Resumption } from './live-call.js'

/**
 * What a decision on a suspended call comes to: it counts if the call is still that very call, nobody is
 * late, and the call has not been decided before, by whichever process.
 */
export function* decideResumed(
  call: LiveCall,
  record: CallRecord,
  permit: Permit,
  { suspended, answer }: Resumption,
): Steps<Verdict> {
  const { core } = call
  const { request } = suspended
  const { clock } = core.agent
  let verdict = judgeResumed(call, permit, suspended, answer)
  if (verdict.outcome === 'approved' || verdict.outcome === 'approval_denied') {
    const refusal = yield* claim(call, suspended)
    if (refusal !== undefined) verdict = refusal
  }
  if (call.aborted !== undefined) throw call.aborted.reason
  record.approvalDecided(request.digest, {
    outcome: verdict.outcome,
    by: verdict.by,
    reason: verdict.reason,
    waitedMs: Math.max(0, clock.nowMs() - request.requestedAt),
    excludedMs: 0,
    resumedFrom: request.id,
  })
  return verdict
}

function judgeResumed(call: LiveCall, permit: Permit, suspended: SuspendedCall, answer: unknown): Verdict {
  const { core } = call
  const { request } = suspended
  const { tool, input } = permit
  const digest = approvalDigest({
    tool: tool.name,
    toolDigest: tool.digest,
    sessionId: request.sessionId,
    callId: request.id,
    user: core.setup.user,
    agent: core.agent.identity,
    cause: request.cause,
    input,
  })
  if (digest !== request.digest) return unanswered('approval_mismatch')
  if (core.agent.clock.nowMs() >= request.expiresAt) return unanswered('approval_expired')
  // The decision came beside the token, so it has to say which call it is for.
  return judge(core, digest, answer, false)
}

/** Takes the call, once. Returns why that failed, if it did. */
function* claim(call: LiveCall, { request }: SuspendedCall): Steps<Verdict | undefined> {
  let isFirst: unknown
  try {
    isFirst = call.core.agent.approvals.store.claim(request.id, request.expiresAt)
    if (isThenable(isFirst)) isFirst = yield isFirst
  } catch (cause) {
    return unanswered('approval_error', cause)
  }
  if (isFirst === true) return undefined
  return unanswered(isFirst === false ? 'approval_used' : 'approval_error')
}
