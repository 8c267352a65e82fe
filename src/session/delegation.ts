import { LIMIT_NAMES, type Limits } from '../contract/budget.js'
import type { Registry } from '../contract/registry.js'
import { describe } from '../core/describe.js'
import type { LimitName } from '../core/limits.js'
import type { SessionCore } from './core.js'
import { ambientSession } from './current.js'
import { wallMsLeft } from './snapshots.js'

/** How an agent runs a callback in a session that another session has delegated to it. */
export interface DelegateDriver {
  run(parent: SessionCore, options: unknown, callback: unknown): Promise<unknown>
  runSync(parent: SessionCore, options: unknown, callback: unknown): unknown
}

const drivers = new WeakMap<object, DelegateDriver>()

/** From now on sessions can delegate to this agent. */
export function registerDelegate(agent: object, driver: DelegateDriver): void {
  drivers.set(agent, driver)
}

/**
 * The driver of the agent that a session delegates to.
 *
 * Code may delegate from the session that it runs in, or from one nested in that. With the handle of any
 * other it would act on an authority that whoever called it does not have.
 *
 * @throws TypeError when `agent` is none, or the session is not one that this code may delegate from.
 * @throws the error that ended the session, or one that it is nested in.
 */
export function driverFor(parent: SessionCore, agent: unknown): DelegateDriver {
  const driver = typeof agent === 'object' && agent !== null ? drivers.get(agent) : undefined
  if (driver === undefined) {
    throw new TypeError(`delegate: expected an Agent of this copy of the package, got ${describe(agent)}`)
  }
  parent.assertOpen()
  const ambient = ambientSession()
  if (ambient !== undefined && !isWithin(parent, ambient)) {
    throw new TypeError(
      `delegate: this code runs in session ${ambient.id}, and session ${parent.id} is neither that one nor nested in it`,
    )
  }
  return driver
}

function isWithin(session: SessionCore, outer: SessionCore): boolean {
  for (let node: SessionCore | undefined = session; node !== undefined; node = node.parent) {
    if (node === outer) return true
  }
  return false
}

/** The least of the agent's own limits, the slice it is given, and what is left to every session above. */
export function delegatedLimits(own: Limits, slice: Limits | undefined, parent: SessionCore): Limits {
  const { meter } = parent
  const left: Limits = {
    usd: meter.left('usd'),
    tokens: meter.left('tokens'),
    wallMs: wallMsLeft(parent),
    toolCalls: meter.countLeft('toolCalls'),
    llmCalls: meter.countLeft('llmCalls'),
    depth: meter.countLeft('depth') - 1,
    denials: meter.countLeft('denials'),
  }
  const limits: Record<LimitName, number> = Object.create(null)
  for (const name of LIMIT_NAMES) {
    const given = slice === undefined ? Number.POSITIVE_INFINITY : slice[name]
    limits[name] = Math.max(0, Math.min(own[name], given, left[name]))
  }
  return Object.freeze(limits)
}

/**
 * Nobody grants what they do not have.
 *
 * @throws RangeError naming the first tool that the session, or one that it works for, does not have.
 */
export function assertGrantable(granted: Registry, parent: SessionCore): void {
  for (const name of granted.names) {
    for (let by: SessionCore | undefined = parent; by !== undefined; by = by.grantor) {
      if (by.setup.registry.get(name) !== undefined) continue
      throw new RangeError(`delegate: session ${by.id} of ${by.agent.identity} has no tool ${name} to grant`)
    }
  }
}
