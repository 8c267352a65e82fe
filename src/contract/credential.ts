import { describe } from '../core/describe.js'
import { isPlainObject, readCount, readOptions, readText } from '../core/guards.js'

/** A public key as a JSON Web Key. @see RFC 7517 */
export interface PublicJwk {
  readonly kty: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly kid?: string
  readonly alg?: string
  readonly use?: string
}

/** What a credential is asked for with. */
export interface CredentialOptions<Names extends string = string> {
  /** The one service that shall accept it, by the name that the service expects; up to 256 characters. */
  readonly audience: string
  /**
   * Milliseconds that it lasts at most: at least 1,000, at most the issuer's `maxTtlMs`. It never outlives
   * the session's deadline, nor that of a session it is nested in. Rounded down to whole seconds.
   */
  readonly ttlMs: number
  /** The tools that it names; all that the session may call when absent. */
  readonly tools?: readonly Names[]
  /** The holder's public key: then only who has the private key can use the credential. */
  readonly holderKey?: PublicJwk
}

/** What a session grants, as its issuer signs it. */
export interface CredentialGrant {
  /** Random, and no other credential's: 32 hexadecimal digits. */
  readonly id: string
  readonly audience: string
  readonly user: string
  readonly identity: string
  readonly sessionId: string
  /** Principals: that of the session first, then those of the sessions it is nested in, outwards. */
  readonly actors: readonly string[]
  readonly tools: readonly string[]
  /** Seconds since the Unix epoch. */
  readonly issuedAtS: number
  /** Seconds since the Unix epoch; later than `issuedAtS`. */
  readonly expiresAtS: number
  readonly holderKey: PublicJwk | undefined
  /**
   * True while the credential is in its time and the session, and all it is nested in, are open. Once
   * false, it stays false. Holds no session in memory.
   */
  readonly isLive: () => boolean
}

/** What signs the credentials of an agent's sessions; `credentialIssuer` of `writ/principal` makes one. */
export interface CredentialIssuer {
  /** The most that `ttlMs` may be. */
  readonly maxTtlMs: number
  /** Signs one. MUST reject rather than sign anything else than the grant. */
  issue(grant: CredentialGrant): Promise<string>
}

/** @throws TypeError when `value` is no {@link CredentialIssuer}. */
export function parseIssuer(value: unknown): CredentialIssuer {
  const issuer = value as Partial<CredentialIssuer> | null | undefined
  if (typeof issuer?.issue !== 'function' || !Number.isSafeInteger(issuer.maxTtlMs)) {
    throw new TypeError(
      `credentials: expected what credentialIssuer() of writ/principal returns, got ${describe(value)}`,
    )
  }
  return issuer as CredentialIssuer
}

/** Shortest life of a credential: its times are whole seconds. */
const MIN_TTL_MS = 1000

/** What a credential is asked for with, each member read once. */
export interface ParsedCredentialOptions {
  readonly audience: string
  readonly ttlMs: number
  readonly tools: readonly string[]
  readonly holderKey: PublicJwk | undefined
}

/**
 * @param granted the tools that the session may call.
 * @throws TypeError or RangeError for an option that is unknown, missing or not usable, saying which.
 */
export function parseCredentialOptions(
  value: unknown,
  maxTtlMs: number,
  granted: readonly string[],
): ParsedCredentialOptions {
  const given = readOptions('credential', value, ['audience', 'ttlMs', 'tools', 'holderKey'])
  const ttlMs = readCount('credential: ttlMs', given.ttlMs, maxTtlMs)
  if (ttlMs < MIN_TTL_MS) {
    throw new RangeError(
      `credential: ttlMs: expected an integer from ${MIN_TTL_MS} to ${maxTtlMs}, got ${ttlMs}`,
    )
  }
  return {
    audience: readText('credential: audience', given.audience, 256),
    ttlMs,
    tools: given.tools === undefined ? granted : readTools(given.tools, granted),
    holderKey: given.holderKey === undefined ? undefined : readHolderKey(given.holderKey),
  }
}

function readTools(value: unknown, granted: readonly string[]): readonly string[] {
  if (!Array.isArray(value))
    throw new TypeError(`credential: tools: expected an array of tool names, got ${describe(value)}`)
  const names = new Set<string>()
  for (const name of value as unknown[]) {
    if (typeof name !== 'string' || !granted.includes(name)) {
      throw new TypeError(`credential: tools: the session may not call ${describe(name)}`)
    }
    names.add(name)
  }
  return [...names]
}

/** Members of a private or a symmetric key. @see RFC 7518, section 6 */
const PRIVATE_MEMBERS = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv']

/** A copy, so that what is signed is what was checked. */
function readHolderKey(value: unknown): PublicJwk {
  if (!isPlainObject(value))
    throw new TypeError(`credential: holderKey: expected a public JSON Web Key, got ${describe(value)}`)
  const key: Record<string, unknown> = { ...value }
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member))) {
    throw new TypeError('credential: holderKey: this is a private key; pass the public one')
  }
  if (typeof key['kty'] !== 'string')
    throw new TypeError('credential: holderKey: expected a public JSON Web Key with a kty')
  return Object.freeze(key) as unknown as PublicJwk
}
