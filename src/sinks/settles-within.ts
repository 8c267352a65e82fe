import type { Clock } from '../core/clock.js'

/**
 * Waits for a promise, but not for longer than `timeoutMs`: false when it has not settled by then. The timer
 * keeps the process alive, so that what is being waited for gets its chance before the process ends.
 */
export function settlesWithin(promise: Promise<unknown>, timeoutMs: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve(false), timeoutMs, false)
    const settled = (): void => {
      clock.clearTimer(timer)
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
