import { type CryptoKey, importJWK } from 'jose'
import type { PublicJwk } from '../contract/credential.js'
import { describe } from '../core/describe.js'
import { isPlainObject } from '../core/guards.js'
import { ALGORITHM } from './issuer-key.js'

/** The public keys of an issuer, as its `jwks()` gives them. @see RFC 7517, section 5 */
export interface PublicKeySet {
  readonly keys: readonly PublicJwk[]
}

const MAX_KEYS = 100

/** The key that signs and those that are published with it. @throws TypeError for what is no public Ed25519 key. */
export function publicSetOf(label: string, first: PublicJwk, more: unknown): PublicKeySet {
  if (!Array.isArray(more))
    throw new TypeError(`${label}: expected an array of public JSON Web Keys, got ${describe(more)}`)
  const keys = new Map([[first.kid, first]])
  for (const [index, value] of (more as unknown[]).entries()) {
    const key = readSetKey(value)
    if (key === undefined) {
      throw new TypeError(`${label}[${index}]: expected a public Ed25519 key as a JSON Web Key with a kid`)
    }
    if (!keys.has(key.kid)) keys.set(key.kid, key)
  }
  return { keys: [...keys.values()] }
}

/**
 * The key with this id.
 *
 * @throws TypeError when `value` is no key set.
 */
export async function findKey(value: unknown, kid: string): Promise<CryptoKey | undefined> {
  if (!isPlainObject(value) || !Array.isArray(value['keys']) || value['keys'].length > MAX_KEYS)
    throw new TypeError(
      `jwks: expected { keys: [ … ] } with at most ${MAX_KEYS} keys, got ${describe(value)}`,
    )
  // Two keys under one name: nobody can say which one is meant.
  const [found, ...more] = (value['keys'] as unknown[]).filter(
    (key) => isPlainObject(key) && key['kid'] === kid,
  )
  const jwk = more.length > 0 ? undefined : readSetKey(found)
  if (jwk === undefined) return undefined
  const { kty, crv, x } = jwk as { kty: string; crv: string; x: string }
  try {
    const key = await importJWK({ kty, crv, x }, ALGORITHM)
    return key instanceof Uint8Array ? undefined : key
  } catch {
    return undefined
  }
}

/** A public Ed25519 key for signatures; anything else a set may hold is none of ours. */
function readSetKey(value: unknown): PublicJwk | undefined {
  if (!isPlainObject(value)) return undefined
  const { kty, crv, x, kid, alg, use } = value
  if (kty !== 'OKP' || crv !== 'Ed25519' || Object.hasOwn(value, 'd')) return undefined
  if (typeof x !== 'string' || !/^[\w-]{43}$/.test(x) || typeof kid !== 'string' || kid === '')
    return undefined
  if (alg !== undefined && alg !== 'EdDSA' && alg !== 'Ed25519') return undefined
  if (use !== undefined && use !== 'sig') return undefined
  return Object.freeze({ kty, crv, x, kid, alg: ALGORITHM, use: 'sig' })
}
