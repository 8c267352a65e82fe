import { type Clock, MAX_TIMER_MS, type TimerHandle } from '../core/clock.js'
import { type Ambient, outsideOfContexts, runInside } from './async-context.js'

/** A moment on the monotonic clock at which something happens, whether or not anything else does. */
export interface Deadline {
  /** The moment. MUST NOT change while it stands in a queue. */
  readonly atMs: number
  /** The session whose code this may run, if any: see {@link runInside}. */
  readonly ambient: Ambient | undefined
  /** Where it stands in its queue, −1 in none; the queue alone sets it. */
  place: number
  /** Called at most once for each time it was added. */
  onDeadline(): void
}

/**
 * All deadlines of one agent, and one timer for the first of them: ten thousand open sessions hold no more
 * than their places here.
 *
 * The timer keeps the process alive as long as there is a deadline: a session that waits for ever still dies
 * at its own. It belongs to no session, so it is set outside of every async context.
 */
export class Deadlines {
  readonly #clock: Clock
  /** A binary heap: none comes before the one at half its place. */
  readonly #heap: Deadline[] = []
  #timer: TimerHandle
  /** The moment that the timer is set for; `Infinity` while none is set. */
  #armedMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    return this.#clock.monotonicMs()
  }

  /**
   * MUST NOT be given one that stands in a queue.
   *
   * @throws what the clock throws; then it has not been added.
   */
  add(deadline: Deadline): void {
    this.#rise(deadline, this.#heap.length)
    try {
      this.#arm()
    } catch (error) {
      this.remove(deadline)
      throw error
    }
  }

  /** Nothing happens at it any more, if it was still to come. */
  remove(deadline: Deadline): void {
    const { place } = deadline
    if (place < 0) return
    deadline.place = -1
    const last = this.#heap.pop() as Deadline
    if (last !== deadline) {
      this.#sink(last, place)
      this.#rise(last, last.place)
    }
    // One that is set for a deadline that has gone finds nothing to do and looks for the next.
    if (this.#heap.length === 0) this.#disarm()
  }

  /** Puts a deadline at a place or nearer to the front, before every one that is later. */
  #rise(deadline: Deadline, from: number): void {
    const heap = this.#heap
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const other = heap[above] as Deadline
      if (other.atMs <= deadline.atMs) break
      heap[place] = other
      other.place = place
      place = above
    }
    heap[place] = deadline
    deadline.place = place
  }

  /** Puts a deadline at a place or farther from the front, behind every one that is sooner. */
  #sink(deadline: Deadline, from: number): void {
    const heap = this.#heap
    let place = from
    for (let below = 2 * place + 1; below < heap.length; below = 2 * place + 1) {
      const right = heap[below + 1]
      if (right !== undefined && right.atMs < (heap[below] as Deadline).atMs) below += 1
      const other = heap[below] as Deadline
      if (other.atMs >= deadline.atMs) break
      heap[place] = other
      other.place = place
      place = below
    }
    heap[place] = deadline
    deadline.place = place
  }

  /** Timers fire early by a rounding, and none can be longer than {@link MAX_TIMER_MS}: look, and wait again. */
  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || first.atMs >= this.#armedMs) return
    const nowMs = this.nowMs()
    const waitMs = Math.min(Math.max(0, first.atMs - nowMs), MAX_TIMER_MS)
    const timer = outsideOfContexts(() => this.#clock.setTimer(() => this.#fire(), Math.ceil(waitMs), false))
    // Not before there is another: where it cannot be set, the others still have theirs.
    this.#disarm()
    this.#timer = timer
    this.#armedMs = nowMs + waitMs
  }

  #disarm(): void {
    if (this.#armedMs === Number.POSITIVE_INFINITY) return
    this.#armedMs = Number.POSITIVE_INFINITY
    this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
  }

  #fire(): void {
    this.#armedMs = Number.POSITIVE_INFINITY
    this.#timer = undefined
    try {
      for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
        if (first.atMs > this.nowMs()) break
        const due = first
        this.remove(due)
        runInside(due.ambient, () => due.onDeadline())
      }
    } finally {
      // Also when one of them throws: the others are still to come.
      this.#arm()
    }
  }
}
