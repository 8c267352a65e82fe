import { type Limits, narrowLimits, parseBudget } from '../contract/budget.js'
import { parseSignal, parseTask, parseUser } from '../contract/options.js'
import type { Registry } from '../contract/registry.js'
import type { SessionOptions } from '../contract/session-types.js'
import { readOptions } from '../core/guards.js'
import { SessionCore } from '../session/core.js'
import { ambientSession } from '../session/current.js'
import { assertGrantable, delegatedLimits } from '../session/delegation.js'
import type { Above, RollingGuard } from '../session/rolling.js'
import type { AgentSetup } from '../session/setup.js'

const SESSION_OPTIONS = [
  'task',
  'signal',
  'budget',
  'tools',
] as const satisfies readonly (keyof SessionOptions)[]

/** What every session of an agent is opened with. */
export interface AgentRules {
  readonly setup: AgentSetup
  readonly limits: Limits
  readonly registry: Registry
  readonly rolling: RollingGuard | undefined
}

/** A session that is about to be opened: every option read once, and nothing charged for it. */
export interface Opening {
  readonly rules: AgentRules
  readonly user: string
  readonly task: string | undefined
  readonly signal: AbortSignal | undefined
  readonly limits: Limits
  readonly registry: Registry
  readonly parent: SessionCore | undefined
  readonly isDelegated: boolean
}

/**
 * @param grantor the session that delegates; without it, the session is nested in the ambient one, if any.
 * @throws TypeError or RangeError for an option that is not usable, saying which; the reason of a signal.
 */
export function prepare(
  label: string,
  rules: AgentRules,
  userId: string,
  options: unknown,
  grantor: SessionCore | undefined,
): Opening {
  const given = readOptions(label, options, SESSION_OPTIONS)
  const user = parseUser(userId)
  const task = given.task === undefined ? undefined : parseTask(given.task)
  const signal = given.signal === undefined ? undefined : parseSignal('signal', given.signal)
  const slice = given.budget === undefined ? undefined : parseBudget('budget', given.budget)
  const registry = given.tools === undefined ? rules.registry : rules.registry.narrow('tools', given.tools)
  const parent = grantor ?? ambientSession()
  let limits = rules.limits
  if (grantor !== undefined) {
    if (given.tools !== undefined) assertGrantable(registry, grantor)
    limits = delegatedLimits(limits, slice, grantor)
  } else if (slice !== undefined) limits = narrowLimits('budget', limits, slice)
  signal?.throwIfAborted()
  return { rules, user, task, signal, limits, registry, parent, isDelegated: grantor !== undefined }
}

/**
 * Opens it.
 *
 * @throws as the constructor of a session, and {@link LimitsUnavailable} (ERR_LIMITS_UNAVAILABLE) or
 *   {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) where rolling limits do not allow it.
 */
export function open(opening: Opening): SessionCore {
  const { rolling } = opening.rules
  if (rolling === undefined) return start(opening, undefined)
  opening.parent?.assertOpen()
  return start(opening, rolling.enter(opening.user, opening.limits, opening.parent?.meter))
}

/**
 * As {@link open}, waiting for the store of the rolling limits.
 *
 * @param assertMayOpen throws what has come to forbid it meanwhile.
 */
export async function openLater(
  opening: Opening,
  rolling: RollingGuard,
  assertMayOpen: () => void,
): Promise<SessionCore> {
  opening.parent?.assertOpen()
  const above = await rolling.enterLater(opening.user, opening.limits, opening.parent?.meter)
  return start(opening, above, assertMayOpen)
}

function start(opening: Opening, above: Above | undefined, assertMayOpen?: () => void): SessionCore {
  const { rules, user, task, signal, registry, parent, isDelegated } = opening
  const limits = above === undefined ? opening.limits : above.limits
  try {
    assertMayOpen?.()
    signal?.throwIfAborted()
    const core = new SessionCore(rules.setup, { user, task, limits, registry, isDelegated, above }, parent)
    if (signal !== undefined) core.follow(signal)
    return core
  } catch (error) {
    void above?.release()
    throw error
  }
}
