import type { CredentialGrant } from '../contract/credential.js'
import { isPlainObject } from '../core/guards.js'

/** `typ` of a credential, so that no other token of the same issuer passes for one. @see RFC 8725, section 3.11 */
export const CREDENTIAL_TYPE = 'writ-principal+jwt'

/** Longest token, credential or proof, in characters. */
export const MAX_TOKEN_LENGTH: number = 16 * 1024

/** Nested sessions that a chain of actors may show. */
const MAX_ACTORS = 64
const MAX_TEXT = 1024

/** Who acts, and on whose behalf that one acts: the current actor outermost. @see RFC 8693, section 4.1 */
export interface Actor {
  /** A session's principal: `<identity>@<session id>`. */
  readonly sub: string
  /** The session that this one was opened in. */
  readonly act?: Actor
}

/** What a credential says, under the names that its token has them. */
export interface PrincipalClaims {
  /** Who signed it. */
  readonly iss: string
  /** The user that the agent acts for. */
  readonly sub: string
  /** The one service that it is meant for. */
  readonly aud: string
  /** Its own id: random, never used twice. */
  readonly jti: string
  /** The agent's identity. */
  readonly client_id: string
  /** The session's id. */
  readonly sid: string
  readonly act: Actor
  /** The tools that the session was granted when it was issued. */
  readonly tools: readonly string[]
  /** Seconds since the Unix epoch. */
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  /** RFC 7638 thumbprint of the key that its holder has to prove, where it is bound to one. */
  readonly cnf?: { readonly jkt: string }
}

/** The claims of a grant. @param jkt thumbprint of the holder's key, where there is one. */
export function claimsOf(grant: CredentialGrant, issuer: string, jkt: string | undefined): PrincipalClaims {
  const [sub, ...outer] = grant.actors
  if (sub === undefined) throw new TypeError('credential: expected at least one actor')
  return {
    iss: issuer,
    sub: grant.user,
    aud: grant.audience,
    jti: grant.id,
    client_id: grant.identity,
    sid: grant.sessionId,
    act: { sub, ...(outer.length === 0 ? {} : { act: chain(outer) }) },
    tools: [...grant.tools],
    iat: grant.issuedAtS,
    nbf: grant.issuedAtS,
    exp: grant.expiresAtS,
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  }
}

function chain(actors: readonly string[]): Actor {
  const [sub = '', ...outer] = actors
  return outer.length === 0 ? { sub } : { sub, act: chain(outer) }
}

/** A credential's claims as a frozen copy, or the name of the claim that is missing or wrong. */
export function readClaims(payload: unknown): PrincipalClaims | string {
  if (!isPlainObject(payload)) return 'payload'
  const claim = (name: string): unknown => (Object.hasOwn(payload, name) ? payload[name] : undefined)
  const texts: Record<string, string> = {}
  for (const name of ['iss', 'sub', 'aud', 'jti', 'client_id', 'sid']) {
    const value = claim(name)
    if (!isText(value)) return name
    texts[name] = value
  }
  const times: Record<string, number> = {}
  for (const name of ['iat', 'nbf', 'exp']) {
    const value = claim(name)
    if (!Number.isSafeInteger(value) || (value as number) < 0) return name
    times[name] = value as number
  }
  const act = readActor(claim('act'), MAX_ACTORS)
  if (act === undefined || act.sub !== `${texts['client_id']}@${texts['sid']}`) return 'act'
  const tools = claim('tools')
  if (!Array.isArray(tools) || !tools.every(isText)) return 'tools'
  const cnf = readConfirmation(claim('cnf'))
  if (cnf === undefined) return 'cnf'
  return Object.freeze({
    ...texts,
    ...times,
    act,
    tools: Object.freeze([...tools]),
    ...cnf,
  }) as unknown as PrincipalClaims
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT
}

function readActor(value: unknown, levels: number): Actor | undefined {
  if (levels === 0 || !isPlainObject(value) || !Object.hasOwn(value, 'sub')) return undefined
  const { sub } = value
  if (!isText(sub)) return undefined
  if (!Object.hasOwn(value, 'act')) return Object.freeze({ sub })
  const act = readActor(value['act'], levels - 1)
  return act === undefined ? undefined : Object.freeze({ sub, act })
}

/** A confirmation of another kind than a thumbprint is one that nobody here could check. */
function readConfirmation(value: unknown): Pick<PrincipalClaims, 'cnf'> | undefined {
  if (value === undefined) return {}
  if (!isPlainObject(value) || Object.keys(value).join() !== 'jkt') return undefined
  const { jkt } = value
  return typeof jkt === 'string' && /^[\w-]{43}$/.test(jkt) ? { cnf: Object.freeze({ jkt }) } : undefined
}
