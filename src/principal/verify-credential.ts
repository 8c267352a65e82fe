import { type CryptoKey, compactVerify } from 'jose'
import { CredentialInvalid, type CredentialRefusal } from '../core/credential-invalid.js'
import { answerWithin } from './answer-within.js'
import { CREDENTIAL_TYPE, type PrincipalClaims, readClaims } from './claims.js'
import { hasMembers, readHeader, readPayload } from './compact-jws.js'
import { findKey } from './key-set.js'
import { checkProof } from './proof.js'
import type { ReplayStore } from './replay-store.js'
import { type Expectations, parseExpectations, type VerifyCredentialOptions } from './verify-options.js'

/** Names of the one algorithm that is accepted. @see RFC 8037 and RFC 9864 */
const ALGORITHMS = ['EdDSA', 'Ed25519']

/**
 * Checks a credential and returns what it says, frozen.
 *
 * In this order: it is one, a key of the issuer signed it, issuer, audience, times, the tool, the proof of
 * its holder's key, its status, and that it was not used before. Whatever is not a clear yes refuses it,
 * also where a hook throws, does not answer in time or answers something else.
 *
 * @throws {@link CredentialInvalid} (ERR_CREDENTIAL_INVALID), whose `reason` says why it was refused.
 * @throws TypeError or RangeError for an option that is unknown, missing or not usable.
 * @example
 * const { sub, act } = await verifyCredential(token, { jwks, issuer, audience: 'billing', tool: 'refund', status })
 * @see RFC 8725
 */
export async function verifyCredential(
  token: unknown,
  options: VerifyCredentialOptions,
): Promise<PrincipalClaims> {
  const expected = parseExpectations(options)
  const claims = await openCredential(token, expected)
  if (claims.iss !== expected.issuer) throw refused('wrong_issuer', 'another issuer signed it')
  if (claims.aud !== expected.audience) throw refused('wrong_audience', 'it is meant for another service')
  checkTimes(claims, expected)
  if (expected.tool !== undefined && !claims.tools.includes(expected.tool))
    throw refused('tool_not_granted', 'its tools do not include the one that is asked for')
  const proof = await checkHolder(token as string, claims, expected)
  await askStatus(claims, expected)
  // Last, because what is refused for another reason has not been used.
  if (proof !== undefined)
    await claimOnce(proof.store, proof.key, proof.expiresAtMs, 'proof_replayed', expected)
  if (expected.replay !== undefined) {
    const key = `credential ${claims.iss} ${claims.jti}`
    const expiresAtMs = claims.exp * 1000 + expected.clockToleranceMs
    await claimOnce(expected.replay, key, expiresAtMs, 'replayed', expected)
  }
  // The hooks may have taken the rest of its time.
  checkTimes(claims, expected)
  return claims
}

/** What a key of the issuer signed. Nothing of the token is believed before. */
async function openCredential(token: unknown, expected: Expectations): Promise<PrincipalClaims> {
  const header = readHeader(token)
  if (header === undefined) throw refused('malformed', 'it is no compact token of at most 16 KiB')
  const { alg, kid } = header
  if (!hasMembers(header, ['alg', 'kid', 'typ']) || header['typ'] !== CREDENTIAL_TYPE)
    throw refused('malformed', 'its header is not that of a credential')
  if (typeof alg !== 'string' || !ALGORITHMS.includes(alg))
    throw refused('malformed', 'it is signed with another algorithm')
  if (typeof kid !== 'string') throw refused('malformed', 'its key has no name')
  const key = await keyOf(kid, expected)
  let payload: unknown
  try {
    payload = readPayload((await compactVerify(token as string, key, { algorithms: ALGORITHMS })).payload)
  } catch (cause) {
    throw refused('bad_signature', 'its signature does not hold', cause)
  }
  const claims = readClaims(payload)
  if (typeof claims === 'string') throw refused('malformed', `its ${claims} is missing or wrong`)
  return claims
}

