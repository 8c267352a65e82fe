import type { AuditLog } from '../audit/log.js'
import type { EventName } from '../audit/event.js'
import { display, type Limits } from '../contract/budget.js'
import { type Breach, Meter } from '../contract/meter.js'
import type { Prices } from '../contract/prices.js'
import type { Registry } from '../contract/registry.js'
import type { AnySession, Remaining } from '../contract/session-types.js'
import type { Clock } from '../core/clock.js'
import { AuditUnavailable, BudgetExceeded, SessionClosed } from '../core/errors.js'
import { newId } from '../core/ids.js'
import type { Usage } from '../core/limits.js'
import { fromNanoUsd } from '../core/money.js'
import { Deadline } from './deadline.js'
import * as payloads from './payloads.js'

/** What all sessions of an agent have in common. */
export interface AgentSetup {
  readonly identity: string
  readonly log: AuditLog
  readonly prices: Prices
  readonly clock: Clock
  /** Its sessions that have not ended. */
  readonly sessions: Set<SessionCore>
}

/** What one session is opened with. */
export interface SessionSetup {
  readonly user: string
  readonly task: string | undefined
  readonly limits: Limits
  readonly registry: Registry
  readonly parent: SessionCore | undefined
}

/**
 * Something in flight that the end of its session has to stop. A session keeps them in a list that runs
 * through them, because every call enters and leaves it.
 */
export abstract class Live {
  /** The neighbours in the list of the session; the core alone touches them. */
  before: Live | undefined
  after: Live | undefined
  entered = false
  /** Called at most once, and MUST NOT throw. */
  abstract abort(reason: unknown): void
}

export type Outcome = 'completed' | 'failed' | 'killed' | 'cancelled'

/** Limits whose breach stops what is under way, not only what would come next. */
const INTERRUPTING: ReadonlySet<string> = new Set(['usd', 'tokens', 'wallMs'])

/**
 * The state of one session, shared by its asynchronous and its synchronous face.
 *
 * It moves in one direction: open → (killed | cancelled) → closed. Once `terminal` is set, every call is
 * refused with it; once the end is on record, nothing but late results of abandoned tools is recorded.
 */
export class SessionCore {
  readonly agent: AgentSetup
  readonly setup: SessionSetup
  readonly id: string
  readonly meter: Meter
  readonly depth: number
  readonly openedMs: number
  /** The face of this session; set by whoever made it. */
  handle: AnySession | undefined
  /** Called when what is under way has to stop, with the reason. */
  onInterrupt: ((reason: unknown) => void) | undefined
  /** Called when the session was killed and nothing that it had permitted is under way any more. */
  onDrained: (() => void) | undefined
  /** Calls of each tool that has a `maxCalls`. */
  toolCalls: Map<string, number> | undefined
  state: AnySession['state'] = 'open'
  #terminal: { readonly error: unknown } | undefined
  #endedBy: { readonly error: unknown } | undefined
  #endedMs: number | undefined
  #deadline: Deadline | undefined
  /** The most recent of what is in flight. */
  #live: Live | undefined
  #children: Set<SessionCore> | undefined
  #controller: AbortController | undefined
  #interrupt: { readonly reason: unknown } | undefined
  #caller: { readonly signal: AbortSignal; readonly listener: () => void } | undefined
  #envelope: string | undefined
  #records = 0
  #calls = 0
  #refused = 0
  #stopped = 0

  /**
   * Opens the session and records it.
   *
   * @throws what a session that it would be nested in throws when it is dead or does not allow the depth.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the opening cannot be recorded.
   */
  constructor(agent: AgentSetup, setup: SessionSetup) {
    const { parent } = setup
    parent?.assertOpen()
    const breach = parent?.meter.nest()
    if (parent !== undefined && breach !== undefined) throw parent.kill(breach)
    this.agent = agent
    this.setup = setup
    this.id = newId(agent.clock.nowMs())
    this.meter = new Meter(setup.limits, parent?.meter)
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.openedMs = agent.clock.monotonicMs()
    this.emit('session_start', payloads.sessionStart(this))
    if (setup.limits.wallMs !== Number.POSITIVE_INFINITY) {
      this.#deadline = new Deadline(agent.clock, this.openedMs + setup.limits.wallMs, this)
    }
    if (parent !== undefined) {
      parent.#children ??= new Set()
      parent.#children.add(this)
    }
    agent.sessions.add(this)
  }

  get principal(): string {
    return `${this.agent.identity}@${this.id}`
  }

