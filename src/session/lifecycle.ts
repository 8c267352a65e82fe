import type { AnySession } from '../contract/any-session.js'
import { SessionClosed } from '../core/errors.js'

/** Limits whose breach stops what is under way, not only what would come next. */
export const INTERRUPTING: ReadonlySet<string> = new Set(['usd', 'tokens', 'wallMs'])

/** An error that is known to be one, also when it is `undefined`: people abort with anything. */
export interface Reason {
  readonly error: unknown
}

/**
 * Where a session stands. It moves one way: open → (killed | cancelled) → closed.
 *
 * Two things can happen to it before the end, in this order or at once: it is *doomed*, and refuses every
 * later call with the first error that doomed it; it is *interrupted*, and what is under way stops.
 */
export class Lifecycle {
  state: AnySession['state'] = 'open'
  readonly #sessionId: string
  #doom: Reason | undefined
  #interruption: Reason | undefined
  #endedBy: Reason | undefined
  #controller: AbortController | undefined

  constructor(sessionId: string) {
    this.#sessionId = sessionId
  }

  /** Why what is under way had to stop, if it had. */
  get interruption(): Reason | undefined {
    return this.#interruption
  }

  /** True until what is under way has been stopped: a session killed by a count goes on with that. */
  get canBeInterrupted(): boolean {
    return this.#interruption === undefined && this.state !== 'closed'
  }

  /** What killed or cancelled the session before it ended: its owner's promise rejects with this. */
  get endedBy(): Reason | undefined {
    return this.#endedBy
  }

  /** True for what killed, cancelled or interrupted the session: its owner is told that. */
  isToldToOwner(error: unknown): boolean {
    if (this.#interruption !== undefined && this.#interruption.error === error) return true
    const ended = this.state === 'closed' ? this.#endedBy : this.#doom
    return ended !== undefined && ended.error === error
  }

  /** True when every call is refused, with {@link refusal}. */
  get isDead(): boolean {
    return this.state !== 'open'
  }

  /** What calls are refused with. */
  get refusal(): unknown {
    this.#doom ??= { error: new SessionClosed(this.#sessionId) }
    return this.#doom.error
  }

  /** Made on first read: most sessions never need one. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#interruption !== undefined) this.#controller.abort(this.#interruption.error)
      else if (this.state === 'closed') this.#controller.abort(this.refusal)
    }
    return this.#controller.signal
  }

  /** From now on every call is refused with this; the first such error stays. */
  doom(error: unknown, state: 'killed' | 'cancelled'): void {
    if (this.state !== 'open') return
    this.#doom = { error }
    this.state = state
  }

  /** False when it has been interrupted before, or has ended. */
  interrupt(error: unknown): boolean {
    if (!this.canBeInterrupted) return false
    this.#interruption = { error }
    return true
  }

  /** Returns how the session came to its end. */
  close(outcome: 'completed' | 'failed'): 'completed' | 'failed' | 'killed' | 'cancelled' {
    const result = this.state === 'killed' || this.state === 'cancelled' ? this.state : outcome
    this.#endedBy = this.#doom
    this.state = 'closed'
    return result
  }

  /** Tells whoever holds the signal; last, when everything else has been stopped and recorded. */
  abortSignal(): void {
    this.#controller?.abort(this.#interruption === undefined ? this.refusal : this.#interruption.error)
  }
}
