import { describe } from '../core/describe.js'
import type { RollingLimitName } from '../core/limits.js'

/**
 * Whole amounts of what a rolling limit bounds. Money is in billionths of a US dollar, so that stores add
 * integers.
 */
export interface WindowAmounts {
  readonly nanoUsd?: number
  readonly tokens?: number
  readonly toolCalls?: number
  readonly llmCalls?: number
  readonly sessions?: number
}

/** A slice that a session wants of one rolling window, before it opens. */
export interface LeaseRequest {
  /** Names the window: the same in every process. */
  readonly key: string
  /** Milliseconds that the window looks back. */
  readonly windowMs: number
  /** What the window allows; an absent amount has no limit. */
  readonly limits: WindowAmounts
  /** The most that the session can use: of every limited amount. `sessions` is 1 or absent. */
  readonly ask: WindowAmounts
  /** Milliseconds after which a lease that was not settled counts as spent in full. */
  readonly leaseMs: number
}

/** What a store gives, of every amount asked for at most that; or which limit is used up. */
export type LeaseAnswer =
  | { readonly ok: true; readonly id: string; readonly granted: WindowAmounts }
  | { readonly ok: false; readonly limit: RollingLimitName; readonly used: number; readonly max: number }

/**
 * Keeps what sessions have consumed, for rolling limits that hold over processes.
 *
 * `lease` MUST be atomic: within any window, what was settled and what is leased never exceeds the limits,
 * whoever asks at the same time. It grants the least of what is asked and what is left; it refuses when
 * there is no session left. A store that answers with promises serves asynchronous sessions alone.
 */
export interface LimitStore {
  lease(request: LeaseRequest): LeaseAnswer | PromiseLike<LeaseAnswer>
  /** Charges what was spent under a lease, as of now, and gives the rest back. Called once for each lease. */
  settle(id: string, spent: WindowAmounts): unknown
}

/** @throws TypeError when `value` is no {@link LimitStore}. */
export function parseStore(label: string, value: unknown): LimitStore {
  const store = value as Partial<LimitStore> | null | undefined
  for (const method of ['lease', 'settle'] as const) {
    if (typeof store?.[method] !== 'function')
      throw new TypeError(
        `${label}: expected a LimitStore, and ${method} is no function, in ${describe(value)}`,
      )
  }
  return store as LimitStore
}
