import type { AnySession } from '../contract/any-session.js'
import { NoSession } from '../core/errors.js'
import { builtin } from '../core/runtime.js'
import type { SessionCore } from './core.js'

interface ContextStorage {
  run<T>(store: SessionCore | undefined, callback: () => T): T
  getStore(): SessionCore | undefined
}

interface ContextStorageClass {
  new (): ContextStorage
  snapshot?(): <T>(callback: () => T) => T
}

const hooks = builtin<{ AsyncLocalStorage: ContextStorageClass }>('async_hooks')
const storage = hooks === undefined ? undefined : new hooks.AsyncLocalStorage()

/** False where nested sessions cannot be seen, because the runtime has no async context. */
export const hasAsyncContext: boolean = storage !== undefined

/**
 * The session whose callback or tool this code was called from. It only ever restricts: a session opened
 * here is nested in it. No call is authorised by it.
 */
export function ambientSession(): SessionCore | undefined {
  return storage?.getStore()
}

/** Calls back with `session` as the ambient one, or with none. */
export function runInside<T>(session: SessionCore | undefined, callback: () => T): T {
  return storage === undefined || storage.getStore() === session ? callback() : storage.run(session, callback)
}

/**
 * Calls back in the context that this module was loaded in: what several sessions share must not carry the
 * context of the one that happened to set it up.
 */
export const outsideOfContexts: <T>(callback: () => T) => T =
  hooks?.AsyncLocalStorage.snapshot?.() ?? ((callback) => callback())

/**
 * The session this code runs in, for code that cannot be handed one.
 *
 * @throws {@link NoSession} (ERR_NO_SESSION) outside a session, and where the runtime has no async context.
 */
export function currentSession(): AnySession {
  const session = storage?.getStore()?.handle
  if (session === undefined) throw new NoSession()
  return session
}

/**
 * As {@link currentSession}, for code that runs outside of sessions too: `undefined` there.
 *
 * @see {@link currentSession}
 */
export function findCurrentSession(): AnySession | undefined {
  return storage?.getStore()?.handle
}
