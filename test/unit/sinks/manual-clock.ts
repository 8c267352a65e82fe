import type { Clock, TimerHandle } from '../../../src/core/clock.js'

interface Timer {
  readonly callback: () => void
  readonly delayMs: number
  readonly dueMs: number
  readonly background: boolean
}

/** A clock that stands still until it is told otherwise. */
export class ManualClock implements Clock {
  readonly #startMs: number
  readonly #timers = new Set<Timer>()
  #elapsedMs = 0
  #onTimer: (() => void)[] = []

  constructor(startMs: number = Date.now()) {
    this.#startMs = startMs
  }

  /** Timers that are set and have not fired. */
  get timers(): readonly Timer[] {
    return [...this.#timers]
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  setTimer(callback: () => void, delayMs: number, background: boolean): TimerHandle {
    const timer = { callback, delayMs, dueMs: this.#elapsedMs + delayMs, background }
    this.#timers.add(timer)
    for (const tell of this.#onTimer.splice(0)) tell()
    return timer
  }

  clearTimer(handle: TimerHandle): void {
    this.#timers.delete(handle as Timer)
  }

  /** Resolves with the timer of this delay as soon as there is one. */
  async timer(delayMs: number): Promise<Timer> {
    for (;;) {
      const found = this.timers.find((timer) => timer.delayMs === delayMs)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#onTimer.push(resolve))
    }
  }

  /** Lets time pass and fires what is due, in order. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms
    for (;;) {
      const next = this.timers.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs)
      next.callback()
    }
    this.#elapsedMs = untilMs
  }
}
