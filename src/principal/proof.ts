import { base64url, calculateJwkThumbprint, compactVerify, exportJWK, SignJWT } from 'jose'
import { type Clock, systemClock } from '../core/clock.js'
import { CredentialInvalid } from '../core/credential-invalid.js'
import { sha256Hex } from '../core/digest.js'
import { isPlainObject, readOptions, readText } from '../core/guards.js'
import { hasMembers, readHeader, readPayload } from './compact-jws.js'
import { algorithmsOf, type HolderKeyPair, holderKeyOf, importHolderKey } from './holder-key.js'

const PROOF_TYPE = 'dpop+jwt'

/** What a proof is about: one request with one credential. */
export interface ProofOptions {
  readonly key: HolderKeyPair
  /** The method of the request. */
  readonly method: string
  /** The URL of the request; its query and its fragment are left out. */
  readonly url: string
  /** The credential that is sent with it. */
  readonly token: string
  /** Where time comes from; for tests. */
  readonly clock?: Clock
}

/**
 * The holder's side: proves for one request that it has the key that a credential is bound to.
 *
 * @throws TypeError or RangeError for an option that is not usable.
 * @see RFC 9449, section 4.2
 */
export async function proveHolder(options: ProofOptions): Promise<string> {
  const given = readOptions('proveHolder', options, ['key', 'method', 'url', 'token', 'clock'])
  const method = readText('proveHolder: method', given.method, 32)
  const target = targetOf(readText('proveHolder: url', given.url, 8192))
  if (target === undefined) throw new RangeError('proveHolder: url: expected an absolute URL')
  const token = readText('proveHolder: token', given.token, 16 * 1024)
  const { privateKey, publicKey } = given.key as HolderKeyPair
  const clock = (given.clock as Clock | undefined) ?? systemClock
  const jwk = await holderKeyOf(await exportJWK(publicKey))
  return new SignJWT({ jti: randomId(), htm: method, htu: target, ath: digestOf(token) })
    .setProtectedHeader({ typ: PROOF_TYPE, alg: algorithmsOf(jwk.crv)[0] ?? '', jwk: { ...jwk } })
    .setIssuedAt(Math.floor(clock.nowMs() / 1000))
    .sign(privateKey)
}

/** What the service knows of a request that should carry a proof. */
export interface ExpectedProof {
  readonly jwt: unknown
  readonly method: string
  readonly url: string
  readonly token: string
  /** Thumbprint of the key that the credential is bound to. */
  readonly jkt: string
  readonly nowMs: number
  readonly maxAgeMs: number
  readonly toleranceMs: number
}

/**
 * Checks a proof. Returns its id, which must not have been used before, and when it is too old anyway.
 *
 * @throws {@link CredentialInvalid} (ERR_CREDENTIAL_INVALID) with `proof_invalid`.
 * @see RFC 9449, section 4.3
 */
export async function checkProof(expected: ExpectedProof): Promise<{ jti: string; expiresAtMs: number }> {
  const header = readHeader(expected.jwt)
  if (header === undefined || !hasMembers(header, ['alg', 'jwk', 'typ']) || header['typ'] !== PROOF_TYPE)
    throw invalid('it is no proof')
  const payload = await openProof(expected, header)
  const claim = (name: string): unknown => (Object.hasOwn(payload, name) ? payload[name] : undefined)
  const jti = claim('jti')
  const iat = claim('iat')
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > 256) throw invalid('jti')
  if (claim('ath') !== digestOf(expected.token)) throw invalid('it is about another credential')
  if (claim('htm') !== expected.method) throw invalid('it is about another method')
  const htu = claim('htu')
  const target = targetOf(expected.url)
  if (typeof htu !== 'string' || target === undefined || targetOf(htu) !== target)
    throw invalid('it is about another URL')
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat)) throw invalid('iat')
  const expiresAtMs = iat * 1000 + expected.maxAgeMs + expected.toleranceMs
  if (iat * 1000 > expected.nowMs + expected.toleranceMs) throw invalid('it was made in the future')
  if (expiresAtMs <= expected.nowMs) throw invalid('it is too old')
  return { jti, expiresAtMs }
}

/** The payload of a proof that the right key signed. */
async function openProof(
  { jwt, jkt }: ExpectedProof,
  { alg, jwk }: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  let payload: unknown
  try {
    const holder = await holderKeyOf(jwk)
    if ((await calculateJwkThumbprint({ ...holder })) !== jkt) throw invalid('it was signed with another key')
    const algorithms = algorithmsOf(holder.crv)
    if (typeof alg !== 'string' || !algorithms.includes(alg)) throw invalid('it has another algorithm')
    const key = await importHolderKey(holder, alg)
    if (key === undefined) throw invalid('it has no key')
    payload = readPayload((await compactVerify(jwt as string, key, { algorithms: [...algorithms] })).payload)
  } catch (cause) {
    if (cause instanceof CredentialInvalid) throw cause
    throw new CredentialInvalid('proof_invalid', 'its signature does not hold', { cause })
  }
  if (!isPlainObject(payload)) throw invalid('it has no claims')
  return payload
}

function invalid(detail: string): CredentialInvalid {
  return new CredentialInvalid('proof_invalid', detail)
}

/** A URL without its query and fragment, in one spelling. @see RFC 9449, section 4.3, item 9 */
function targetOf(url: string): string | undefined {
  try {
    const { origin, pathname } = new URL(url)
    return origin === 'null' ? undefined : origin + pathname
  } catch {
    return undefined
  }
}

function digestOf(token: string): string {
  const hex = sha256Hex(token)
  return base64url.encode(Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)))
}

function randomId(): string {
  return base64url.encode(globalThis.crypto.getRandomValues(new Uint8Array(16)))
}
