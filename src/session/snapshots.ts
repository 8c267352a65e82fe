import type { Remaining } from '../contract/any-session.js'
import type { Meter } from '../contract/meter.js'
import type { Usage } from '../core/limits.js'
import { fromNanoUsd } from '../core/money.js'

/** Consumption in the units people use, frozen. */
export function usageOf(meter: Meter, wallMs: number): Usage {
  const { usd, tokens, toolCalls, llmCalls, depth, denials } = meter
  return Object.freeze({ usd: fromNanoUsd(usd), tokens, wallMs, toolCalls, llmCalls, depth, denials })
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
