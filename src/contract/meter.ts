import type { LimitName } from '../core/limits.js'
import type { NanoUsd } from '../core/money.js'
import type { Limits } from './budget.js'

/** Limits that are counted one by one and never given back. */
export type CountName = 'toolCalls' | 'llmCalls' | 'denials'

/** A limit that does not allow what was asked, on this meter or one above it. */
export interface Breach {
  readonly meter: Meter
  readonly limit: LimitName
  /** Consumption including what broke the limit where that is already spent; nano-USD for `usd`. */
  readonly used: number
  readonly max: number
}

/** An amount that does not fit only because of what others hold. */
export interface Held {
  readonly limit: 'usd' | 'tokens'
  readonly asked: number
  readonly left: number
  readonly held: number
}

/** An amount held on a meter and on all above it. {@link Meter.settle} takes it exactly once. */
export interface Hold {
  readonly usd: NanoUsd
  readonly tokens: number
}

export const NOTHING: Hold = Object.freeze({ usd: 0, tokens: 0 })

/**
 * What a session has spent and holds, and the limits that bound it; charges reach every ancestor.
 *
 * Every method is one synchronous step over the whole path from this meter to the root, so no interleaving
 * of callers can come between a check and its charge. For a meter without a {@link Breach}, `spent + held`
 * is at most the limit, always.
 */
export class Meter {
  readonly limits: Limits
  readonly parent: Meter | undefined
  usd: NanoUsd = 0
  tokens = 0
  toolCalls = 0
  llmCalls = 0
  denials = 0
  /** Deepest nesting below this meter. */
  depth = 0
  heldUsd: NanoUsd = 0
  heldTokens = 0

  constructor(limits: Limits, parent: Meter | undefined) {
    this.limits = limits
    this.parent = parent
  }

  /** Counts one, or changes nothing and names the limit that is used up. */
  count(name: CountName): Breach | undefined {
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      if (meter[name] >= meter.limits[name]) {
        return { meter, limit: name, used: meter[name], max: meter.limits[name] }
      }
    }
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) meter[name] += 1
    return undefined
  }

  /** Notes a session nested below this one, or names the ancestor whose `depth` does not allow it. */
  nest(): Breach | undefined {
    let level = 1
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      if (level > meter.limits.depth)
        return { meter, limit: 'depth', used: meter.depth, max: meter.limits.depth }
      level += 1
    }
    level = 1
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      meter.depth = Math.max(meter.depth, level)
      level += 1
    }
    return undefined
  }

  /**
   * Holds an amount on the whole path, or changes nothing and says why not: a {@link Breach} where it does
   * not fit in what is left of a limit, {@link Held} where it does not fit only beside what others hold.
   */
  hold(usd: NanoUsd, tokens: number): Hold | Breach | Held {
    let held: Held | undefined
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      const { limits } = meter
      if (usd > limits.usd - meter.usd) return { meter, limit: 'usd', used: meter.usd, max: limits.usd }
      if (tokens > limits.tokens - meter.tokens) {
        return { meter, limit: 'tokens', used: meter.tokens, max: limits.tokens }
      }
      const usdLeft = limits.usd - meter.usd - meter.heldUsd
      if (usd > usdLeft) held ??= { limit: 'usd', asked: usd, left: usdLeft, held: meter.heldUsd }
      const tokensLeft = limits.tokens - meter.tokens - meter.heldTokens
      if (tokens > tokensLeft) {
        held ??= { limit: 'tokens', asked: tokens, left: tokensLeft, held: meter.heldTokens }
      }
    }
    if (held !== undefined) return held
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      meter.heldUsd += usd
      meter.heldTokens += tokens
    }
    return { usd, tokens }
  }

  /**
   * Gives a hold back and charges what was really used, in full, whatever the limits say.
   *
   * @returns the outermost limit that no longer covers what is spent and held, if any.
   */
  settle(hold: Hold, usd: NanoUsd, tokens: number): Breach | undefined {
    let breach: Breach | undefined
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      const { limits } = meter
      meter.heldUsd -= hold.usd
      meter.heldTokens -= hold.tokens
      meter.usd += usd
      meter.tokens += tokens
      if (usd > hold.usd && meter.usd + meter.heldUsd > limits.usd) {
        breach = { meter, limit: 'usd', used: meter.usd, max: limits.usd }
      } else if (tokens > hold.tokens && meter.tokens + meter.heldTokens > limits.tokens) {
        breach = { meter, limit: 'tokens', used: meter.tokens, max: limits.tokens }
      }
    }
    return breach
  }

  /** The least amount that is neither spent nor held, here and on every ancestor; `Infinity` for no limit. */
  left(name: 'usd' | 'tokens'): number {
    let least = Number.POSITIVE_INFINITY
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      const held = name === 'usd' ? meter.heldUsd : meter.heldTokens
      least = Math.min(least, meter.limits[name] - meter[name] - held)
    }
    return least
  }

  /** The least number that may still be counted, here and on every ancestor; `Infinity` for no limit. */
  countLeft(name: CountName | 'depth'): number {
    let least = Number.POSITIVE_INFINITY
    let level = 0
    for (let meter: Meter | undefined = this; meter !== undefined; meter = meter.parent) {
      // Depth is not consumed: a session at level two may nest two levels fewer than the root allows.
      least = Math.min(least, meter.limits[name] - (name === 'depth' ? level : meter[name]))
      level += 1
    }
    return Math.max(0, least)
  }
}
