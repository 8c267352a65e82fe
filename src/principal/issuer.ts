import { calculateJwkThumbprint, SignJWT } from 'jose'
import type { CredentialGrant, CredentialIssuer, PublicJwk } from '../contract/credential.js'
import { readCount, readOptions, readText } from '../core/guards.js'
import { CREDENTIAL_TYPE, claimsOf, MAX_TOKEN_LENGTH } from './claims.js'
import { holderKeyOf } from './holder-key.js'
import { ALGORITHM, type IssuerKey, privateKeyOf } from './issuer-key.js'
import { publicSetOf } from './key-set.js'
import { LiveCredentials } from './live-credentials.js'

/** The most that any issuer may allow a credential to last, and any verifier accept: a day. */
const LONGEST_TTL_MS = 86_400_000
/** What they do unless told otherwise: a quarter of an hour. */
const DEFAULT_MAX_TTL_MS = 900_000

/** What an issuer is made of. */
export interface CredentialIssuerOptions {
  /** Signs. */
  readonly key: IssuerKey
  /** `iss`: the name under which services know this issuer; up to 256 characters. */
  readonly issuer: string
  /** Longest life of a credential in milliseconds, 1,000 to 86,400,000; 900,000 when absent. */
  readonly maxTtlMs?: number
  /** More public keys for {@link PrincipalIssuer.jwks}: the last one, while its credentials last, or the next. */
  readonly alsoPublish?: readonly PublicJwk[]
}

/** An issuer of credentials: pass it to `new Agent({ credentials })`. */
export interface PrincipalIssuer extends CredentialIssuer {
  /** The name under which services know it. */
  readonly issuer: string
  /** The public keys, for services. */
  jwks(): { readonly keys: readonly PublicJwk[] }
  /**
   * True while the credential with this `jti` is good: this issuer issued it, it is in its time, it was not
   * revoked, and the session it speaks for and all it is nested in are open. What a status hook asks.
   */
  isActive(jti: string): boolean
  /**
   * Revokes one credential by its `jti`, or all that a session has been issued so far by the session's id.
   * Returns how many.
   */
  revoke(id: string): number
}

/**
 * Makes an issuer. Several agents may share one.
 *
 * What was issued is remembered in this process alone: after a restart, {@link PrincipalIssuer.isActive} is
 * false for everything that was issued before.
 *
 * @throws TypeError or RangeError for an option that is unknown, missing or not usable, saying which.
 * @example
 * const credentials = credentialIssuer({ key: await generateIssuerKey(), issuer: 'https://agents.example.com' })
 * const agent = new Agent({ identity: 'support-bot/v1', budget, tools, audit, credentials })
 */
export function credentialIssuer(options: CredentialIssuerOptions): PrincipalIssuer {
  const label = 'credentialIssuer'
  const given = readOptions(label, options, ['key', 'issuer', 'maxTtlMs', 'alsoPublish'])
  const privateKey = privateKeyOf(`${label}: key`, given.key)
  const { kid, publicJwk } = given.key as IssuerKey
  const issuer = readText(`${label}: issuer`, given.issuer, 256)
  const maxTtlMs = readTtl(`${label}: maxTtlMs`, given.maxTtlMs)
  const published = publicSetOf(`${label}: alsoPublish`, publicJwk, given.alsoPublish ?? [])
  const live = new LiveCredentials()

  const issue = async (grant: CredentialGrant): Promise<string> => {
    const { holderKey } = grant
    const jkt =
      holderKey === undefined ? undefined : await calculateJwkThumbprint(await holderKeyOf(holderKey))
    const token = await new SignJWT({ ...claimsOf(grant, issuer, jkt) })
      .setProtectedHeader({ alg: ALGORITHM, typ: CREDENTIAL_TYPE, kid })
      .sign(privateKey)
    if (token.length > MAX_TOKEN_LENGTH) {
      throw new RangeError(
        `credential: the token would have ${token.length} characters, and ${MAX_TOKEN_LENGTH} is the most: name fewer tools`,
      )
    }
    live.add(grant.id, grant.sessionId, grant.isLive)
    return token
  }

  return Object.freeze({
    issuer,
    maxTtlMs,
    issue,
    jwks: () => structuredClone(published),
    isActive: (jti: string) => live.isActive(jti),
    revoke: (id: string) => live.revoke(id),
  })
}

/** @throws TypeError or RangeError when `value` is neither absent nor a longest life. */
export function readTtl(label: string, value: unknown): number {
  if (value === undefined) return DEFAULT_MAX_TTL_MS
  const ttlMs = readCount(label, value, LONGEST_TTL_MS)
  if (ttlMs < 1000)
    throw new RangeError(`${label}: expected an integer from 1000 to ${LONGEST_TTL_MS}, got ${ttlMs}`)
  return ttlMs
}
