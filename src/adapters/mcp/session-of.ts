import { type AnySession, NoSession } from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import type { OpenRequest } from './lane.js'

/**
 * The session that a request belongs to; `undefined` where none is needed.
 *
 * @param open what the client has asked and has no answer to.
 * @throws {@link NoSession} (ERR_NO_SESSION) where that cannot be told.
 */
export function sessionOf(
  from: 'client' | 'server',
  choice: SessionChoice,
  open: Iterable<OpenRequest>,
): AnySession | undefined {
  return from === 'client' ? findSession(choice) : findSessionOfServer(choice, open)
}

/**
 * Whom a server's request is for: the session that was named, or the one that alone has a call there.
 *
 * @throws {@link NoSession} (ERR_NO_SESSION) where that cannot be told.
 */
function findSessionOfServer(choice: SessionChoice, open: Iterable<OpenRequest>): AnySession | undefined {
  if (choice.session !== undefined) return findSession(choice)
  const sessions = new Set<AnySession>()
  for (const { session } of open) if (session) sessions.add(session)
  const [only] = sessions
  if (sessions.size === 1) return only
  if (choice.outside === 'observe' && sessions.size === 0) return undefined
  throw new NoSession()
}
