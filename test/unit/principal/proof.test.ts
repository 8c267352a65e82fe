import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  generateHolderKey,
  type HolderKeyPair,
  memoryReplayStore,
  type PresentedProof,
  type PublicJwk,
  proveHolder,
} from 'writ/principal'
import { rejection } from '../../support/agents.js'
import {
  AUDIENCE,
  decode,
  issued,
  type PrincipalBench,
  principalBench,
  refusal,
} from '../../support/principals.js'

const URL = 'https://billing.example.com/refunds'

interface Bound extends PrincipalBench {
  readonly key: HolderKeyPair
  readonly publicJwk: PublicJwk
  readonly token: string
  readonly prove: (more?: object) => Promise<string>
  readonly present: (jwt: string | undefined, more?: Partial<PresentedProof>) => Promise<unknown>
}

/** A credential that is bound to a key, and a service that asks for proofs. */
async function bound(alg: 'EdDSA' | 'ES256' = 'EdDSA'): Promise<Bound> {
  const made = await principalBench()
  const pair = await generateKeyPair(alg)
  const publicJwk = (await exportJWK(pair.publicKey)) as PublicJwk
  const token = await made.agent
    .open('alice')
    .credential({ audience: AUDIENCE, ttlMs: 600_000, holderKey: publicJwk })
  const replay = memoryReplayStore({ clock: made.clock })
  const base = { method: 'POST', url: URL, replay }
  return {
    ...made,
    key: pair,
    publicJwk,
    token,
    prove: (more = {}) =>
      proveHolder({ key: pair, method: 'POST', url: URL, token, clock: made.clock, ...more }),
    present: (jwt, more = {}) => made.verify(token, { proof: { ...base, jwt, ...more } }),
  }
}

test.each(['EdDSA', 'ES256'] as const)('who proves an %s key is accepted', async (alg) => {
  const { prove, present } = await bound(alg)
  expect(await present(await prove())).toMatchObject({ sub: 'alice', cnf: { jkt: expect.any(String) } })
})

test('a key that was made here does as well', async () => {
  const made = await principalBench()
  const key = await generateHolderKey()
  const token = await made.agent
    .open('alice')
    .credential({ audience: AUDIENCE, ttlMs: 60_000, holderKey: key.publicJwk })
  const jwt = await proveHolder({ key, method: 'GET', url: URL, token, clock: made.clock })
  const proof = { jwt, method: 'GET', url: URL, replay: memoryReplayStore({ clock: made.clock }) }
  expect(await made.verify(token, { proof, requireProof: true })).toMatchObject({ sub: 'alice' })
  expect(JSON.stringify(key)).not.toContain('"d"')
  expect(await rejection(exportJWK(key.privateKey))).toBeInstanceOf(Error)
})

test('a bound credential without a proof is refused', async () => {
  const { verify, token, present } = await bound()
  expect(await refusal(verify(token))).toBe('proof_missing')
  expect(await refusal(present(undefined))).toBe('proof_missing')
})

test('a proof is good once, and the credential for every new one', async () => {
  const { prove, present } = await bound()
  const first = await prove()
  await present(first)
  expect(await refusal(present(first))).toBe('proof_replayed')
  expect(await present(await prove())).toMatchObject({ sub: 'alice' })
})

test('a proof is good for its method, its URL, its credential and its time', async () => {
  const made = await bound()
  const { prove, present, clock } = made
  const other = await made.agent
    .open('bob')
    .credential({ audience: AUDIENCE, ttlMs: 600_000, holderKey: made.publicJwk })
  const refused = [
    await prove({ method: 'GET' }),
    await prove({ method: 'post' }),
    await prove({ url: 'https://billing.example.com/' }),
    await prove({ url: 'http://billing.example.com/refunds' }),
    await prove({ url: 'https://billing.example.com:8443/refunds' }),
    await prove({ url: 'https://billing.example.com/refunds/' }),
    await prove({ token: other }),
  ]
  for (const jwt of refused) expect(await refusal(present(jwt))).toBe('proof_invalid')
  expect(await present(await prove({ url: `${URL}?order=1#top` }))).toMatchObject({ sub: 'alice' })
  expect(await present(await prove(), { url: 'https://BILLING.example.com:443/refunds?x' })).toBeDefined()

  const old = await prove()
  await clock.advance(59_999)
  const fresh = await prove()
  expect(await present(old)).toBeDefined()
  const older = await prove()
  await clock.advance(61_000)
  expect(await refusal(present(older))).toBe('proof_invalid')
  expect(await refusal(present(fresh))).toBe('proof_invalid')
  expect(await present(fresh, { maxAgeMs: 120_000 })).toBeDefined()
  const later = { ...clock, nowMs: () => clock.nowMs() + 5_000 }
  expect(await refusal(present(await prove({ clock: later })))).toBe('proof_invalid')
})

