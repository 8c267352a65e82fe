import { type Clock, systemClock } from '../core/clock.js'
import { describe } from '../core/describe.js'
import { isPlainObject, readCount, readFunction, readOptions, readText } from '../core/guards.js'
import type { PrincipalClaims } from './claims.js'
import { readTtl } from './issuer.js'
import type { PublicKeySet } from './key-set.js'
import type { ReplayStore } from './replay-store.js'

/**
 * Asks the issuer whether a credential is still good. Only `true` accepts it. The signal aborts when the
 * answer no longer matters.
 */
export type StatusHook = (claims: PrincipalClaims, signal: AbortSignal) => boolean | Promise<boolean>

/** What came with a request beside its credential. */
export interface PresentedProof {
  /** The proof itself: the value of the header that carried it. `undefined` where there was none. */
  readonly jwt: string | undefined
  /** The method of the request. */
  readonly method: string
  /** The URL of the request as its sender sees it; query and fragment do not count. */
  readonly url: string
  /** Remembers which proofs were used. */
  readonly replay: ReplayStore
  /** Milliseconds after which a proof is too old; 60,000 when absent, at most 600,000. */
  readonly maxAgeMs?: number
}

/** What a service expects of a credential. */
export interface VerifyCredentialOptions {
  /** The issuer's public keys, or a function that gets them: it is asked for each credential. */
  readonly jwks: PublicKeySet | ((signal: AbortSignal) => PublicKeySet | Promise<PublicKeySet>)
  /** The issuer that is trusted. */
  readonly issuer: string
  /** The name of this service. */
  readonly audience: string
  /** The tool that is asked for; it has to be among those that the credential names. */
  readonly tool?: string
  /** Milliseconds that the clocks may differ; 0 when absent, at most 60,000. */
  readonly clockToleranceMs?: number
  /** Longest life that is accepted, `exp` − `iat`, in milliseconds; 900,000 when absent. */
  readonly maxTtlMs?: number
  /** Makes every credential good for one use. Without it, it is good until it expires. */
  readonly replay?: ReplayStore
  /** Asks whether it was revoked. Without it, what was killed is good until it expires. */
  readonly status?: StatusHook
  /** What came with the request, for credentials that are bound to a key. */
  readonly proof?: PresentedProof
  /** Refuses credentials that are bound to no key. */
  readonly requireProof?: boolean
  /** Milliseconds that `jwks`, `status` and a replay store may each take; 2,000 when absent. */
  readonly hookTimeoutMs?: number
  /** Where time comes from; for tests. */
  readonly clock?: Clock
}

/** The options, each read once. */
export interface Expectations extends Omit<VerifyCredentialOptions, 'proof'> {
  readonly clockToleranceMs: number
  readonly maxTtlMs: number
  readonly hookTimeoutMs: number
  readonly requireProof: boolean
  readonly proof: (PresentedProof & { readonly maxAgeMs: number }) | undefined
  readonly clock: Clock
}

const OPTIONS = [
  'jwks',
  'issuer',
  'audience',
  'tool',
  'clockToleranceMs',
  'maxTtlMs',
  'replay',
  'status',
  'proof',
  'requireProof',
  'hookTimeoutMs',
  'clock',
] as const satisfies readonly (keyof VerifyCredentialOptions)[]

/** @throws TypeError or RangeError for an option that is unknown, missing or not usable, saying which. */
export function parseExpectations(options: unknown): Expectations {
  const label = 'verifyCredential'
  const given = readOptions(label, options, OPTIONS)
  const count = (name: keyof typeof given, absent: number, max: number): number =>
    given[name] === undefined ? absent : readCount(`${label}: ${name}`, given[name], max)
  const { jwks, requireProof } = given
  if (typeof jwks !== 'function' && !(isPlainObject(jwks) && Array.isArray(jwks['keys'])))
    throw new TypeError(`${label}: jwks: expected { keys: [ … ] } or a function, got ${describe(jwks)}`)
  if (requireProof !== undefined && typeof requireProof !== 'boolean')
    throw new TypeError(`${label}: requireProof: expected a boolean, got ${describe(requireProof)}`)
  return {
    jwks: jwks as Expectations['jwks'],
    issuer: readText(`${label}: issuer`, given.issuer, 256),
    audience: readText(`${label}: audience`, given.audience, 256),
    ...(given.tool === undefined ? {} : { tool: readText(`${label}: tool`, given.tool, 128) }),
    clockToleranceMs: count('clockToleranceMs', 0, 60_000),
    maxTtlMs: readTtl(`${label}: maxTtlMs`, given.maxTtlMs),
    ...(given.replay === undefined ? {} : { replay: readStore(`${label}: replay`, given.replay) }),
    ...(given.status === undefined
      ? {}
      : { status: readFunction<StatusHook>(`${label}: status`, given.status) }),
    requireProof: requireProof === true,
    hookTimeoutMs: count('hookTimeoutMs', 2000, 60_000),
    proof: given.proof === undefined ? undefined : readProof(`${label}: proof`, given.proof),
    clock: (given.clock as Clock | undefined) ?? systemClock,
  }
}

function readProof(label: string, value: unknown): PresentedProof & { readonly maxAgeMs: number } {
  const { jwt, method, url, replay, maxAgeMs } = readOptions(label, value, [
    'jwt',
    'method',
    'url',
    'replay',
    'maxAgeMs',
  ])
  return {
    // What a client sent is judged with the credential, not a misuse of this function.
    jwt: jwt as string | undefined,
    method: readText(`${label}.method`, method, 32),
    url: readText(`${label}.url`, url, 8192),
    replay: readStore(`${label}.replay`, replay),
    maxAgeMs: maxAgeMs === undefined ? 60_000 : readCount(`${label}.maxAgeMs`, maxAgeMs, 600_000),
  }
}

function readStore(label: string, value: unknown): ReplayStore {
  if (typeof (value as Partial<ReplayStore> | null | undefined)?.claim !== 'function')
    throw new TypeError(`${label}: expected a ReplayStore with a function claim, got ${describe(value)}`)
  return value as ReplayStore
}
