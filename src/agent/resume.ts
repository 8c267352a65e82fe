import type { Remaining } from '../contract/any-session.js'
import { type Budget, display, LIMIT_NAMES, type Limits } from '../contract/budget.js'
import type { Registry } from '../contract/registry.js'
import type { DispatchResult, SessionOptions } from '../contract/session-types.js'
import type { SuspendedCall } from '../session/approval-token.js'
import type { SessionCore } from '../session/core.js'
import { dispatchResult } from '../session/outcome.js'
import { resumeCall } from '../session/resume-call.js'
import { runSession } from './run.js'

/** What the session of a resumed call is opened with: no tool and no limit beyond those it was suspended under. */
export function resumedOptions(suspended: SuspendedCall, registry: Registry, limits: Limits): SessionOptions {
  const { request, remaining, tools } = suspended
  const budget = budgetOf(remaining, limits)
  return {
    ...(request.task === undefined ? {} : { task: request.task }),
    ...(budget === undefined ? {} : { budget }),
    tools: tools.filter((name) => registry.get(name) !== undefined),
  }
}

/** The limits that have less left than the agent allows. */
function budgetOf(remaining: Remaining, limits: Limits): Budget | undefined {
  const lower = LIMIT_NAMES.filter(
    (name) => remaining[name] !== undefined && remaining[name] < display(name, limits[name]),
  )
  return lower.length === 0 ? undefined : Object.fromEntries(lower.map((name) => [name, remaining[name]]))
}

/** Runs the call in its session, and ends that. */
export function runResumed(
  core: SessionCore,
  suspended: SuspendedCall,
  answer: unknown,
): Promise<DispatchResult> {
  return runSession(core, async () => {
    const outcome = await resumeCall(core, suspended, answer)
    return dispatchResult(suspended.request.tool, outcome) as DispatchResult
  })
}