  /** Made on first read: most sessions never need one. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#interrupt !== undefined) this.#controller.abort(this.#interrupt.reason)
      else if (this.state === 'closed') this.#controller.abort(this.#refusal())
    }
    return this.#controller.signal
  }

  /** What killed or cancelled the session, once it has ended: its owner's promise rejects with this. */
  get endedBy(): { readonly error: unknown } | undefined {
    return this.#endedBy
  }

  /** Records of this session so far. */
  get records(): number {
    return this.#records
  }

  /** Calls that were refused because the session was dead: they are counted, not recorded one by one. */
  get refused(): number {
    return this.#refused
  }

  /** Calls that were in flight when the session had to stop. */
  get stopped(): number {
    return this.#stopped
  }

  /** An id for the next call: unique over all logs, because the session's is. */
  nextCallId(): string {
    this.#calls += 1
    return `${this.id}.${this.#calls}`
  }

  /**
   * The first step of every call.
   *
   * @throws the error that ended this session, or one that it is nested in.
   */
  assertOpen(): void {
    for (let node: SessionCore | undefined = this; node !== undefined; node = node.setup.parent) {
      node.checkTime()
      if (node.#terminal !== undefined || node.state === 'closed') {
        this.#refused += 1
        throw node.#refusal()
      }
    }
    const { failure } = this.agent.log
    if (failure !== undefined) throw this.failAudit(failure)
  }

