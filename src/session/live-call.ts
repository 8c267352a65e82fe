import type { AnySession } from '../contract/session-types.js'
import type { ToolContext } from '../contract/tool.js'
import { type TimerHandle } from '../core/clock.js'
import { NoSession } from '../core/errors.js'
import type { Live, SessionCore } from './core.js'

/** What became of a call that was stopped. */
export interface Abortion {
  readonly reason: unknown
}

/**
 * One call in flight: what its session stops when it has to.
 *
 * Nothing is attached to a signal or a promise that outlives the call, so a session that makes a hundred
 * thousand calls holds no more at the end than at the beginning.
 */
export class LiveCall implements Live {
  readonly core: SessionCore
  readonly id: string
  /** Called once when the call is stopped, before anybody waiting for it is told. */
  onAbort: ((reason: unknown) => void) | undefined
  /** What the caller holds; marked as handled when the session stops the call, because the caller may be gone. */
  promise: Promise<unknown> | undefined
  #aborted: Abortion | undefined
  #reject: ((reason: unknown) => void) | undefined
  #controller: AbortController | undefined
  #timer: { readonly handle: TimerHandle } | undefined
  #caller: { readonly signal: AbortSignal; readonly listener: () => void } | undefined

  constructor(core: SessionCore) {
    this.core = core
    this.id = core.nextCallId()
    core.enter(this)
  }

  /** Set once the call was stopped. */
  get aborted(): Abortion | undefined {
    return this.#aborted
  }

  /** Made on first read. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    return this.#controller.signal
  }

  /** Stops the call when the caller's own signal says so. */
  follow(signal: AbortSignal): void {
    const listener = (): void => this.abort(signal.reason)
    if (signal.aborted) listener()
    else {
      this.#caller = { signal, listener }
      signal.addEventListener('abort', listener, { once: true })
    }
  }

  /** Stops the call at a moment of its own. */
  expireAfter(delayMs: number, reason: () => unknown): void {
    const { clock } = this.core.agent
    this.#timer = { handle: clock.setTimer(() => this.abort(reason()), delayMs, false) }
  }

  /** Waits for `promise`, but no longer than the call may live; then it rejects with the reason. */
  until(promise: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#reject = reject
      promise.then(resolve, reject)
      if (this.#aborted !== undefined) reject(this.#aborted.reason)
    })
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return
    this.#aborted = { reason }
    this.finish()
    this.promise?.catch(() => undefined)
    this.onAbort?.(reason)
    this.#reject?.(reason)
    this.#controller?.abort(reason)
  }

  /** Lets go of everything the call holds on to. */
  finish(): void {
    this.core.leave(this)
    if (this.#timer !== undefined) this.core.agent.clock.clearTimer(this.#timer.handle)
    if (this.#caller !== undefined) this.#caller.signal.removeEventListener('abort', this.#caller.listener)
    this.#timer = undefined
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
}
