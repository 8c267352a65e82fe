/** What calls further in can see, where the runtime has an async context. */
export interface AsyncContext<T> {
  run<R>(value: T, callback: () => R): R
  getStore(): T | undefined
}

interface Host {
  readonly process?: {
    readonly getBuiltinModule?: (name: string) => { AsyncLocalStorage: new () => AsyncContext<never> }
  }
}

/** A context of its own; where the runtime has none, nothing is seen further in. */
export function asyncContext<T>(): AsyncContext<T> {
  const hooks = (globalThis as Host).process?.getBuiltinModule?.('async_hooks')
  if (hooks !== undefined) return new hooks.AsyncLocalStorage() as AsyncContext<unknown> as AsyncContext<T>
  return { run: (_value, callback) => callback(), getStore: () => undefined }
}
