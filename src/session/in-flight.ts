import { type Live, LiveList } from './live.js'
import type { SessionClock } from './session-clock.js'

/** A session, as far as its clock goes. */
interface Owner extends Live {
  readonly clock: SessionClock
  readonly parent: { readonly inFlight: InFlight } | undefined
}

/**
 * What one session has in flight: its calls, its reservations and the sessions nested in it.
 *
 * Its clock stands still while all of that waits for an approval, and there is something; a nested session
 * waits while its own clock stands still. So nothing runs for free beside a call that waits.
 */
export class InFlight extends LiveList {
  readonly #owner: Owner
  readonly #pauses: boolean

  /** @param pauses false for a session whose clock never stands still. */
  constructor(owner: Owner, pauses: boolean) {
    super()
    this.#owner = owner
    this.#pauses = pauses
  }

  override enter(live: Live): void {
    super.enter(live)
    if (this.waiting !== 0) this.#settle()
  }

  override leave(live: Live): void {
    const hadWaiting = this.waiting !== 0
    super.leave(live)
    if (hadWaiting) this.#settle()
  }

  /** Something in flight waits for an approval, or does not any more. */
  wait(live: Live, isWaiting: boolean): void {
    this.mark(live, isWaiting)
    this.#settle()
  }

  #settle(): void {
    const { clock, parent } = this.#owner
    const pauses = this.#pauses && this.allWaits
    if (pauses === clock.isPaused) return
    if (pauses) clock.pause()
    else clock.resume()
    parent?.inFlight.wait(this.#owner, pauses)
  }
}
