import type { EventName } from '../audit/event.js'
import type { AnySession } from '../contract/any-session.js'
import { type Breach, Meter } from '../contract/meter.js'
import { AuditUnavailable, BudgetExceeded } from '../core/errors.js'
import { newId } from '../core/ids.js'
import { CallerSignal } from './caller-signal.js'
import { InFlight } from './in-flight.js'
import { INTERRUPTING, Lifecycle } from './lifecycle.js'
import { Live } from './live.js'
import { LoopGuard } from './loop-guard.js'
import { SessionRecorder } from './recorder.js'
import { SessionClock } from './session-clock.js'
import type { SessionOwner } from './session-owner.js'
import * as payloads from './session-payloads.js'
import type { AgentSetup, SessionSetup } from './setup.js'
import { exceeded } from './snapshots.js'
import { ownerOf, Subtree } from './subtree.js'

/**
 * One session, shared by its asynchronous and its synchronous face: what it holds, what it has in flight,
 * and how it ends. Once the end is on record, nothing but what comes too late is recorded.
 */
export class SessionCore extends Live {
  readonly agent: AgentSetup
  readonly setup: SessionSetup
  readonly parent: SessionCore | undefined
  readonly id: string
  readonly meter: Meter
  readonly lifecycle: Lifecycle
  /** The face of this session; set by whoever made it. */
  handle: AnySession | undefined
  /** Whoever ends it. */
  owner: SessionOwner | undefined
  /** Calls of each tool that has a `maxCalls`. */
  toolCalls: Map<string, number> | undefined
  readonly clock: SessionClock
  /** Set at the end while a store of rolling limits is being told what was spent. */
  released: Promise<unknown> | undefined
  subtree: Subtree | undefined
  readonly loops: LoopGuard | undefined
  readonly #recorder = new SessionRecorder()
  #inFlight: InFlight | undefined
  #caller: CallerSignal | undefined
  #calls = 0
  #refused = 0
  #stopped = 0

  /**
   * Opens the session and records it.
   *
   * @throws what a session that it would be nested in throws when it is dead or does not allow the depth.
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the opening cannot be recorded.
   */
  constructor(agent: AgentSetup, setup: SessionSetup, parent: SessionCore | undefined) {
    super()
    parent?.assertOpen()
    const breach = parent?.meter.nest()
    if (parent !== undefined && breach !== undefined) throw parent.kill(breach)
    this.agent = agent
    this.setup = setup
    this.parent = parent
    this.loops = agent.loops === undefined ? undefined : new LoopGuard(agent.loops, agent.clock)
    this.id = newId(agent.clock.nowMs())
    this.meter = new Meter(setup.limits, setup.above === undefined ? parent?.meter : setup.above.meter)
    this.lifecycle = new Lifecycle(this.id)
    this.clock = new SessionClock(agent.deadlines, this)
    this.emit('session_start', payloads.sessionStart(setup, parent))
    this.clock.arm()
    Subtree.join(parent, this)
    agent.sessions.add(this)
  }

  /** The session that delegated to this one, and whose grant bounds it. */
  get grantor(): SessionCore | undefined {
    return this.setup.isDelegated ? this.parent : undefined
  }

  override get isCall(): boolean {
    return false
  }

  /** Made on first read: a session that does nothing has nothing in flight. */
  get inFlight(): InFlight {
    this.#inFlight ??= new InFlight(this, this.agent.approvals.pausesWallMs)
    return this.#inFlight
  }

  /** An id for the next call: unique over all logs, because the session's is. */
  nextCallId(): string {
    return `${this.id}.${++this.#calls}`
  }

