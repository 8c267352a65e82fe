import { type Clock, MAX_TIMER_MS, type TimerHandle } from '../core/clock.js'

/**
 * One moment on the monotonic clock at which something happens, whether or not anything else does.
 *
 * Its timer keeps the process alive: a session that is waiting for ever still dies at its deadline.
 */
export class Deadline {
  readonly #clock: Clock
  #atMs: number
  readonly #owner: { onDeadline(): void }
  #timer: TimerHandle
  #pausedAtMs: number | undefined

  constructor(clock: Clock, atMs: number, owner: { onDeadline(): void }) {
    this.#clock = clock
    this.#atMs = atMs
    this.#owner = owner
    this.#arm()
  }

  hasPassed(): boolean {
    return (this.#pausedAtMs ?? this.#clock.monotonicMs()) >= this.#atMs
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer)
  }

  /** It does not come nearer until {@link resume}. */
  pause(): void {
    this.#pausedAtMs ??= this.#clock.monotonicMs()
    this.clear()
  }

  resume(): void {
    if (this.#pausedAtMs === undefined) return
    this.#atMs += this.#clock.monotonicMs() - this.#pausedAtMs
    this.#pausedAtMs = undefined
    this.#arm()
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
