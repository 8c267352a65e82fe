import type { Remaining } from '../contract/any-session.js'
import { display, type Limits } from '../contract/budget.js'
import type { Breach, Meter } from '../contract/meter.js'
import { BudgetExceeded } from '../core/errors.js'
import type { Usage } from '../core/limits.js'
import { fromNanoUsd } from '../core/money.js'

/** Consumption in the units people use, frozen. */
export function usageOf(meter: Meter, wallMs: number): Usage {
  const { usd, tokens, toolCalls, llmCalls, depth, denials } = meter
  return Object.freeze({ usd: fromNanoUsd(usd), tokens, wallMs, toolCalls, llmCalls, depth, denials })
}

/** The error for a limit that is used up, with what the session whose limit it is had consumed. */
export function exceeded({ limit, used, max, meter }: Breach, own: Meter, wallMs: number): BudgetExceeded {
  const usage = usageOf(own, wallMs)
  return new BudgetExceeded(limit, display(limit, used), display(limit, max), usage, { window: meter.window })
}

/**
 * What is left of each limit that there is, here and above, frozen.
 *
 * @param wallMsLeft milliseconds to the first deadline, `Infinity` for none.
 */
export function remainingOf(meter: Meter, wallMsLeft: number): Remaining {
  const left = {
    usd: fromNanoUsd(Math.max(0, meter.left('usd'))),
    tokens: Math.max(0, meter.left('tokens')),
    wallMs: Math.max(0, wallMsLeft),
    toolCalls: meter.countLeft('toolCalls'),
    llmCalls: meter.countLeft('llmCalls'),
    depth: meter.countLeft('depth'),
    denials: meter.countLeft('denials'),
  }
  return Object.freeze(
    Object.fromEntries(Object.entries(left).filter(([, amount]) => amount !== Number.POSITIVE_INFINITY)),
  )
}

interface Timed {
  readonly wallMs: number
  readonly setup: { readonly limits: Limits }
  readonly parent: Timed | undefined
}

/** Milliseconds to the first deadline, here and above; `Infinity` for none. */
export function wallMsLeft(session: Timed): number {
  let least = Number.POSITIVE_INFINITY
  for (let node: Timed | undefined = session; node !== undefined; node = node.parent) {
    least = Math.min(least, node.setup.limits.wallMs - node.wallMs)
  }
  return least
}
