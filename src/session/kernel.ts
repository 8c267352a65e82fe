import type { DeniedDecision } from '../contract/decision.js'
import type { RegisteredTool } from '../contract/registry.js'
import type { DispatchRequest } from '../contract/session-types.js'
import { describe } from '../core/describe.js'
import { ToolOutputInvalid, ToolTimeout } from '../core/errors.js'
import { isThenable } from '../core/guards.js'
import { approvalSteps, refuseExpired } from './approval-step.js'
import { countCall, hasRoom, refuseFull } from './call-count.js'
import { CallRecord } from './call-record.js'
import type { SessionCore } from './core.js'
import { decide, type Permit, type Refusal, readResult, type Steps } from './decide.js'
import { checkGrants } from './grants.js'
import { CallContext, type LiveCall } from './live-call.js'

/** How a call ended, when it did not end its session. */
export type CallOutcome =
  | { readonly kind: 'done'; readonly output: unknown }
  | { readonly kind: 'denied'; readonly decision: DeniedDecision; readonly cause: unknown }
  | { readonly kind: 'suspended'; readonly token: string }
  | {
      readonly kind: 'failed'
      readonly reason: 'tool_error' | 'tool_timeout' | 'output_invalid'
      readonly error: unknown
    }

/** What differs between the two kinds of session. */
export interface Driver {
  /** False when it refuses what would have to be awaited: the tool behind a promise goes on all the same. */
  readonly waits: boolean
  /** Makes the log hold what was written: a promise for it, or `undefined` when it does already. */
  flush(core: SessionCore): PromiseLike<unknown> | undefined
}

/**
 * One tool call, from the question whether it may run to the record of its result: the one sequence of
 * steps that both kinds of session drive.
 *
 * Every exit is a result, a denial by name with its `tool_denied` record, or the error that stopped the
 * call from outside.
 */
export function* callSteps(
  call: LiveCall,
  request: DispatchRequest,
  timeoutMs: number | undefined,
  driver: Driver,
): Steps<CallOutcome> {
  const { core } = call
  if (typeof request.name !== 'string')
    throw new TypeError(`tool name: expected a string, got ${describe(request.name)}`)
  const context = new CallContext(call)
  const record = new CallRecord(core, call.id, request)
  call.modelCallId = record.modelCallId
  call.onAbort = (reason) => {
    record.stopped(reason)
    core.loops?.stopped(request.name, reason)
  }
  if (call.aborted !== undefined) {
    record.stopped(call.aborted.reason)
    throw call.aborted.reason
  }

  let decision = yield* decide(core.setup.registry, request.name, request.input, context)
  if (decision.allowed && core.grantor !== undefined) decision = yield* checkGrants(call, decision, context)
  if (decision.tool?.committed !== undefined && call.aborted === undefined) decision = record.commit(decision)
  call.throwIfStopped()
  core.assertOpen()
  if (!decision.allowed) return denied(core, record, decision)
  const loop = core.loops?.check(decision, true)
  if (loop?.action === 'deny') return denied(core, record, loop.refusal)

  let approvedUntilMs = Number.POSITIVE_INFINITY
  const cause = loop === undefined ? (call.mustBeApproved ? 'grant' : undefined) : 'loop_detected'
  const mayNeedApproval =
    decision.tool.approval !== undefined || call.approval !== undefined || cause !== undefined
  // Nobody is asked about a call that the budget refuses anyhow.
  const isUnasked = mayNeedApproval && !hasRoom(core, decision)
  if (mayNeedApproval && !isUnasked) {
    const approval = yield* approvalSteps(call, record, decision, context, driver.waits, cause)
    call.throwIfStopped()
    core.assertOpen()
    if (approval !== undefined) {
      if (!('kind' in approval)) return denied(core, record, approval)
      if (approval.kind === 'suspended') {
        // It takes its place now: a session may not suspend more calls than it may make.
        const full = countCall(core, record, decision)
        return full === undefined ? approval : denied(core, record, full)
      }
      approvedUntilMs = approval.untilMs
    }
  }

  const refusal = countCall(core, record, decision)
  if (refusal !== undefined) return denied(core, record, refusal)
  // Time has passed since: a rolling limit may have room again.
  if (isUnasked) return denied(core, record, refuseFull(decision))

  // Intent before effect: from here on the log says that the tool may have run.
  record.intent(decision)
  call.throwIfStopped()
  try {
    const flushed = driver.flush(core)
    if (flushed !== undefined) yield flushed
  } catch (failure) {
    call.throwIfStopped()
    throw core.failAudit(failure)
  }
  // A slow disk may have used up the time, with the event loop blocked so that no timer could say so.
  core.throwIfInterrupted()

  if (approvedUntilMs !== Number.POSITIVE_INFINITY && approvedUntilMs <= core.agent.clock.monotonicMs()) {
    const expired = refuseExpired(decision)
    record.expired(expired)
    return denied(core, record, expired)
  }

  const { tool } = decision
  const limitMs = least(tool.timeoutMs, timeoutMs)
  if (limitMs !== undefined) call.expireAfter(limitMs, () => new ToolTimeout(tool.name, limitMs))
  record.started()
  const outcome = yield* run(call, record, decision, context, limitMs, driver)
  call.finish()
  throwIfLate(call, record, outcome)
  if (outcome.kind === 'done') {
    record.result(true, undefined)
    core.loops?.succeeded()
  } else {
    record.result(outcome.returned, outcome)
    core.loops?.failed(tool.name, outcome.error)
  }
  core.throwIfInterrupted()
  return outcome
}

