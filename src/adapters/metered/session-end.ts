import type { AnySession } from '../../index.js'
import { findSession, type SessionChoice } from './find-session.js'

/** Why a session takes no more calls, if it does not. */
export function endOf(session: AnySession): { readonly reason: unknown } | undefined {
  try {
    // Holds nothing, and so throws what ended the session, if anything has.
    session.reserve({}).release()
    return undefined
  } catch (reason) {
    return { reason }
  }
}

/** @throws what ended the session that pays, if anything has. */
export function throwIfOver(options: SessionChoice): void {
  const session = findSession({ ...options, outside: 'observe' })
  const end = session === undefined ? undefined : endOf(session)
  if (end !== undefined) throw end.reason
}
