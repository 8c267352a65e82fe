import { asyncContext } from './async-context.js'

const context = asyncContext<true>()

/**
 * Calls back as a model call that is metered by who calls this: nothing further in may meter it again. Where
 * the runtime has no async context, nobody can tell.
 */
export function asOutermost<T>(call: () => T): T {
  return context.run(true, call)
}

/** @throws TypeError inside of {@link asOutermost}: the call would be held and charged twice. */
export function assertOutermost(): void {
  if (context.getStore() !== true) return
  throw new TypeError(
    'this model call is metered already, by a governed model around it: govern the model or its client, not both',
  )
}
