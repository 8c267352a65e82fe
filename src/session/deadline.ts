import { type Clock, MAX_TIMER_MS, type TimerHandle } from '../core/clock.js'

/**
 * One moment on the monotonic clock at which something happens, whether or not anything else does.
 *
 * Its timer keeps the process alive: a session that is waiting for ever still dies at its deadline.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #atMs: number
  readonly #owner: { onDeadline(): void }
  #timer: TimerHandle

  constructor(clock: Clock, atMs: number, owner: { onDeadline(): void }) {
    this.#clock = clock
    this.#atMs = atMs
    this.#owner = owner
    this.#arm()
  }

  hasPassed(): boolean {
    return this.#clock.monotonicMs() >= this.#atMs
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer)
  }

  /** Timers fire early by a rounding, and none can be longer than {@link MAX_TIMER_MS}: look, and wait again. */
  #arm(): void {
    const leftMs = Math.max(0, this.#atMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.setTimer(
      () => {
        if (this.hasPassed()) this.#owner.onDeadline()
        else this.#arm()
      },
      Math.min(Math.ceil(leftMs), MAX_TIMER_MS),
      false,
    )
  }
}
