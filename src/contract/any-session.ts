import type { LimitName, Usage } from '../core/limits.js'
import type { CredentialOptions } from './credential.js'
import type { LlmUsage } from './usage.js'

/** What is left of each limit; absent where there is none. */
export type Remaining = { readonly [L in LimitName]?: number }

/** What is held before something is spent. */
export interface ReserveRequest {
  /** US dollars; 0 when absent. With `model`: what the call may cost at most, see {@link LlmRequest}. */
  readonly usd?: number
  /** Tokens; 0 when absent. */
  readonly tokens?: number
}

/** A model call about to be made. */
export interface LlmRequest {
  readonly model: string
  /**
   * Most tokens the call may use, input and output together. Without it, everything that is left is held,
   * so that no two such calls run at once under a `tokens` limit.
   */
  readonly maxTokens?: number
  /** With `maxOutputTokens` and in the place of `maxTokens`: most tokens of input, priced as input. */
  readonly maxInputTokens?: number
  /** With `maxInputTokens` and in the place of `maxTokens`: most tokens of output, priced as output. */
  readonly maxOutputTokens?: number
  /**
   * Most US dollars the call may cost. Without it: the price of `maxTokens` where both are known, else
   * everything that is left.
   */
  readonly maxUsd?: number
  /**
   * True where usage will be reported without `costUsd`: under a limit in US dollars, a model without a price
   * is then refused before the call, not after it.
   */
  readonly mustHavePrice?: boolean
  /**
   * What a call that threw has used, when that is known (a refused request costs nothing). Without it, a
   * call that throws is charged all it held, because nobody can say what it spent. With `reserve` it is asked
   * once, when the session stops before the reservation is settled; MUST NOT throw.
   */
  readonly usageOfError?: (error: unknown) => LlmUsage
}

/** What was really spent. */
export interface Spent {
  readonly usd?: number
  readonly tokens?: number
}

/** An amount held on the session and on all it is nested in. The first of its two methods counts, once. */
export interface Reservation<Actual> {
  /**
   * Charges what was really used, in full, and gives the rest back.
   *
   * @throws {@link UsageInvalid} (ERR_USAGE_INVALID) for numbers that cannot be charged: then the hold is charged in full.
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when that uses up a limit.
   */
  settle(actual: Actual): void
  /** Gives everything back: nothing was spent. */
  release(): void
}

/** What is held for one model call, by somebody who sees it happen. */
export interface ModelReservation extends Reservation<LlmUsage> {
  /**
   * Makes sure that what is held covers what has been used so far, and holds more where it does not. The call
   * is not charged yet.
   *
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when no limit allows more: the session is dead, and
   *   the call is to be cut off.
   * @throws {@link BudgetReserved} (ERR_BUDGET_RESERVED) when what is left is held by others: cut it off.
   * @throws {@link UsageInvalid} (ERR_USAGE_INVALID) or {@link UnpricedModel} (ERR_UNPRICED_MODEL).
   */
  cover(soFar: LlmUsage): void
  /** Charges all that is held: nobody can say what was used. The error is recorded by its name and code. */
  forfeit(error?: unknown): void
}

/** What every session offers, whatever its tools. */
export interface AnySession {
  readonly id: string
  /** `<identity>@<session id>`: no two sessions share it. */
  readonly principal: string
  readonly user: string
  readonly task: string | undefined
  /** The names of the tools that it may call, sorted. */
  readonly tools: readonly string[]
  /**
   * Aborted when a limit on spend or time is hit, with the {@link BudgetExceeded} as its reason; when the
   * session is cancelled, with the caller's reason; and when it ends, with {@link SessionClosed}.
   */
  readonly signal: AbortSignal
  /** `killed` from the moment a limit is hit; `closed` once the session has ended, however it did. */
  readonly state: 'open' | 'killed' | 'cancelled' | 'closed'
  /** Consumption so far, as a frozen snapshot. */
  usage(): Usage
  /** What is left, as a frozen snapshot; what calls in flight hold is not left. */
  remaining(): Remaining
  /**
   * Charges and records a model call that has happened. Synchronous, so that a forgotten `await` cannot
   * lose a kill.
   *
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when the charge uses up a limit; the session is dead.
   * @throws {@link UsageInvalid} (ERR_USAGE_INVALID) when a number cannot be charged.
   * @throws {@link UnpricedModel} (ERR_UNPRICED_MODEL) when US dollars are limited and the call has no price.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when it cannot be recorded; the session is dead.
   */
  recordLlm(usage: LlmUsage): void
  /**
   * Holds an amount before it is spent. With a `model`, it stands for a model call: it counts as one now,
   * and settling it records an `llm_call`.
   *
   * @throws {@link BudgetReserved} (ERR_BUDGET_RESERVED) when it does not fit beside what calls in flight hold.
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when it does not fit in what is left; the session is dead.
   */
  reserve(request: LlmRequest): ModelReservation
  reserve(request: ReserveRequest): Reservation<Spent>
  /**
   * A short-lived signed token that says to one service who acts for whom with which tools. It is on
   * record before it is handed out. Not in a synchronous session.
   *
   * @throws TypeError when the agent has no `credentials`, in a synchronous session, or for a tool that the
   *   session may not call; TypeError or RangeError for options that are not usable.
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED), {@link SessionClosed} (ERR_SESSION_CLOSED) or the
   *   reason of its end, when the session is not open.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when it cannot be recorded: there is no token.
   * @see RFC 7519 and RFC 8693, section 4.1
   */
  credential(options: CredentialOptions): Promise<string>
  /**
   * Ends a session that is nested in this one, at any depth, and all that is nested in that: at once, with
   * {@link SessionRevoked} as the reason. Its end is on record when this returns.
   *
   * @throws RangeError when no open session of this id is nested in this one.
   */
  revoke(sessionId: string): void
}
