import { type Decision, deny } from '../contract/decision.js'
import { needsApproval } from './approval-step.js'
import { hasRoom, isWornOut } from './call-count.js'
import { decide, type Steps } from './decide.js'
import { checkGrants, wornOutGrant } from './grants.js'
import { CallContext, type LiveCall } from './live-call.js'

/** The decision without the call: nothing is charged, recorded or run. */
export function* authorizeSteps(call: LiveCall, name: string, input: unknown): Steps<Decision> {
  const { core } = call
  const context = new CallContext(call)
  let verdict = yield* decide(core.setup.registry, name, input, context)
  if (verdict.allowed && core.grantor !== undefined) verdict = yield* checkGrants(call, verdict, context)
  call.throwIfStopped()
  core.assertOpen()
  if (!verdict.allowed) return verdict.decision
  const loop = core.loops?.check(verdict, false)
  if (loop?.action === 'deny') return loop.refusal.decision
  if (isWornOut(core, verdict.tool)) return deny(name, 'max_calls')
  if (wornOutGrant(core, verdict) !== undefined) return deny(name, 'not_granted')
  if (!hasRoom(core, verdict)) return deny(name, 'budget_exceeded')
  const mustAsk = loop !== undefined || call.mustBeApproved
  if (verdict.tool.approval === undefined && !mustAsk) return Object.freeze({ allowed: true, tool: name })
  const needed = mustAsk || (yield* needsApproval(verdict, context))
  call.throwIfStopped()
  core.assertOpen()
  if (typeof needed === 'object') return needed.decision
  return Object.freeze(
    needed ? { allowed: true, tool: name, needsApproval: true } : { allowed: true, tool: name },
  )
}
