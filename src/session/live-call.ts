import type { AnySession } from '../contract/any-session.js'
import type { ToolContext } from '../contract/tool.js'
import { NoSession } from '../core/errors.js'
import type { SuspendedCall } from './approval-token.js'
import { runInside } from './async-context.js'
import { CallerSignal } from './caller-signal.js'
import type { SessionCore } from './core.js'
import type { Deadline } from './deadlines.js'
import type { Steps } from './decide.js'
import { Live } from './live.js'

/** Why a call was stopped. */
export interface Abortion {
  readonly reason: unknown
}

/** A suspended call that goes on, with what was decided about it. */
export interface Resumption {
  readonly suspended: SuspendedCall
  readonly answer: unknown
}

/**
 * One call in flight: what its session stops when it has to.
 *
 * Nothing is attached to a signal or a promise that outlives the call, so a session that makes a hundred
 * thousand calls holds no more at the end than at the beginning.
 */
export class LiveCall extends Live {
  readonly core: SessionCore
  readonly id: string
  readonly isSync: boolean
  /** What the model calls it. */
  modelCallId: string | undefined
  /** Called once when the call is stopped, before anybody waiting for it is told. */
  onAbort: ((reason: unknown) => void) | undefined
  /** Set when a session that this one works for would have to ask somebody about the call. */
  mustBeApproved = false
  /** What the caller holds; marked as handled when the session stops the call, because the caller may be gone. */
  promise: Promise<unknown> | undefined
  /** Set when its approval, if it needs one, is not waited for. */
  approval: 'suspend' | Resumption | undefined
  #aborted: Abortion | undefined
  /** Set while the call waits for a promise: goes on with the reason instead. */
  #interrupt: ((reason: unknown) => void) | undefined
  #controller: AbortController | undefined
  #deadline: Deadline | undefined
  #caller: CallerSignal | undefined

  /** @param isSync whether what it runs has to return instead of promising. */
  constructor(core: SessionCore, isSync: boolean) {
    super()
    this.core = core
    this.isSync = isSync
    this.id = core.nextCallId()
    core.enter(this)
  }

  /** Set once the call was stopped. */
  get aborted(): Abortion | undefined {
    return this.#aborted
  }

  /** @throws the reason, when the call was stopped. */
  throwIfStopped(): void {
    if (this.#aborted !== undefined) throw this.#aborted.reason
  }

  /** Made on first read. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    return this.#controller.signal
  }

  /** Stops the call when the caller's own signal says so. */
  follow(signal: AbortSignal): void {
    this.#caller = new CallerSignal(signal, (reason) => this.abort(reason))
  }

  /** Stops the call at a moment of its own. */
  expireAfter(delayMs: number, reason: () => unknown): void {
    const { core } = this
    const { clock, deadlines } = core.agent
    const onDeadline = (): void => this.abort(reason())
    this.#deadline = { place: -1, atMs: clock.monotonicMs() + delayMs, ambient: core, onDeadline }
    deadlines.add(this.#deadline)
  }

  /**
   * Milliseconds until the call is stopped; `Infinity` without a limit on time. Stops it when its time is
   * up: no timer can, while the event loop is blocked.
   */
  remainingMs(): number {
    let leftMs = Number.POSITIVE_INFINITY
    for (let node: SessionCore | undefined = this.core; node !== undefined; node = node.parent) {
      node.checkTime()
      leftMs = Math.min(leftMs, node.setup.limits.wallMs - node.wallMs)
    }
    if (this.#deadline !== undefined) {
      const ownMs = this.#deadline.atMs - this.core.agent.clock.monotonicMs()
      leftMs = Math.min(leftMs, ownMs)
      if (ownMs <= 0) this.#deadline.onDeadline()
    }
    return this.#aborted === undefined ? leftMs : 0
  }

  /**
   * Runs steps to their end, waiting for what they yield, but no longer than the call may live: then they
   * go on with the reason thrown into them, and what they were waiting for is left alone.
   */
  drive<T>(steps: Steps<T>, resolve: (value: T) => void, reject: (reason: unknown) => void): void {
    // A promise answers only for the turn in which it was yielded: a thenable may answer twice or too late.
    let turn = 0
    const advance = (value: unknown, failed: boolean): void => {
      this.#interrupt = undefined
      const current = ++turn
      let step: IteratorResult<PromiseLike<unknown>, T>
      try {
        step = failed ? steps.throw(value) : steps.next(value)
      } catch (error) {
        this.finish()
        reject(error)
        return
      }
      if (step.done === true) {
        this.finish()
        resolve(step.value)
        return
      }
      this.#interrupt = interrupt
      try {
        step.value.then(
          // Whoever answers may do so from another session's context: the steps go on in their own.
          (result) => {
            if (turn === current) runInside(this.core, () => advance(result, false))
          },
          (error: unknown) => {
            if (turn === current) runInside(this.core, () => advance(error, true))
          },
        )
      } catch (error) {
        if (turn === current) advance(error, true)
      }
      if (this.#aborted !== undefined && turn === current) advance(this.#aborted.reason, true)
    }
    const interrupt = (reason: unknown): void => advance(reason, true)
    advance(undefined, false)
  }

  override abort(reason: unknown): void {
    if (this.#aborted !== undefined) return
    this.#aborted = { reason }
    this.finish()
    this.promise?.catch(() => undefined)
    this.onAbort?.(reason)
    this.#interrupt?.(reason)
    this.#controller?.abort(reason)
  }

  /** Lets go of everything the call holds on to. */
  finish(): void {
    this.core.leave(this)
    if (this.#deadline !== undefined) this.core.agent.deadlines.remove(this.#deadline)
    this.#caller?.release()
    this.#deadline = undefined
    this.#caller = undefined
  }
}

/** What a tool may see of its call: not the means to stop it. */
export class CallContext implements ToolContext {
  readonly #call: LiveCall

  constructor(call: LiveCall) {
    this.#call = call
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get session(): AnySession {
    const { handle } = this.#call.core
    if (handle === undefined) throw new NoSession()
    return handle
  }

  get callId(): string {
    return this.#call.id
  }

  get modelCallId(): string | undefined {
    return this.#call.modelCallId
  }

  get sync(): boolean {
    return this.#call.isSync
  }

  remainingMs(): number {
    return this.#call.remainingMs()
  }
}
