import type { Ambient } from './async-context.js'
import type { Deadline, Deadlines } from './deadlines.js'

/** Whose time it is. */
interface Owner {
  readonly setup: { readonly limits: { readonly wallMs: number } }
  readonly parent: Ambient | undefined
  onDeadline(): void
}

/** The time of one session: how long it has been open, and until when. It can stand still. */
export class SessionClock implements Deadline {
  place = -1
  readonly #deadlines: Deadlines
  readonly #owner: Owner
  #openedMs: number
  #endedMs: number | undefined
  #pausedAtMs: number | undefined
  #pausedMs = 0

  constructor(deadlines: Deadlines, owner: Owner) {
    this.#deadlines = deadlines
    this.#owner = owner
    this.#openedMs = deadlines.nowMs()
  }

  /** When the session opened, on the monotonic clock; later by as long as its clock has stood still. */
  get openedMs(): number {
    const nowMs = this.#pausedAtMs === undefined ? 0 : this.#deadlines.nowMs() - this.#pausedAtMs
    return this.#openedMs + nowMs
  }

  /** Whole milliseconds since the session opened, without those for which the clock stood still. */
  get wallMs(): number {
    const atMs = this.#endedMs ?? this.#pausedAtMs ?? this.#deadlines.nowMs()
    return Math.floor(atMs - this.#openedMs)
  }

  /** Milliseconds for which the clock has stood still. */
  get pausedMs(): number {
    const nowMs = this.#pausedAtMs === undefined ? 0 : this.#deadlines.nowMs() - this.#pausedAtMs
    return this.#pausedMs + nowMs
  }

  get isPaused(): boolean {
    return this.#pausedAtMs !== undefined
  }

  /** The moment at which the time is up; `Infinity` for never. */
  get atMs(): number {
    return this.#openedMs + this.#owner.setup.limits.wallMs
  }

  /** What nests the session may see of the code that its end runs: it was opened from there. */
  get ambient(): Ambient | undefined {
    return this.#owner.parent
  }

  onDeadline(): void {
    this.#owner.onDeadline()
  }

  /** From now on its owner is told when the time is up. */
  arm(): void {
    if (this.atMs !== Number.POSITIVE_INFINITY) this.#deadlines.add(this)
  }

  hasPassed(): boolean {
    const { atMs } = this
    // Most sessions are asked at every call: the clock is read only where there is a limit.
    if (atMs === Number.POSITIVE_INFINITY) return false
    return (this.#pausedAtMs ?? this.#deadlines.nowMs()) >= atMs
  }

  pause(): void {
    this.#pausedAtMs ??= this.#deadlines.nowMs()
    this.#deadlines.remove(this)
  }

  resume(): void {
    if (this.#pausedAtMs === undefined) return
    const pausedMs = this.#deadlines.nowMs() - this.#pausedAtMs
    this.#pausedAtMs = undefined
    this.#pausedMs += pausedMs
    // What came after the end counts for nothing.
    if (this.#endedMs === undefined) this.#openedMs += pausedMs
    this.arm()
  }

  /** Nothing happens at the deadline any more. */
  disarm(): void {
    this.#deadlines.remove(this)
  }

  /** The time of the session stops here for good. */
  stop(): void {
    this.#endedMs ??= this.#pausedAtMs ?? this.#deadlines.nowMs()
  }
}
