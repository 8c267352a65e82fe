import type { Clock, TimerHandle } from '../core/clock.js'

/** A clock that stands still until it is told otherwise. */
export interface FakeClock extends Clock {
  /**
   * Moves both clocks forward by `ms`, firing the timers that come due, in their order, and letting
   * promises settle before, between and after them.
   */
  advance(ms: number): Promise<void>
  /** Moves both clocks forward without firing any timer: what a blocked event loop looks like. */
  block(ms: number): void
  /** Timers that are set. */
  readonly timers: number
}

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

/**
 * Makes a clock for tests: pass it to `new Agent({ clock })`.
 *
 * @param startMs where the wall clock starts, in milliseconds since the Unix epoch.
 */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  const timers = new Set<Timer>()
  let elapsedMs = 0
  const next = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.atMs <= untilMs && (first === undefined || timer.atMs < first.atMs)) first = timer
    }
    return first
  }
  return {
    nowMs: () => startMs + Math.floor(elapsedMs),
    monotonicMs: () => elapsedMs,
    setTimer: (callback: () => void, delayMs: number): TimerHandle => {
      const timer = { atMs: elapsedMs + Math.max(0, delayMs), callback }
      timers.add(timer)
      return timer
    },
    clearTimer: (handle: TimerHandle): void => {
      timers.delete(handle as Timer)
    },
    advance: async (ms: number): Promise<void> => {
      const untilMs = elapsedMs + ms
      await settle()
      for (let due = next(untilMs); due !== undefined; due = next(untilMs)) {
        elapsedMs = Math.max(elapsedMs, due.atMs)
        timers.delete(due)
        due.callback()
        await settle()
      }
      elapsedMs = untilMs
      await settle()
    },
    block: (ms: number): void => {
      elapsedMs += ms
    },
    get timers(): number {
      return timers.size
    },
  }
}

/** One turn of the event loop: every promise that could settle has settled. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
