import type { MeteredCall } from './metered-call.js'
import { isNeverSent } from './send.js'

/**
 * Waits no longer than the session lives: not every model listens to its signal.
 *
 * @param heedsCaller whether it waits no longer than its caller does, either; else the caller's own abort is for
 *   the model to answer.
 */
export async function unlessStopped<T>(
  call: MeteredCall,
  work: PromiseLike<T>,
  heedsCaller = false,
): Promise<T> {
  const { signal } = call
  let onAbort: (() => void) | undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      if (call.stopped !== undefined) reject(call.stopped.reason)
      else if (heedsCaller) reject(signal.reason)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    const result = await Promise.race([work, stopped])
    if (call.stopped !== undefined) throw call.stopped.reason
    return result
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Settles a call that failed. Nothing is charged where a provider answered with a status in the place of
 * output, or was never asked.
 *
 * @param status with which the provider refused it, if it did.
 * @param isBegun whether anything of the answer came: then it is charged.
 * @returns what its caller is to see.
 */
export function failed(call: MeteredCall, error: unknown, status: unknown, isBegun: boolean): unknown {
  const { stopped } = call
  try {
    if (!isBegun && typeof status === 'number') call.refuse({ name: 'HttpError', code: `HTTP_${status}` })
    else if (!isBegun && isNeverSent(error)) call.refuse(error)
  } catch (refusal) {
    return refusal
  }
  call.stop(error)
  return stopped === undefined ? error : stopped.reason
}

/** The HTTP status that an error of a client has. */
export function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined
}
