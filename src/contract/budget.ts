import { describe } from '../core/describe.js'
import { readCount, readOptions } from '../core/guards.js'
import type { LimitName } from '../core/limits.js'
import { fromNanoUsd, MAX_USD, type NanoUsd, toNanoUsd } from '../core/money.js'

/**
 * The hard limits of a session. At least one must be set; `0` means zero; an absent limit is no limit;
 * consuming exactly the limit is allowed, one more is not.
 */
export interface Budget {
  /** US dollars, at most nine decimal places, up to 9,007,199. */
  readonly usd?: number
  /** Tokens, input and output together. */
  readonly tokens?: number
  /** Milliseconds from the moment the session opens, on a monotonic clock; up to 2^53 − 1. */
  readonly wallMs?: number
  /** Tool calls that may run. Denied calls do not count. */
  readonly toolCalls?: number
  /** Model calls. */
  readonly llmCalls?: number
  /** Levels of sessions that may be nested below this one. */
  readonly depth?: number
  /** Tool calls that may be denied before the session is killed. */
  readonly denials?: number
}

/** A parsed budget: every limit present, `Infinity` where none was set, money in nano-USD. */
export interface Limits {
  readonly usd: NanoUsd
  readonly tokens: number
  readonly wallMs: number
  readonly toolCalls: number
  readonly llmCalls: number
  readonly depth: number
  readonly denials: number
}

export const LIMIT_NAMES: readonly LimitName[] = [
  'usd',
  'tokens',
  'wallMs',
  'toolCalls',
  'llmCalls',
  'depth',
  'denials',
]

/**
 * Parses and freezes a budget.
 *
 * @throws TypeError for a value that is no number, an unknown limit, or a budget without a limit.
 * @throws RangeError for NaN, Infinity, a negative number, a fraction of a count, or one beyond its range.
 */
export function parseBudget(label: string, value: unknown): Limits {
  const given = readOptions(label, value, LIMIT_NAMES)
  if (LIMIT_NAMES.every((name) => given[name] === undefined)) {
    throw new TypeError(`${label}: sets no limit; set at least one of ${LIMIT_NAMES.join(', ')}`)
  }
  const limits: Record<LimitName, number> = Object.create(null)
  for (const name of LIMIT_NAMES) {
    const limit = given[name]
    if (limit === undefined) limits[name] = Number.POSITIVE_INFINITY
    else limits[name] = name === 'usd' ? readUsd(`${label}.usd`, limit) : readCount(`${label}.${name}`, limit)
  }
  return Object.freeze(limits)
}

/** @throws TypeError or RangeError when `value` is no amount of US dollars with at most nine decimal places. */
export function readUsd(label: string, value: unknown): NanoUsd {
  if (typeof value !== 'number') throw new TypeError(`${label}: expected a number, got ${describe(value)}`)
  const amount = toNanoUsd(value)
  if (amount === undefined)
    throw new RangeError(`${label}: expected 0 to ${MAX_USD} US dollars, got ${value}`)
  if (fromNanoUsd(amount) !== value) {
    throw new RangeError(`${label}: expected at most nine decimal places, got ${value}`)
  }
  return amount
}

/**
 * The limits of one session: the agent's, narrowed.
 *
 * @throws RangeError when a limit asked for is above the agent's: a session can only narrow.
 */
export function narrowLimits(label: string, base: Limits, narrower: Limits): Limits {
  const limits: Record<LimitName, number> = Object.create(null)
  for (const name of LIMIT_NAMES) {
    if (narrower[name] !== Number.POSITIVE_INFINITY && narrower[name] > base[name]) {
      throw new RangeError(
        `${label}.${name}: ${display(name, narrower[name])} is above the agent's ${display(name, base[name])}; ` +
          'a session can only narrow its limits',
      )
    }
    limits[name] = Math.min(base[name], narrower[name])
  }
  return Object.freeze(limits)
}

/** A limit or a consumption in the unit people use: nano-USD become US dollars. */
export function display(name: LimitName, amount: number): number {
  return name === 'usd' ? fromNanoUsd(amount) : amount
}
