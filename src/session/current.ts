import type { AnySession } from '../contract/any-session.js'
import { NoSession } from '../core/errors.js'
import { ambient } from './async-context.js'
import type { SessionCore } from './core.js'

/**
 * The session whose callback or tool this code was called from. It only ever restricts: a session opened
 * here is nested in it. No call is authorised by it.
 */
export function ambientSession(): SessionCore | undefined {
  // Nothing else is ever put around code.
  return ambient() as SessionCore | undefined
}

/**
 * The session this code runs in, for code that cannot be handed one.
 *
 * @throws {@link NoSession} (ERR_NO_SESSION) outside a session, and where the runtime has no async context.
 */
export function currentSession(): AnySession {
  const session = ambient()?.handle
  if (session === undefined) throw new NoSession()
  return session
}

/**
 * As {@link currentSession}, for code that runs outside of sessions too: `undefined` there.
 *
 * @see {@link currentSession}
 */
export function findCurrentSession(): AnySession | undefined {
  return ambient()?.handle
}
