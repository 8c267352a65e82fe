import type { AuditUnavailable } from '../core/errors.js'

/** Everybody who waits for the same write. */
export interface Waiters {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: AuditUnavailable) => void
}

export function makeWaiters(): Waiters {
  let resolve: Waiters['resolve'] = () => undefined
  let reject: Waiters['reject'] = () => undefined
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // Somebody who has stopped waiting must not turn a failed write into an unhandled rejection.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
