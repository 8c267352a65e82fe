import type { AnySession } from '../contract/any-session.js'
import { deny } from '../contract/decision.js'
import type { ToolContext } from '../contract/tool.js'
import { NoSession } from '../core/errors.js'
import { quote } from '../core/json-text.js'
import { plainText } from '../core/plain-text.js'
import { needsApproval } from './approval-step.js'
import type { SessionCore } from './core.js'
import { decide, type Permit, type Refusal, refuse, type Steps } from './decide.js'
import type { LiveCall } from './live-call.js'

/** The call as the session that granted the tool would make it: its own principal, this call's time. */
class GrantContext implements ToolContext {
  readonly #call: ToolContext
  readonly #grantor: SessionCore

  constructor(call: ToolContext, grantor: SessionCore) {
    this.#call = call
    this.#grantor = grantor
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get session(): AnySession {
    const { handle } = this.#grantor
    if (handle === undefined) throw new NoSession()
    return handle
  }

  get callId(): string {
    return this.#call.callId
  }

  get modelCallId(): string | undefined {
    return this.#call.modelCallId
  }

  get sync(): boolean {
    return this.#call.sync
  }

  remainingMs(): number {
    return this.#call.remainingMs()
  }
}

/**
 * Could every session that this one works for make the very same call? Each has to have a tool of that name,
 * whose schema makes the same input of what was asked for, and whose predicate says `true` of it. Where one of
 * them would have to ask somebody, so has this one: the same handler.
 */
export function* checkGrants(call: LiveCall, permit: Permit, context: ToolContext): Steps<Permit | Refusal> {
  const { core } = call
  const { name } = permit.tool
  const text = plainText(permit.input)
  for (let by = core.grantor; by !== undefined; by = by.grantor) {
    const verdict = yield* decide(by.setup.registry, name, permit.given, new GrantContext(context, by))
    if (!verdict.allowed) return notGranted(permit, by, verdict.decision.reason, verdict.cause)
    // What it would strip or fill in, it would not call with.
    if (plainText(verdict.input) !== text) return notGranted(permit, by, 'other_input')
    const needed = yield* needsApproval(verdict, new GrantContext(context, by))
    if (needed === false) continue
    const { approve } = by.agent.approvals
    if (needed !== true || approve === undefined || approve !== core.agent.approvals.approve) {
      return notGranted(permit, by, 'approval_required')
    }
    call.mustBeApproved = true
  }
  return permit
}

/** The nearest session that this one works for whose own `maxCalls` of the tool is used up. */
export function wornOutGrant(core: SessionCore, permit: Permit): Refusal | undefined {
  const { name } = permit.tool
  for (let by = core.grantor; by !== undefined; by = by.grantor) {
    const maxCalls = by.setup.registry.get(name)?.maxCalls
    if (maxCalls !== undefined && (by.toolCalls?.get(name) ?? 0) >= maxCalls)
      return notGranted(permit, by, 'max_calls')
  }
  return undefined
}

/** Counts a call against the `maxCalls` of every session that this one works for. */
export function countGrants(core: SessionCore, name: string): void {
  for (let by = core.grantor; by !== undefined; by = by.grantor) {
    if (by.setup.registry.get(name)?.maxCalls === undefined) continue
    by.toolCalls ??= new Map()
    by.toolCalls.set(name, (by.toolCalls.get(name) ?? 0) + 1)
  }
}

/** The model learns that it may not; the log says whose grant it was, and why. */
function notGranted(permit: Permit, by: SessionCore, why: string, cause?: unknown): Refusal {
  const { tool, input } = permit
  const detail = `,"refused_by":{"session_id":"${by.id}","agent_identity":${quote(by.agent.identity)},"reason":"${why}"}`
  return refuse(deny(tool.name, 'not_granted'), tool, input, true, cause, detail)
}