async function keyOf(kid: string, { jwks, hookTimeoutMs, clock }: Expectations): Promise<CryptoKey> {
  let key: CryptoKey | undefined
  try {
    const set = typeof jwks === 'function' ? await answerWithin(jwks, hookTimeoutMs, clock) : jwks
    key = await findKey(set, kid)
  } catch (cause) {
    throw refused('keys_unavailable', 'the keys of the issuer could not be had', cause)
  }
  if (key === undefined) throw refused('unknown_key', 'the issuer has no such key')
  return key
}

function checkTimes({ iat, nbf, exp }: PrincipalClaims, expected: Expectations): void {
  const { clockToleranceMs, maxTtlMs, clock } = expected
  const nowMs = clock.nowMs()
  if (!(exp > iat && exp > nbf)) throw refused('malformed', 'it ends before it begins')
  if (!((exp - iat) * 1000 <= maxTtlMs)) throw refused('lifetime_too_long', 'it was issued for too long')
  if (!(Math.max(iat, nbf) * 1000 <= nowMs + clockToleranceMs))
    throw refused('not_yet_valid', 'its time has not begun')
  if (!(exp * 1000 > nowMs - clockToleranceMs)) throw refused('expired', 'its time is over')
}

interface CheckedProof {
  readonly store: ReplayStore
  readonly key: string
  readonly expiresAtMs: number
}

/** Whoever sent it holds the key that it is bound to. */
async function checkHolder(
  token: string,
  { cnf }: PrincipalClaims,
  { proof, requireProof, clock, clockToleranceMs }: Expectations,
): Promise<CheckedProof | undefined> {
  if (cnf === undefined) {
    if (requireProof) throw refused('proof_missing', 'it is bound to no key')
    if (proof?.jwt === undefined) return undefined
    throw refused('proof_invalid', 'it is bound to no key, and a proof came with it')
  }
  if (proof?.jwt === undefined)
    throw refused('proof_missing', 'it is bound to a key, and no proof came with it')
  const { jwt, method, url, maxAgeMs, replay } = proof
  const { jti, expiresAtMs } = await checkProof({
    jwt,
    method,
    url,
    token,
    jkt: cnf.jkt,
    nowMs: clock.nowMs(),
    maxAgeMs,
    toleranceMs: clockToleranceMs,
  })
  return { store: replay, key: `proof ${cnf.jkt} ${jti}`, expiresAtMs }
}

async function askStatus(claims: PrincipalClaims, expected: Expectations): Promise<void> {
  const { status, hookTimeoutMs, clock } = expected
  if (status === undefined) return
  let answer: unknown
  try {
    answer = await answerWithin((signal) => status(claims, signal), hookTimeoutMs, clock)
  } catch (cause) {
    throw refused('status_unavailable', 'its issuer did not say whether it is good', cause)
  }
  if (answer === false) throw refused('revoked', 'its issuer says that it is no longer good')
  if (answer !== true) throw refused('status_unavailable', 'the status hook answered neither true nor false')
}

async function claimOnce(
  store: ReplayStore,
  key: string,
  expiresAtMs: number,
  reason: 'replayed' | 'proof_replayed',
  { hookTimeoutMs, clock }: Expectations,
): Promise<void> {
  let answer: unknown
  try {
    answer = await answerWithin(() => store.claim(key, expiresAtMs), hookTimeoutMs, clock)
  } catch (cause) {
    throw refused('replay_unavailable', 'whether it was used before cannot be said', cause)
  }
  if (answer === false) throw refused(reason, 'it was used before')
  if (answer !== true) throw refused('replay_unavailable', 'the replay store answered neither true nor false')
}

function refused(reason: CredentialRefusal, detail: string, cause?: unknown): CredentialInvalid {
  return new CredentialInvalid(reason, detail, cause === undefined ? {} : { cause })
}
