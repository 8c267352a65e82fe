import { type ApprovalDenial, type ApprovalRequest, failureReason } from '../contract/approval.js'
import { deny } from '../contract/decision.js'
import type { ToolContext } from '../contract/tool.js'
import { describe } from '../core/describe.js'
import { isThenable } from '../core/guards.js'
import { judge, unanswered, type Verdict } from './approval-answer.js'
import { approvalDigest } from './approval-digest.js'
import { decideResumed } from './approval-resumed.js'
import { sealToken } from './approval-token.js'
import { ApprovalWait } from './approval-wait.js'
import type { CallRecord } from './call-record.js'
import { type Permit, type Refusal, refuse, type Steps } from './decide.js'
import type { LiveCall } from './live-call.js'

/** A call that somebody approved, or whose approval nobody is waited for. */
export type Approval =
  | { readonly kind: 'approved'; readonly untilMs: number }
  | { readonly kind: 'suspended'; readonly token: string }

/**
 * Does the call need an approval, and does it get one? Everything but a clear yes by somebody else than the
 * agent, in time and for this very call, is a refusal by name.
 *
 * @param waits false in a session that cannot wait for a promise.
 * @param cause asks for an approval whatever the tool says of itself, and names why.
 * @returns `undefined` when none is needed.
 */
export function* approvalSteps(
  call: LiveCall,
  record: CallRecord,
  permit: Permit,
  context: ToolContext,
  waits: boolean,
  cause?: string,
): Steps<Approval | Refusal | undefined> {
  const { core, approval: mode } = call
  const { approvals, clock } = core.agent
  if (typeof mode === 'object') {
    const verdict = yield* decideResumed(call, record, permit, mode)
    return approvalOf(call, permit, verdict)
  }
  if (cause === undefined) {
    const needed = yield* needsApproval(permit, context)
    if (needed !== true) return needed === false ? undefined : needed
    // Nobody is asked on behalf of a session that is dead.
    if (call.aborted !== undefined) throw call.aborted.reason
    core.assertOpen()
  }
  if (mode === undefined && approvals.approve === undefined) return refused(permit, 'approval_unavailable')

  const shown = record.shown(permit)
  if (call.aborted !== undefined) throw call.aborted.reason
  const lifeMs = mode === 'suspend' ? approvals.tokenTtlMs : approvals.timeoutMs
  const request = newRequest(call, permit, shown, clock.nowMs(), lifeMs, cause)
  if (mode === 'suspend') return suspend(call, record, permit, request)
  record.approvalRequested(permit, request, approvals.handler)
  const verdict = yield* ask(call, record, request, waits)
  return approvalOf(call, permit, verdict)
}

/** The tool's own rule; nothing that is not a clear no is one. */
export function* needsApproval(permit: Permit, context: ToolContext): Steps<boolean | Refusal> {
  const { approval: rule } = permit.tool
  if (rule === undefined) return false
  if (rule === 'always') return true
  try {
    let needed: unknown = rule(permit.input, context)
    if (isThenable(needed)) needed = yield needed
    if (typeof needed === 'boolean') return needed
    return refused(
      permit,
      'approval_error',
      new TypeError(`approval: expected a boolean, got ${describe(needed)}`),
    )
  } catch (error) {
    return refused(permit, 'approval_error', error)
  }
}

/** The call was approved, and the approval has run out since. */
export function refuseExpired(permit: Permit): Refusal {
  return refused(permit, 'approval_expired')
}

function* ask(call: LiveCall, record: CallRecord, request: ApprovalRequest, waits: boolean): Steps<Verdict> {
  const { core } = call
  const { approve, timeoutMs } = core.agent.approvals
  const wait = new ApprovalWait(call, record, request, timeoutMs)
  let verdict: Verdict
  try {
    let answer: unknown = approve?.(request, Object.freeze({ signal: wait.signal }))
    // A session that cannot wait throws where it would have to.
    if (isThenable(answer)) answer = yield waits ? wait.within(answer) : answer
    verdict = judge(core, request.digest, answer)
  } catch (error) {
    verdict = unanswered(failureReason(error), error)
  }
  if (wait.isOver) verdict = unanswered('approval_timeout', verdict.cause)
  wait.end(verdict)
  return verdict
}

function suspend(
  call: LiveCall,
  record: CallRecord,
  permit: Permit,
  request: ApprovalRequest,
): Approval | Refusal {
  const { core } = call
  const { secret } = core.agent.approvals
  if (secret === undefined) return refused(permit, 'approval_unavailable')
  let token: string
  try {
    token = sealToken(secret, {
      request,
      ...(record.modelCallId === undefined ? {} : { modelCallId: record.modelCallId }),
      given: permit.given,
      tools: core.setup.registry.names,
      remaining: core.handle?.remaining() ?? {},
    })
  } catch (error) {
    return refused(permit, 'approval_error', error)
  }
  record.approvalRequested(permit, request, 'suspend')
  return { kind: 'suspended', token }
}

function newRequest(
  call: LiveCall,
  { tool, input }: Permit,
  shown: string,
  nowMs: number,
  lifeMs: number,
  cause: string | undefined,
): ApprovalRequest {
  const { core, id } = call
  const { user, task } = core.setup
  const agent = core.agent.identity
  const { name, digest } = tool
  return Object.freeze({
    id,
    tool: name,
    input: freeze(JSON.parse(`{${shown}}`).args),
    user,
    ...(task === undefined ? {} : { task }),
    sessionId: core.id,
    agent,
    principal: `${agent}@${core.id}`,
    ...(cause === undefined ? {} : { cause }),
    digest: approvalDigest({
      tool: name,
      toolDigest: digest,
      sessionId: core.id,
      callId: id,
      user,
      agent,
      cause,
      input,
    }),
    requestedAt: nowMs,
    expiresAt: nowMs + lifeMs,
  })
}

function approvalOf(call: LiveCall, permit: Permit, verdict: Verdict): Approval | Refusal {
  const { outcome, validForMs, cause } = verdict
  if (outcome !== 'approved') return refused(permit, outcome, cause)
  return { kind: 'approved', untilMs: call.core.agent.clock.monotonicMs() + validForMs }
}

function refused({ tool, input }: Permit, reason: ApprovalDenial, cause?: unknown): Refusal {
  return refuse(deny(tool.name, reason), tool, input, true, cause)
}

/** Freezes what came from JSON text, all the way down. */
function freeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) freeze(member)
    Object.freeze(value)
  }
  return value
}
