import { type Clock, MAX_TIMER_MS } from '../core/clock.js'

/**
 * What somebody else's function answers, if it does in time.
 *
 * @throws what it throws or rejects with, and `RangeError` when it has not answered in time.
 */
export async function answerWithin<T>(
  ask: (signal: AbortSignal) => T | PromiseLike<T>,
  timeoutMs: number,
  clock: Clock,
): Promise<T> {
  const controller = new AbortController()
  let timer: unknown
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = clock.setTimer(
        () => reject(new RangeError(`no answer within ${timeoutMs} ms`)),
        Math.min(timeoutMs, MAX_TIMER_MS),
        false,
      )
      Promise.resolve(ask(controller.signal)).then(resolve, reject)
    })
  } finally {
    clock.clearTimer(timer)
    controller.abort()
  }
}
