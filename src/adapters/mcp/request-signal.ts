import { CallCancelled } from './lane.js'

/** Cancels a request when the signal that came with it is aborted. @returns lets go of the signal. */
export function linkRequestSignal(extra: object | undefined, cancel: AbortController): () => void {
  return onGivenUp(extra, () => cancel.abort(new CallCancelled('cancelled by whoever asked')))
}

/** Called when whoever asked gives a request up by the signal that came with it. @returns lets go of the signal. */
export function onGivenUp(extra: object | undefined, giveUp: () => void): () => void {
  const signal = extra !== undefined && 'requestSignal' in extra ? extra.requestSignal : undefined
  if (!(signal instanceof AbortSignal)) return () => undefined
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  return () => signal.removeEventListener('abort', giveUp)
}
