import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  importPKCS8,
} from 'jose'
import type { PublicJwk } from '../contract/credential.js'
import { describe } from '../core/describe.js'
import { isPlainObject } from '../core/guards.js'

/** `alg` of what is signed: every verifier knows it, and the key can be of no other curve. @see RFC 8037 */
export const ALGORITHM = 'EdDSA'

/** An Ed25519 key that signs credentials. The private part is in no member of it and cannot be exported. */
export interface IssuerKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  /** The public key, as services need it. */
  readonly publicJwk: PublicJwk
}

const privateKeys = new WeakMap<IssuerKey, CryptoKey>()

/**
 * Makes a new key, whose private part never leaves the process.
 *
 * @example
 * const issuer = credentialIssuer({ key: await generateIssuerKey(), issuer: 'https://agents.example.com' })
 */
export async function generateIssuerKey(): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(ALGORITHM)
  return keep(privateKey, await exportJWK(publicKey))
}

/**
 * Reads a private Ed25519 key: PEM text (PKCS #8) or a JSON Web Key with `d`.
 *
 * @throws TypeError when it is none, without saying what it holds.
 */
export async function importIssuerKey(source: string | object): Promise<IssuerKey> {
  let jwk: unknown = source
  try {
    if (typeof source === 'string') {
      jwk = await exportJWK(await importPKCS8(source, ALGORITHM, { extractable: true }))
    }
    if (!isPlainObject(jwk) || jwk['kty'] !== 'OKP' || jwk['crv'] !== 'Ed25519') throw unusable(source)
    const { x, d } = jwk
    if (typeof x !== 'string' || typeof d !== 'string') throw unusable(source)
    // The runtime refuses a public half that does not belong to the private one.
    const pair = { kty: 'OKP', crv: 'Ed25519', x, d }
    const key = await importJWK(pair, ALGORITHM, { extractable: false })
    if (key instanceof Uint8Array) throw unusable(source)
    return await keep(key, { x })
  } catch {
    // The cause may quote the key.
    throw unusable(source)
  }
}

function unusable(source: unknown): TypeError {
  const got = typeof source === 'string' ? 'a text that is none' : describe(source)
  return new TypeError(
    `issuer key: expected a private Ed25519 key as PEM (PKCS #8) or as a JSON Web Key with x and d, got ${got}`,
  )
}

async function keep(privateKey: CryptoKey, { x }: { x?: string }): Promise<IssuerKey> {
  const bare = { kty: 'OKP', crv: 'Ed25519', x: x ?? '' }
  const kid = await calculateJwkThumbprint(bare)
  const key = Object.freeze({ kid, publicJwk: Object.freeze({ ...bare, kid, alg: ALGORITHM, use: 'sig' }) })
  privateKeys.set(key, privateKey)
  return key
}

/** @throws TypeError when `value` is no {@link IssuerKey} of this module. */
export function privateKeyOf(label: string, value: unknown): CryptoKey {
  const key = privateKeys.get(value as IssuerKey)
  if (key === undefined) {
    throw new TypeError(`${label}: expected what generateIssuerKey() or importIssuerKey() returns`)
  }
  return key
}
