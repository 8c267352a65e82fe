import { WritError } from './errors.js'

/** The session, or one it is nested in, was ended by `revoke`. */
export class SessionRevoked extends WritError {
  override readonly name = 'SessionRevoked'
  readonly code = 'ERR_SESSION_REVOKED'
  /** The session that was revoked. */
  readonly sessionId: string

  constructor(sessionId: string) {
    super(`session ${sessionId} was revoked`)
    this.sessionId = sessionId
  }
}
