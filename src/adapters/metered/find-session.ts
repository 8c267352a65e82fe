import { type AnySession, findCurrentSession, NoSession } from '../../index.js'

/** Which session pays for a call. */
export interface SessionChoice {
  /** The session, or who knows it. Without it: the one the call is made in, as `currentSession()` has it. */
  readonly session?: AnySession | (() => AnySession | undefined)
  /**
   * What happens to a call outside of every session. `refuse`, the default: {@link NoSession}. `observe`: it
   * passes, and nothing is metered or recorded, because there is nothing to record it in.
   */
  readonly outside?: 'refuse' | 'observe'
}

/**
 * The session that pays, or `undefined` where the call may pass without one.
 *
 * @throws {@link NoSession} (ERR_NO_SESSION) outside of every session.
 */
export function findSession({ session, outside }: SessionChoice): AnySession | undefined {
  const found = typeof session === 'function' ? session() : (session ?? findCurrentSession())
  if (found === undefined && outside !== 'observe') throw new NoSession()
  return found
}
