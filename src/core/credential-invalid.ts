import { WritError } from './errors.js'

/** Why a credential was refused. */
export type CredentialRefusal =
  | 'malformed'
  | 'unknown_key'
  | 'keys_unavailable'
  | 'bad_signature'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'not_yet_valid'
  | 'expired'
  | 'lifetime_too_long'
  | 'tool_not_granted'
  | 'proof_missing'
  | 'proof_invalid'
  | 'proof_replayed'
  | 'revoked'
  | 'status_unavailable'
  | 'replayed'
  | 'replay_unavailable'

/** A credential was refused. What its token says is not in the message. */
export class CredentialInvalid extends WritError {
  override readonly name = 'CredentialInvalid'
  readonly code = 'ERR_CREDENTIAL_INVALID'
  readonly reason: CredentialRefusal

  constructor(reason: CredentialRefusal, detail: string, options?: ErrorOptions) {
    super(`credential refused: ${reason}: ${detail}`, options)
    this.reason = reason
  }
}
