import { CallCancelled } from './lane.js'

/** Cancels a request when the signal that came with it is aborted. @returns lets go of the signal. */
export function linkRequestSignal(extra: object | undefined, cancel: AbortController): () => void {
  const signal = extra !== undefined && 'requestSignal' in extra ? extra.requestSignal : undefined
  if (!(signal instanceof AbortSignal)) return () => undefined
  const abort = (): void => cancel.abort(new CallCancelled('cancelled by whoever asked'))
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return () => signal.removeEventListener('abort', abort)
}
