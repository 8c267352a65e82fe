/** A handle that {@link Clock.setTimer} returns and {@link Clock.clearTimer} takes. */
export type TimerHandle = unknown

/**
 * Where time comes from. Pass your own to `new Agent({ clock })` in tests (`fakeClock` in `writ/testing`).
 *
 * `monotonicMs` MUST never run backwards: limits on time depend on it. `nowMs` only dates log records.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, an integer. */
  nowMs(): number
  /** Milliseconds since an arbitrary start, never decreasing. */
  monotonicMs(): number
  /** Calls `callback` once, `delayMs` from now. MUST NOT keep the process alive when `background` is true. */
  setTimer(callback: () => void, delayMs: number, background: boolean): TimerHandle
  clearTimer(handle: TimerHandle): void
}

/** Longest delay that `setTimeout` honours; a longer one would fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

const { now: wallNow } = Date
const { setTimeout, clearTimeout } = globalThis
const monotonic = performance.now.bind(performance)

/** The clock of this machine. */
export const systemClock: Clock = Object.freeze({
  nowMs: (): number => wallNow(),
  monotonicMs: (): number => monotonic(),
  setTimer: (callback: () => void, delayMs: number, background: boolean): TimerHandle => {
    const timer: unknown = setTimeout(callback, Math.min(delayMs, MAX_TIMER_MS))
    if (background) (timer as { unref?: () => void }).unref?.()
    return timer
  },
  clearTimer: (handle: TimerHandle): void => clearTimeout(handle as ReturnType<typeof setTimeout>),
})
