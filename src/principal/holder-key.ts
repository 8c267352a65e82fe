import { type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose'
import type { PublicJwk } from '../contract/credential.js'
import { isPlainObject } from '../core/guards.js'

/** A key pair as Web Crypto makes one: Ed25519, or ECDSA on P-256. */
export interface HolderKeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

/** A key pair, with the public key as a credential is asked for with it (`holderKey`). */
export interface HolderKey extends HolderKeyPair {
  readonly publicJwk: PublicJwk
}

/** Makes an Ed25519 key pair whose private key cannot be exported. */
export async function generateHolderKey(): Promise<HolderKey> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA')
  return Object.freeze({ privateKey, publicKey, publicJwk: await holderKeyOf(await exportJWK(publicKey)) })
}

/** Members of the public keys that a holder can have, in the order of a thumbprint. @see RFC 7638, section 3.2 */
const KINDS: { readonly [crv: string]: { readonly kty: string; readonly members: readonly string[] } } = {
  Ed25519: { kty: 'OKP', members: ['crv', 'kty', 'x'] },
  'P-256': { kty: 'EC', members: ['crv', 'kty', 'x', 'y'] },
}

/** What a key of each curve signs with. */
const ALGORITHMS: { readonly [crv: string]: readonly string[] } = {
  Ed25519: ['EdDSA', 'Ed25519'],
  'P-256': ['ES256'],
}

/**
 * The members that make up a holder's public key, and none but those.
 *
 * @throws TypeError when it is no public Ed25519 or P-256 key.
 */
export async function holderKeyOf(value: unknown): Promise<PublicJwk & { readonly crv: string }> {
  const key = isPlainObject(value) ? value : {}
  const { crv } = key
  const kind = typeof crv === 'string' && Object.hasOwn(KINDS, crv) ? KINDS[crv] : undefined
  if (typeof crv !== 'string' || kind === undefined || kind.kty !== key['kty'] || Object.hasOwn(key, 'd'))
    throw unusable()
  const bare: Record<string, string> = {}
  for (const member of kind.members) {
    const part = key[member]
    if (typeof part !== 'string' || !/^[\w-]+$/.test(part)) throw unusable()
    bare[member] = part
  }
  const jwk = { ...bare, kty: kind.kty, crv }
  try {
    await importJWK(jwk, algorithmsOf(crv)[0])
  } catch (cause) {
    throw new TypeError(unusable().message, { cause })
  }
  return jwk
}

/** The names of the algorithm that a key of this curve signs with. */
export function algorithmsOf(crv: string): readonly string[] {
  return ALGORITHMS[crv] ?? []
}

/** The key as the runtime uses it. */
export async function importHolderKey(jwk: PublicJwk, algorithm: string): Promise<CryptoKey | undefined> {
  const key = await importJWK({ ...jwk }, algorithm)
  return key instanceof Uint8Array ? undefined : key
}

function unusable(): TypeError {
  return new TypeError('holder key: expected a public Ed25519 or P-256 key as a JSON Web Key')
}
