import type { LimitName, WindowLabel } from '../core/limits.js'
import type { NanoUsd } from '../core/money.js'
import type { Limits } from './budget.js'

/** Limits that are counted one by one and never given back. */
export type CountName = 'toolCalls' | 'llmCalls' | 'denials'

/** A limit that does not allow what was asked, on this meter or one above it. */
export interface Breach {
  readonly meter: MeterNode
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

/** A rolling limit on a path, with what tells it from every other. */
export interface PathWindow extends WindowLabel {
  readonly key: string
  /** Whatever keeps the window: two that keep one of the same key keep two. */
  readonly keeper: object
}

/** True when `node` stands on the path from `start` up to `end`, which is not part of it. */
export function isBetween(node: MeterNode, start: MeterNode, end: MeterNode | undefined): boolean {
  for (let each: MeterNode | undefined = start; each !== undefined && each !== end; each = each.parent) {
    if (each === node) return true
  }
  return false
}

/** True when a rolling limit is on the path already, so that it must not be charged twice. */
export function isUnder(start: MeterNode | undefined, key: string, keeper: object): boolean {
  for (let each = start; each !== undefined; each = each.parent) {
    if (each.window?.key === key && each.window.keeper === keeper) return true
  }
  return false
}

/** What a path of meters runs through: sessions, and the rolling limits above those that have any. */
export interface MeterNode {
  readonly limits: Limits
  readonly parent: MeterNode | undefined
  /** Set on a node that is no session but a rolling limit: it is no level of nesting. */
  readonly window: PathWindow | undefined
  readonly usd: NanoUsd
  readonly tokens: number
  readonly toolCalls: number
  readonly llmCalls: number
  readonly denials: number
  readonly heldUsd: NanoUsd
  readonly heldTokens: number
  /** Deepest nesting below this node. */
  depth: number
  /** Consumption by the nodes below, of what this node has consumed; `undefined` until there are any. */
  below: Below | undefined
  /** Adds one to what has been counted. */
  add(name: CountName): void
  /** Adds to what is held; negative to give back. */
  keep(usd: NanoUsd, tokens: number): void
  /** Adds to what is spent. */
  spend(usd: NanoUsd, tokens: number): void
}

/** What the sessions nested in one have consumed, each amount in it exactly once. */
export interface Below {
  usd: NanoUsd
  tokens: number
  toolCalls: number
  llmCalls: number
  denials: number
}

/**
 * What a session has spent and holds, and the limits that bound it; charges reach every ancestor.
 *
 * Every method is one synchronous step over the whole path from this meter to the root, so no interleaving
 * of callers can come between a check and its charge. For a meter without a {@link Breach}, `spent + held`
 * is at most the limit, always.
 */
export class Meter implements MeterNode {
  readonly limits: Limits
  readonly parent: MeterNode | undefined
  readonly window: PathWindow | undefined
  usd: NanoUsd = 0
  tokens = 0
  toolCalls = 0
  llmCalls = 0
  denials = 0
  /** Deepest nesting below this meter. */
  depth = 0
  heldUsd: NanoUsd = 0
  heldTokens = 0
  below: Below | undefined

  /** @param window set for a slice of a rolling limit, which stands above a session and is none. */
  constructor(limits: Limits, parent: MeterNode | undefined, window?: PathWindow) {
    this.limits = limits
    this.parent = parent
    this.window = window
    if (parent !== undefined) parent.below ??= { usd: 0, tokens: 0, toolCalls: 0, llmCalls: 0, denials: 0 }
  }

  /** Counts one, or changes nothing and names the limit that is used up. */
  count(name: CountName): Breach | undefined {
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      if (meter[name] >= meter.limits[name]) {
        return { meter, limit: name, used: meter[name], max: meter.limits[name] }
      }
    }
    this[name] += 1
    for (let meter = this.parent; meter !== undefined; meter = meter.parent) {
      meter.add(name)
      if (meter.below !== undefined) meter.below[name] += 1
    }
    return undefined
  }

  /** Notes a session nested below this one, or names the ancestor whose `depth` does not allow it. */
  nest(): Breach | undefined {
    let level = 1
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      if (level > meter.limits.depth)
        return { meter, limit: 'depth', used: meter.depth, max: meter.limits.depth }
      if (meter.window === undefined) level += 1
    }
    level = 1
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      meter.depth = Math.max(meter.depth, level)
      if (meter.window === undefined) level += 1
    }
    return undefined
  }

  /**
   * Holds an amount on the whole path, or changes nothing and says why not: a {@link Breach} where it does
   * not fit in what is left of a limit, {@link Held} where it does not fit only beside what others hold.
   */
  hold(usd: NanoUsd, tokens: number): Hold | Breach | Held {
    let held: Held | undefined
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
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
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      meter.keep(usd, tokens)
    }
    return { usd, tokens }
  }

  /** Replaces a hold by a larger one, as if nothing had been held before, or changes nothing and says why not. */
  extend(hold: Hold, usd: NanoUsd, tokens: number): Hold | Breach | Held {
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      meter.keep(-hold.usd, -hold.tokens)
    }
    const taken = this.hold(usd, tokens)
    if (Object.hasOwn(taken, 'limit')) {
      for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
        meter.keep(hold.usd, hold.tokens)
      }
    }
    return taken
  }

  /**
   * Gives a hold back and charges what was really used, in full, whatever the limits say.
   *
   * @returns the outermost limit that no longer covers what is spent and held, if any.
   */
  settle(hold: Hold, usd: NanoUsd, tokens: number): Breach | undefined {
    let breach: Breach | undefined
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      const { limits } = meter
      meter.keep(-hold.usd, -hold.tokens)
      meter.spend(usd, tokens)
      if (meter !== this && meter.below !== undefined) {
        meter.below.usd += usd
        meter.below.tokens += tokens
      }
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
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      const held = name === 'usd' ? meter.heldUsd : meter.heldTokens
      least = Math.min(least, meter.limits[name] - meter[name] - held)
    }
    return least
  }

  /** The least number that may still be counted, here and on every ancestor; `Infinity` for no limit. */
  countLeft(name: CountName | 'depth'): number {
    let least = Number.POSITIVE_INFINITY
    let level = 0
    for (let meter: MeterNode | undefined = this; meter !== undefined; meter = meter.parent) {
      // Depth is not consumed: a session at level two may nest two levels fewer than the root allows.
      least = Math.min(least, meter.limits[name] - (name === 'depth' ? level : meter[name]))
      if (meter.window === undefined) level += 1
    }
    return Math.max(0, least)
  }

  add(name: CountName): void {
    this[name] += 1
  }

  keep(usd: NanoUsd, tokens: number): void {
    this.heldUsd += usd
    this.heldTokens += tokens
  }

  spend(usd: NanoUsd, tokens: number): void {
    this.usd += usd
    this.tokens += tokens
  }
}
