import type { DenialReason } from '../core/denial-reason.js'
import { type Issue, ToolNotPermitted } from '../core/errors.js'
import { own } from '../core/guards.js'

/** Whether a tool call may run. A denial is a value; acting on one throws {@link ToolNotPermitted}. */
export type Decision =
  | {
      readonly allowed: true
      readonly tool: string
      /** The call will need an approval. */
      readonly needsApproval?: true
    }
  | {
      readonly allowed: false
      readonly tool: string
      readonly reason: DenialReason
      readonly message: string
      readonly issues?: readonly Issue[]
    }

/** A decision that is a denial. */
export type DeniedDecision = Extract<Decision, { allowed: false }>

const EXPLANATIONS: { readonly [R in DenialReason]: string } = {
  not_registered: 'this agent has no such tool',
  invalid_input: 'the input does not match the schema of the tool',
  schema_error: 'the input could not be checked',
  predicate_false: 'the rules of this tool do not allow this input',
  predicate_error: 'the rules of this tool could not be evaluated',
  commit_error: 'the log could not commit to the input',
  max_calls: 'this tool has been called as often as this session may call it',
  not_granted: 'an agent that this one works for does not allow this call',
  loop_detected: 'the calls of this session go round in circles',
  aborted: 'the call was aborted before the tool ran',
  budget_exceeded: 'the budget of the session is used up',
  approval_denied: 'it needs an approval, and was refused it',
  approval_timeout: 'it needs an approval, and nobody answered in time',
  approval_error: 'it needs an approval, and there was no answer that counts',
  approval_unavailable: 'it needs an approval, and there is nobody to ask',
  approval_expired: 'its approval is no longer valid',
  approval_mismatch: 'its approval is for another call',
  approval_used: 'its approval has been used',
  approval_by_agent: 'an agent cannot approve its own call',
}

/** A name that a model made up can have any length. */
const MAX_SHOWN = 128

/** A denial by name, in words that can be shown to a model: no value of the input is in them. */
export function deny(tool: string, reason: DenialReason, issues?: readonly Issue[]): DeniedDecision {
  const shown = tool.slice(0, MAX_SHOWN)
  const message = `tool ${shown} was not run: ${EXPLANATIONS[reason]}`
  return Object.freeze(
    issues === undefined
      ? { allowed: false, tool: shown, reason, message }
      : { allowed: false, tool: shown, reason, message, issues: Object.freeze(issues) },
  )
}

/** The error for acting on a denial. */
export function denialError(decision: DeniedDecision, cause?: unknown): ToolNotPermitted {
  const issues = own(decision, 'issues')
  return new ToolNotPermitted(decision.message, decision.tool, decision.reason, {
    ...(issues === undefined ? {} : { issues }),
    ...(cause === undefined ? {} : { cause }),
  })
}
