import type { Clock } from '../core/clock.js'
import { Deadline } from './deadline.js'

/** The time of one session: how long it has been open, and until when. It can stand still. */
export class SessionClock {
  readonly #clock: Clock
  #openedMs: number
  #endedMs: number | undefined
  #pausedAtMs: number | undefined
  #pausedMs = 0
  #deadline: Deadline | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#openedMs = clock.monotonicMs()
  }

  /** When the session opened, on the monotonic clock; later by as long as its clock has stood still. */
  get openedMs(): number {
    const nowMs = this.#pausedAtMs === undefined ? 0 : this.#clock.monotonicMs() - this.#pausedAtMs
    return this.#openedMs + nowMs
  }

  /** Whole milliseconds since the session opened, without those for which the clock stood still. */
  get wallMs(): number {
    const atMs = this.#endedMs ?? this.#pausedAtMs ?? this.#clock.monotonicMs()
    return Math.floor(atMs - this.#openedMs)
  }

  /** Milliseconds for which the clock has stood still. */
  get pausedMs(): number {
    const nowMs = this.#pausedAtMs === undefined ? 0 : this.#clock.monotonicMs() - this.#pausedAtMs
    return this.#pausedMs + nowMs
  }

  get isPaused(): boolean {
    return this.#pausedAtMs !== undefined
  }

  /** Sets the moment at which the time is up, unless there is none. */
  expireAfter(wallMs: number, owner: { onDeadline(): void }): void {
    if (wallMs === Number.POSITIVE_INFINITY) return
    this.#deadline = new Deadline(this.#clock, this.#openedMs + wallMs, owner)
  }

  hasPassed(): boolean {
    return this.#deadline?.hasPassed() === true
  }

  pause(): void {
    this.#pausedAtMs ??= this.#clock.monotonicMs()
    this.#deadline?.pause()
  }

  resume(): void {
    if (this.#pausedAtMs === undefined) return
    const pausedMs = this.#clock.monotonicMs() - this.#pausedAtMs
    this.#pausedAtMs = undefined
    this.#pausedMs += pausedMs
    // What came after the end counts for nothing.
    if (this.#endedMs === undefined) this.#openedMs += pausedMs
    this.#deadline?.resume()
  }

  /** Nothing happens at the deadline any more. */
  disarm(): void {
    this.#deadline?.clear()
    this.#deadline = undefined
  }

  /** The time of the session stops here for good. */
  stop(): void {
    this.#endedMs ??= this.#pausedAtMs ?? this.#clock.monotonicMs()
  }
}
