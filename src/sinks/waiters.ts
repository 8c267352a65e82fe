import type { AuditUnavailable } from '../core/errors.js'

/** Everybody who waits for the same write. */
export interface Waiters {
  readonly promise: Promise<void>
  /** Tells them that it is done, or why it is not. */
  readonly settle: (failure?: AuditUnavailable) => void
}

export function makeWaiters(): Waiters {
  let settle: Waiters['settle'] = () => undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = (failure) => (failure === undefined ? resolve() : reject(failure))
  })
  // Somebody who has stopped waiting must not turn a failed write into an unhandled rejection.
  promise.catch(() => undefined)
  return { promise, settle }
}