  /**
   * The last step of every call that ran: its result is worth nothing when the session was stopped meanwhile.
   *
   * @throws the reason why the session was stopped.
   */
  throwIfInterrupted(): void {
    for (let node: SessionCore | undefined = this; node !== undefined; node = node.setup.parent) {
      node.checkTime()
      if (node.#interrupt !== undefined) throw node.#interrupt.reason
    }
  }

  /** Kills the session whose limit was broken: this one or one it is nested in. Returns the error to throw. */
  kill(breach: Breach): BudgetExceeded {
    let owner: SessionCore = this
    while (owner.meter !== breach.meter && owner.setup.parent !== undefined) owner = owner.setup.parent
    return owner.#die(breach, this)
  }

  /** The log cannot take records: nothing may happen any more. Returns the error to throw. */
  failAudit(failure: unknown): AuditUnavailable {
    const error = failure instanceof AuditUnavailable ? failure : new AuditUnavailable('a record was refused', { cause: failure })
    if (this.#terminal === undefined && this.state === 'open') {
      this.#terminal = { error }
      this.state = 'killed'
      this.#stop(error)
    }
    return error
  }

  /** Cancels the session when the caller's signal says so. */
  follow(signal: AbortSignal): void {
    const listener = (): void => this.cancel(signal.reason)
    this.#caller = { signal, listener }
    signal.addEventListener('abort', listener, { once: true })
  }

  /** Ends the session because its caller no longer wants it. */
  cancel(reason: unknown): void {
    if (this.state === 'closed') return
    if (this.#terminal === undefined) {
      this.#terminal = { error: reason }
      this.state = 'cancelled'
    }
    this.#stop(reason)
  }

  /** Ends the session: stops what is in flight and records the end. Only the first call does anything. */
  end(outcome: 'completed' | 'failed', cause?: unknown): void {
    if (this.state === 'closed') return
    this.checkTime()
    this.#endedBy = this.#terminal
    const reason = this.#endedBy?.error ?? cause
    const result: Outcome = this.state === 'killed' || this.state === 'cancelled' ? this.state : outcome
    this.#endedMs = this.#nowMs()
    this.state = 'closed'
    if (this.#live !== undefined || this.#children !== undefined) this.#stopAll(this.#refusal())
    if (this.#controller?.signal.aborted === false) this.#controller.abort(this.#refusal())
    this.#deadline?.clear()
    this.#caller?.signal.removeEventListener('abort', this.#caller.listener)
    const { parent } = this.setup
    if (parent !== undefined) parent.#children?.delete(this)
    this.agent.sessions.delete(this)
    this.emit('session_end', payloads.sessionEnd(this, result, reason))
  }

  /**
   * Writes one record of this session.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE), which ends the session.
   */
  emit(event: EventName, payload: string): void {
    this.#envelope ??= payloads.envelope(this)
    try {
      this.agent.log.append(event, payload, this.#envelope, payloads.budget(this.meter, this.#wallMs()))
    } catch (failure) {
      throw this.failAudit(failure)
    }
    this.#records += 1
  }

  /** As {@link emit}, for what must be noted but cannot change anything any more. */
  note(event: EventName, payload: string): void {
    try {
      this.emit(event, payload)
    } catch {
      // The log has failed: the session is dead of that, and its owner is told.
    }
  }

  enter(live: Live): void {
    live.entered = true
    live.before = this.#live
    if (this.#live !== undefined) this.#live.after = live
    this.#live = live
  }

  leave(live: Live): void {
    if (!live.entered) return
    live.entered = false
    const { before, after } = live
    if (after === undefined) this.#live = before
    else after.before = before
    if (before !== undefined) before.after = after
    live.before = undefined
    live.after = undefined
    if (this.state === 'killed') this.#drain()
  }

  usage(): Usage {
    const { usd, tokens, toolCalls, llmCalls, depth, denials } = this.meter
    return Object.freeze({ usd: fromNanoUsd(usd), tokens, wallMs: this.#wallMs(), toolCalls, llmCalls, depth, denials })
  }

  remaining(): Remaining {
    const left: { -readonly [L in keyof Remaining]: Remaining[L] } = {}
    const { limits } = this.meter
    const { tokens, usd } = { tokens: this.meter.left('tokens'), usd: this.meter.left('usd') }
    if (usd !== Number.POSITIVE_INFINITY) left.usd = fromNanoUsd(Math.max(0, usd))
    if (tokens !== Number.POSITIVE_INFINITY) left.tokens = Math.max(0, tokens)
    if (limits.wallMs !== Number.POSITIVE_INFINITY) left.wallMs = Math.max(0, limits.wallMs - this.#wallMs())
    for (const name of ['toolCalls', 'llmCalls', 'denials', 'depth'] as const) {
      const count = this.meter.countLeft(name)
      if (count !== Number.POSITIVE_INFINITY) left[name] = count
    }
    return Object.freeze(left)
  }

  /** True when a limit in US dollars holds here or above: then every call needs a price. */
  get isUsdLimited(): boolean {
    return this.meter.left('usd') !== Number.POSITIVE_INFINITY
  }

  #refusal(): unknown {
    this.#terminal ??= { error: new SessionClosed(this.id) }
    return this.#terminal.error
  }

  #nowMs(): number {
    return this.agent.clock.monotonicMs()
  }

  #wallMs(): number {
    return Math.floor((this.#endedMs ?? this.#nowMs()) - this.openedMs)
  }

  /** A timer cannot fire while the event loop is blocked, so every call looks at the clock as well. */
  checkTime(): void {
    if (this.#deadline !== undefined && this.state === 'open' && this.#deadline.hasPassed()) this.onDeadline()
  }

  /** The time is up. */
  onDeadline(): void {
    if (this.state === 'closed') return
    this.#die({ meter: this.meter, limit: 'wallMs', used: this.#wallMs(), max: this.setup.limits.wallMs }, this)
  }

  #die(breach: Breach, source: SessionCore): BudgetExceeded {
    const { limit } = breach
    const error = new BudgetExceeded(limit, display(limit, breach.used), display(limit, breach.max), this.usage())
    const first = this.#terminal === undefined
    if (first && this.state === 'open') {
      this.#terminal = { error }
      this.state = 'killed'
    }
    this.note('budget_exceeded', payloads.budgetExceeded(error, source === this ? undefined : source))
    if (INTERRUPTING.has(limit)) this.#stop(error)
    else this.#drain()
    const terminal = this.#terminal?.error
    return terminal instanceof BudgetExceeded ? terminal : error
  }

  /** What has just left still has its result to record: look again after that. */
  #drain(): void {
    if (this.onDrained === undefined || this.#live !== undefined) return
    queueMicrotask(() => {
      if (this.state === 'killed' && this.#live === undefined) this.onDrained?.()
    })
  }

  /** Aborts the signal and everything in flight, here and below, and tells the owner. Only once. */
  #stop(reason: unknown): void {
    if (this.#interrupt !== undefined) return
    this.#interrupt = { reason }
    this.#deadline?.clear()
    this.#stopAll(reason)
    this.#controller?.abort(reason)
    this.onInterrupt?.(reason)
  }

  #stopAll(reason: unknown): void {
    for (let live = this.#live; live !== undefined; live = this.#live) {
      this.leave(live)
      this.#stopped += 1
      live.abort(reason)
    }
    const children = this.#children
    this.#children = undefined
    if (children !== undefined) for (const child of children) child.#dieWithParent(reason)
  }

  #dieWithParent(reason: unknown): void {
    if (this.state === 'closed') return
    if (this.#terminal === undefined) {
      this.#terminal = { error: reason }
      this.state = reason instanceof BudgetExceeded || reason instanceof AuditUnavailable ? 'killed' : 'cancelled'
    }
    this.#stop(reason)
  }
}
