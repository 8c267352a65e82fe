import type { AnySession } from '../contract/any-session.js'
import { builtin } from '../core/runtime.js'

/** A session as the code that runs inside of it finds it. */
export interface Ambient {
  readonly handle: AnySession | undefined
}

interface ContextStorage {
  run<T>(store: Ambient | undefined, callback: () => T): T
  getStore(): Ambient | undefined
}

interface ContextStorageClass {
  new (): ContextStorage
  snapshot?(): <T>(callback: () => T) => T
}

const hooks = builtin<{ AsyncLocalStorage: ContextStorageClass }>('async_hooks')
const storage = hooks === undefined ? undefined : new hooks.AsyncLocalStorage()

/** False where nested sessions cannot be seen, because the runtime has no async context. */
export const hasAsyncContext: boolean = storage !== undefined

/** What {@link runInside} was last given, around the code that asks. */
export function ambient(): Ambient | undefined {
  return storage?.getStore()
}

/** Calls back with `session` as the ambient one, or with none. */
export function runInside<T>(session: Ambient | undefined, callback: () => T): T {
  return storage === undefined || storage.getStore() === session ? callback() : storage.run(session, callback)
}

/**
 * Calls back in the context that this module was loaded in: what several sessions share must not carry the
 * context of the one that happened to set it up.
 */
export const outsideOfContexts: <T>(callback: () => T) => T =
  hooks?.AsyncLocalStorage.snapshot?.() ?? ((callback) => callback())
