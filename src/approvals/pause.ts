import type { Clock } from '../core/clock.js'

/** Waits. @throws the signal's reason, once nobody waits any more. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      clock.clearTimer(timer)
      reject(signal.reason)
    }
    const timer = clock.setTimer(
      () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
      delayMs,
      true,
    )
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
