import type { Decision } from './decision.js'
import type { DenialReason, Issue } from '../core/errors.js'
import type { LimitName, Usage } from '../core/limits.js'
import type { Budget } from './budget.js'
import type { ToolInput, ToolOutput, ToolSet } from './tool.js'
import type { LlmUsage } from './usage.js'

/** What may be said when a session is opened. Both `budget` and `tools` can only narrow the agent's. */
export interface SessionOptions<Names extends string = string> {
  /** What the session is for, as the log shows it; up to 4,096 characters. */
  readonly task?: string
  /** Ends the session as `cancelled`. */
  readonly signal?: AbortSignal
  /** Limits below the agent's own. */
  readonly budget?: Budget
  /** The names of the agent's tools that this session may call. */
  readonly tools?: readonly Names[]
}

/** What is left of each limit; absent where there is none. */
export type Remaining = { readonly [L in LimitName]?: number }

/** Options of one tool call. */
export interface CallOptions {
  /** Aborts this call alone. */
  readonly signal?: AbortSignal
  /** Milliseconds the tool may run; the least of this and the tool's own `timeoutMs` holds. */
  readonly timeoutMs?: number
}

/** A tool call as a model proposed it. */
export interface DispatchRequest {
  /** The model's id for the call, recorded as `model_call_id`. */
  readonly id?: string
  readonly name: string
  /** An object, or the JSON text of one. */
  readonly input: unknown
}

/** Why a dispatched call has no result, in a form that can be handed back to the model. */
export interface Denial {
  readonly code: string
  readonly tool: string
  readonly reason: DenialReason | 'tool_error' | 'tool_timeout' | 'output_invalid'
  readonly message: string
  readonly issues?: readonly Issue[]
}

export type DispatchResult =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly denial: Denial }

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
  /**
   * Most US dollars the call may cost. Without it: the price of `maxTokens` where both are known, else
   * everything that is left.
   */
  readonly maxUsd?: number
  /**
   * What a call that threw has used, when that is known (a refused request costs nothing). Without it, a
   * call that throws is charged all it held, because nobody can say what it spent.
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

/** What every session offers, whatever its tools. */
export interface AnySession {
  readonly id: string
  /** `<identity>@<session id>`: no two sessions share it. */
  readonly principal: string
  readonly user: string
  readonly task: string | undefined
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
  reserve(request: LlmRequest): Reservation<LlmUsage>
  reserve(request: ReserveRequest): Reservation<Spent>
}

/** A session whose tools may be asynchronous. */
export interface Session<Tools extends ToolSet = ToolSet> extends AnySession {
  /**
   * Runs a tool if, in this order: the session is open, the tool is registered, the input is valid, the
   * predicate says `true`, the budget covers it, and its intent is on record.
   *
   * @throws {@link ToolNotPermitted} (ERR_TOOL_NOT_PERMITTED) when it is denied: the tool did not run.
   * @throws {@link ToolTimeout} (ERR_TOOL_TIMEOUT) when it was abandoned at its own `timeoutMs`.
   * @throws {@link ToolOutputInvalid} (ERR_TOOL_OUTPUT_INVALID) when its result is not what its `outputSchema` says.
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when a limit is used up; the session is dead.
   * @throws {@link SessionClosed} (ERR_SESSION_CLOSED) when the session has ended.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the intent cannot be recorded: the tool did not run.
   * @throws whatever the tool throws.
   */
  callTool<N extends keyof Tools & string>(
    name: N,
    input: ToolInput<Tools[N]>,
    options?: CallOptions,
  ): Promise<ToolOutput<Tools[N]>>
  /**
   * The same checks for a call that a model proposed. Only the end of the session throws; a denial, a
   * tool's error and a timeout come back as a value.
   */
  dispatch(request: DispatchRequest, options?: CallOptions): Promise<DispatchResult>
  /** The decision without the call: nothing is charged, recorded or run. */
  authorize(name: string, input: unknown): Promise<Decision>
  /**
   * Makes a model call under the budget: holds what it may cost, runs it under the session's deadline and
   * charges what `usageOf` reads from the reply.
   *
   * @throws as `reserve` and `recordLlm`, and whatever `run` throws.
   */
  callLlm<Reply>(
    request: LlmRequest,
    run: (signal: AbortSignal) => Promise<Reply> | Reply,
    usageOf: (reply: Reply) => LlmUsage,
  ): Promise<Reply>
  /** Ends the session: aborts what is in flight, records the end, and resolves when that is on record. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A session for synchronous tools: the same contract, without waiting. */
export interface SyncSession<Tools extends ToolSet = ToolSet> extends AnySession {
  /** As {@link Session.callTool}; a running tool cannot be interrupted, so time is checked before and after. */
  callTool<N extends keyof Tools & string>(
    name: N,
    input: ToolInput<Tools[N]>,
    options?: { readonly timeoutMs?: number },
  ): ToolOutput<Tools[N]>
  /** As {@link Session.dispatch}. */
  dispatch(request: DispatchRequest, options?: { readonly timeoutMs?: number }): DispatchResult
  /** As {@link Session.authorize}. */
  authorize(name: string, input: unknown): Decision
}