type RunOutcome =
  | Extract<CallOutcome, { kind: 'done' }>
  | (Extract<CallOutcome, { kind: 'failed' }> & { readonly returned: boolean })

function* run(
  call: LiveCall,
  record: CallRecord,
  { tool, input }: Permit,
  context: CallContext,
  limitMs: number | undefined,
  driver: Driver,
): Steps<RunOutcome> {
  let pending: PromiseLike<unknown> | undefined
  let output: unknown
  try {
    output = tool.execute(input, context)
    if (isThenable(output)) {
      pending = output
      output = yield output
    }
  } catch (error) {
    if (call.aborted === undefined) {
      if (pending !== undefined && !driver.waits) awaitLate(record, pending)
      return { kind: 'failed', reason: 'tool_error', error, returned: false }
    }
    if (pending === undefined) record.late(false, { error })
    else awaitLate(record, pending)
    throw call.aborted.reason
  }
  if (call.aborted !== undefined) return { kind: 'done', output }
  // The tool blocked the event loop past its time: it finished, but not as it was allowed to.
  if (limitMs !== undefined && record.elapsedMs > limitMs) {
    return {
      kind: 'failed',
      reason: 'tool_timeout',
      error: new ToolTimeout(tool.name, limitMs),
      returned: true,
    }
  }
  return tool.outputSchema === undefined ? { kind: 'done', output } : yield* checkOutput(call, tool, output)
}

function* checkOutput(call: LiveCall, tool: RegisteredTool, output: unknown): Steps<RunOutcome> {
  const invalid = (error: ToolOutputInvalid): RunOutcome => ({
    kind: 'failed',
    reason: 'output_invalid',
    error,
    returned: true,
  })
  try {
    let result = tool.outputSchema?.['~standard'].validate(output) as unknown
    if (isThenable(result)) result = yield result
    const checked = readResult(result)
    if (checked !== undefined && checked.issues === undefined) return { kind: 'done', output: checked.value }
    return invalid(new ToolOutputInvalid(tool.name, checked?.issues ?? []))
  } catch (cause) {
    // Stopped while its result was checked: the tool has finished all the same.
    if (call.aborted !== undefined) return { kind: 'done', output }
    return invalid(new ToolOutputInvalid(tool.name, [], { cause }))
  }
}

/** Records a denial and counts it: an agent that keeps probing is stopped too. */
function denied(core: SessionCore, record: CallRecord, refusal: Refusal): CallOutcome {
  const breach = core.meter.count('denials')
  record.denied(refusal, refusal.decision.reason)
  if (breach !== undefined) throw core.kill(breach)
  return { kind: 'denied', decision: refusal.decision, cause: refusal.cause }
}

function awaitLate(record: CallRecord, pending: PromiseLike<unknown>): void {
  // A promise of our own: a thenable may answer twice, or throw when it is asked.
  Promise.resolve(pending).then(
    () => record.late(true, undefined),
    (error: unknown) => record.late(false, { error }),
  )
}

/** The call was stopped while its tool ran, or while the result was checked: it has its result on record already. */
function throwIfLate(call: LiveCall, record: CallRecord, outcome: RunOutcome): void {
  if (call.aborted === undefined) return
  record.late(true, outcome.kind === 'failed' ? outcome : undefined)
  throw call.aborted.reason
}

function least(first: number | undefined, second: number | undefined): number | undefined {
  if (first === undefined) return second
  return second === undefined ? first : Math.min(first, second)
}