describe('a proof by somebody else', () => {
  test('with a key of their own', async () => {
    const { present, prove } = await bound()
    expect(await refusal(present(await prove({ key: await generateHolderKey() })))).toBe('proof_invalid')
  })

  test('that shows the right key and is signed with another', async () => {
    const { present, prove, publicJwk } = await bound()
    const good = decode(await prove())
    const thief = await generateKeyPair('EdDSA')
    const jwt = await new SignJWT(good.payload)
      .setProtectedHeader({ ...good.header, jwk: publicJwk } as never)
      .sign(thief.privateKey)
    expect(await refusal(present(jwt))).toBe('proof_invalid')
  })

  test('that is a MAC with the public key', async () => {
    const { present, prove, publicJwk } = await bound()
    const good = decode(await prove())
    const jwt = await new SignJWT(good.payload)
      .setProtectedHeader({ ...good.header, alg: 'HS512' } as never)
      .sign(Buffer.from((publicJwk.x as string).padEnd(64)))
    expect(await refusal(present(jwt))).toBe('proof_invalid')
  })
})

test.each<[string, (key: HolderKeyPair, good: ReturnType<typeof decode>) => Promise<unknown>]>([
  ['another type', (key, g) => signed(key, g, { typ: 'JWT' })],
  ['a critical extension', (key, g) => signed(key, g, { crit: ['b64'], b64: true })],
  ['a private key in it', (key, g) => signed(key, g, { jwk: { ...(g.header['jwk'] as object), d: 'x' } })],
  ['no key', (key, g) => signed(key, g, { jwk: undefined })],
  ['no id', (key, g) => signed(key, g, {}, { jti: undefined })],
  ['an empty id', (key, g) => signed(key, g, {}, { jti: '' })],
  ['a long id', (key, g) => signed(key, g, {}, { jti: 'x'.repeat(257) })],
  ['no time', (key, g) => signed(key, g, {}, { iat: undefined })],
  ['no credential', (key, g) => signed(key, g, {}, { ath: undefined })],
  ['no method', (key, g) => signed(key, g, {}, { htm: undefined })],
  ['no URL', (key, g) => signed(key, g, {}, { htu: undefined })],
  ['a URL that is none', (key, g) => signed(key, g, {}, { htu: '/refunds' })],
  ['nothing in it', async () => ''],
  ['no text', async () => ({})],
  ['two of them', async (_, g) => [g, g]],
])('a proof with %s is none', async (_, make) => {
  const { key, prove, present } = await bound()
  const jwt = await make(key, decode(await prove()))
  expect(await refusal(present(jwt as string))).toBe('proof_invalid')
})

function signed(
  key: HolderKeyPair,
  good: ReturnType<typeof decode>,
  header: object,
  payload: object = {},
): Promise<string> {
  return new SignJWT({ ...good.payload, ...payload })
    .setProtectedHeader({ ...good.header, ...header } as never)
    .sign(key.privateKey)
}

test('a proof that was changed in any one character is none', async () => {
  const { prove, present } = await bound()
  const jwt = await prove()
  for (let index = 0; index < jwt.length; index += 3) {
    const old = jwt[index] as string
    const changed = old === 'A' ? 'B' : 'A'
    expect(await refusal(present(jwt.slice(0, index) + changed + jwt.slice(index + 1)))).toBe('proof_invalid')
  }
  expect(await present(jwt)).toMatchObject({ sub: 'alice' })
})

test('a service can refuse what is bound to no key, and a proof does not make up for it', async () => {
  const made = await principalBench()
  const { token } = await issued(made)
  const key = await generateHolderKey()
  const jwt = await proveHolder({ key, method: 'POST', url: URL, token, clock: made.clock })
  const proof = { jwt, method: 'POST', url: URL, replay: memoryReplayStore() }
  expect(await refusal(made.verify(token, { requireProof: true }))).toBe('proof_missing')
  expect(await refusal(made.verify(token, { requireProof: true, proof }))).toBe('proof_missing')
  expect(await refusal(made.verify(token, { proof }))).toBe('proof_invalid')
  expect(await made.verify(token, { proof: { ...proof, jwt: undefined } })).toMatchObject({ sub: 'alice' })
})

test.each<[string, object]>([
  ['no method', { method: '' }],
  ['no URL', { url: 'refunds' }],
  ['no origin', { url: 'data:text/plain,x' }],
  ['no credential', { token: '' }],
  ['an unknown option', { nonce: 'x' }],
])('with %s no proof is made', async (_, more) => {
  const { prove } = await bound()
  expect(await rejection(prove(more))).toMatchObject({ name: expect.stringMatching(/^(Type|Range)Error$/) })
})