  /**
   * The first step of every call.
   *
   * @throws the error that ended this session, or one that it is nested in.
   */
  assertOpen(): void {
    for (let node: SessionCore | undefined = this; node !== undefined; node = node.parent) {
      node.checkTime()
      if (node.lifecycle.isDead) {
        this.#refused += 1
        throw node.lifecycle.refusal
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
    for (let node: SessionCore | undefined = this; node !== undefined; node = node.parent) {
      node.checkTime()
      const { interruption } = node.lifecycle
      if (interruption !== undefined) throw interruption.error
    }
  }

  /** Kills the session whose limit was broken: this one or one it is nested in. Returns the error to throw. */
  kill(breach: Breach): BudgetExceeded {
    return ownerOf<SessionCore>(this, breach.meter).#die(breach, this)
  }

  /** The log cannot take records: nothing may happen any more. Returns the error to throw. */
  failAudit(failure: unknown): AuditUnavailable {
    const error =
      failure instanceof AuditUnavailable
        ? failure
        : new AuditUnavailable('a record was refused', { cause: failure })
    if (this.lifecycle.state === 'open') {
      this.lifecycle.doom(error, 'killed')
      this.#stop(error)
    }
    return error
  }

  /** Cancels the session when the caller's signal says so. */
  follow(signal: AbortSignal): void {
    this.#caller = new CallerSignal(signal, (reason) => this.cancel(reason))
  }

  /** Stops the session because its caller no longer wants it. */
  cancel(reason: unknown): void {
    if (this.lifecycle.state === 'closed') return
    this.lifecycle.doom(reason, 'cancelled')
    this.#stop(reason)
  }

  /** Ends the session: stops what is in flight and records the end. Only the first call does anything. */
  end(wanted: 'completed' | 'failed', cause?: unknown): void {
    if (this.lifecycle.state === 'closed') return
    this.checkTime()
    const outcome = this.lifecycle.close(wanted)
    const reason = this.lifecycle.endedBy === undefined ? cause : this.lifecycle.endedBy.error
    this.clock.stop()
    if (this.#inFlight?.isEmpty === false) this.#stopped += this.#inFlight.stopAll(this.lifecycle.refusal)
    this.subtree?.end()
    this.lifecycle.abortSignal()
    this.clock.disarm()
    this.#caller?.release()
    Subtree.leave(this.parent, this)
    this.agent.sessions.delete(this)
    this.released = this.setup.above?.release()
    try {
      this.#recorder.writeEnd(this, outcome, reason, this.#stopped, this.#refused)
    } catch (failure) {
      throw this.failAudit(failure)
    }
  }

  /**
   * Writes one record of this session.
   *
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE), which ends the session.
   */
  emit(event: EventName, payload: string): void {
    try {
      this.#recorder.write(this, event, payload)
    } catch (failure) {
      throw this.failAudit(failure)
    }
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
    this.inFlight.enter(live)
  }

  leave(live: Live): void {
    this.#inFlight?.leave(live)
    if (this.lifecycle.state === 'killed') this.#drain()
  }

  /** Whole milliseconds since the session opened, as `wallMs` limits them; they stop at its end. */
  get wallMs(): number {
    return this.clock.wallMs
  }

  /** A timer cannot fire while the event loop is blocked, so every call looks at the clock as well. */
  checkTime(): void {
    if (this.lifecycle.canBeInterrupted && this.clock.hasPassed()) this.onDeadline()
  }

  onDeadline(): void {
    if (this.lifecycle.state === 'closed') return
    this.#die({ meter: this.meter, limit: 'wallMs', used: this.wallMs, max: this.setup.limits.wallMs }, this)
  }

  #die(breach: Breach, source: SessionCore): BudgetExceeded {
    const error = exceeded(breach, this.meter, this.wallMs)
    this.lifecycle.doom(error, 'killed')
    this.note('budget_exceeded', payloads.budgetExceeded(breach, source === this ? undefined : source.id))
    if (INTERRUPTING.has(breach.limit)) this.#stop(error)
    else this.#drain()
    const { refusal } = this.lifecycle
    return refusal instanceof BudgetExceeded ? refusal : error
  }

  /** What has just left still has its result to record: look again after that. */
  #drain(): void {
    if (this.owner?.onDrained === undefined || this.#inFlight?.isEmpty === false) return
    queueMicrotask(() => {
      if (this.lifecycle.state === 'killed' && this.#inFlight?.isEmpty !== false)
        this.owner?.onDrained?.(this)
    })
  }

  /** Aborts the signal and everything in flight, here and below, and tells the owner. Only once. */
  #stop(reason: unknown): void {
    if (!this.lifecycle.interrupt(reason)) return
    this.clock.disarm()
    this.#stopped += this.#inFlight?.stopAll(reason) ?? 0
    this.lifecycle.abortSignal()
    this.owner?.onInterrupt(reason, this)
  }

  /** Ends with the session that this one is nested in. */
  override abort(reason: unknown): void {
    if (this.lifecycle.state === 'closed') return
    this.lifecycle.doom(
      reason,
      reason instanceof BudgetExceeded || reason instanceof AuditUnavailable ? 'killed' : 'cancelled',
    )
    this.#stop(reason)
  }
}
