import type { DenialReason } from '../core/denial-reason.js'
import type { Issue } from '../core/errors.js'
import type { AnySession, LlmRequest } from './any-session.js'
import type { Budget } from './budget.js'
import type { CredentialOptions } from './credential.js'
import type { Decision } from './decision.js'
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

/** Options of one tool call. */
export interface CallOptions {
  /** Aborts this call alone. */
  readonly signal?: AbortSignal
  /** Milliseconds the tool may run; the least of this and the tool's own `timeoutMs` holds. */
  readonly timeoutMs?: number
}

/** Options of one dispatched call. */
export interface DispatchOptions extends CallOptions {
  /** `suspend` gives a token instead of waiting for an approval; needs the agent's `approvalSecret`. */
  readonly onApproval?: 'wait' | 'suspend'
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
  | { readonly ok: false; readonly denial: Denial; readonly pending?: undefined }

/** A dispatched call that is suspended until somebody decides: hand the token to `agent.resume`. */
export interface PendingCall {
  readonly ok: false
  readonly denial?: undefined
  /** Serialisable and authenticated, but not encrypted: the input is in it. */
  readonly pending: string
}

/** An agent that work can be delegated to: nothing but an `Agent` of this package is one. */
export interface Delegate<Tools extends ToolSet = ToolSet> {
  readonly identity: string
  open(userId: string, options?: SessionOptions<keyof Tools & string>): Session<Tools>
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
  dispatch(
    request: DispatchRequest,
    options: DispatchOptions & { readonly onApproval: 'suspend' },
  ): Promise<DispatchResult | PendingCall>
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
  /** As {@link AnySession.credential}, with the names of the agent's tools. */
  credential(options: CredentialOptions<keyof Tools & string>): Promise<string>
  /**
   * Runs a callback in a session of another agent, for the same user, nested in this one and bounded by it:
   * its limits are the least of its own, those given here, and what is left here and above; it may call a
   * tool only if this session, and every one that delegated to it, could make the very same call.
   *
   * @throws TypeError for something that is no agent, for a tool that the other agent does not have, and
   *   where the code runs in a session that this one is neither nor is nested in.
   * @throws RangeError when `tools` names one that this session cannot grant.
   * @throws as `agent.session()`; {@link SessionRevoked} (ERR_SESSION_REVOKED) when it was revoked.
   * @example
   * const found = await s.delegate(researcher, { budget: { usd: 1 }, task }, (child) => research(child))
   */
  delegate<Child extends ToolSet, T>(
    agent: Delegate<Child>,
    options: SessionOptions<keyof Child & string>,
    callback: (child: Session<Child>) => Promise<T> | T,
  ): Promise<T>
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
  dispatch(
    request: DispatchRequest,
    options: { readonly timeoutMs?: number; readonly onApproval: 'suspend' },
  ): DispatchResult | PendingCall
  dispatch(request: DispatchRequest, options?: { readonly timeoutMs?: number }): DispatchResult
  /** As {@link Session.authorize}. */
  authorize(name: string, input: unknown): Decision
  /** Signing cannot be waited for here. @throws TypeError always: use `agent.session()`. */
  credential(options: CredentialOptions): never
  /** As {@link Session.delegate}, for synchronous sessions. */
  delegate<Child extends ToolSet, T>(
    agent: Delegate<Child>,
    options: SessionOptions<keyof Child & string>,
    callback: (child: SyncSession<Child>) => T,
  ): T
}
