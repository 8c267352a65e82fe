interface Storage {
  run<T>(store: true, callback: () => T): T
  getStore(): true | undefined
}

interface Host {
  readonly process?: {
    readonly getBuiltinModule?: (name: string) => { AsyncLocalStorage: new () => Storage }
  }
}

const hooks = (globalThis as Host).process?.getBuiltinModule?.('async_hooks')
const storage = hooks === undefined ? undefined : new hooks.AsyncLocalStorage()

/**
 * Calls back as a model call that is metered by who calls this: nothing further in may meter it again. Where
 * the runtime has no async context, nobody can tell.
 */
export function asOutermost<T>(call: () => T): T {
  return storage === undefined ? call() : storage.run(true, call)
}

/** @throws TypeError inside of {@link asOutermost}: the call would be held and charged twice. */
export function assertOutermost(): void {
  if (storage?.getStore() !== true) return
  throw new TypeError(
    'this model call is metered already, by a governed model around it: govern the model or its client, not both',
  )
}
