import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { WritError } from 'writ'
import {
  CredentialInvalid,
  credentialIssuer,
  generateIssuerKey,
  memoryReplayStore,
  type ReplayStore,
  type StatusHook,
  verifyCredential,
} from 'writ/principal'
import { fakeClock } from 'writ/testing'
import { rejection } from '../../support/agents.js'
import {
  AUDIENCE,
  forger,
  ISSUER,
  issued,
  principalBench,
  refusal,
  verifierOf,
} from '../../support/principals.js'
import { GatedSink, gate, turn } from '../../support/tools.js'

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

test('a good one says what it says, frozen to the bottom', async () => {
  const made = await principalBench()
  const { s, token } = await issued(made)
  const claims = await made.verify(token, { tool: 'refund' })
  expect(claims).toMatchObject({
    iss: ISSUER,
    sub: 'alice',
    aud: AUDIENCE,
    client_id: 'test-bot/v1',
    sid: s.id,
    act: { sub: s.principal },
    tools: ['refund', 'lookup', 'close'],
  })
  expect(claims.cnf).toBeUndefined()
  for (const value of [claims, claims.act, claims.tools]) expect(Object.isFrozen(value)).toBe(true)
})

test('what refuses it is an error of Writ with a code and a reason, and does not repeat the token', async () => {
  const made = await principalBench()
  const { token } = await issued(made)
  const error = await rejection(made.verify(token, { audience: 'other' }))
  expect(error).toBeInstanceOf(CredentialInvalid)
  expect(WritError.isInstance(error)).toBe(true)
  expect(error).toMatchObject({
    name: 'CredentialInvalid',
    code: 'ERR_CREDENTIAL_INVALID',
    reason: 'wrong_audience',
  })
  for (const part of token.split('.')) expect(String(error)).not.toContain(part)
  expect(String(error)).not.toContain('alice')
})

describe('a token that was tampered with', () => {
  test('in any one character, in any of its parts', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const jwks = made.issuer.jwks()
    const reasons = new Map<string, number>()
    for (let index = 0; index < token.length; index++) {
      const old = token[index] as string
      // The neighbour differs in the last bit alone: where that bit is spare, the bytes would be the same.
      const changed = old === '.' ? 'A' : (BASE64URL[BASE64URL.indexOf(old) ^ 1] as string)
      const reason = await refusal(
        made.verify(token.slice(0, index) + changed + token.slice(index + 1), { jwks }),
      )
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    expect([...reasons.keys()].sort()).toEqual(['bad_signature', 'malformed', 'unknown_key'])
    // It was the tampering: the token itself is good.
    expect(await made.verify(token)).toMatchObject({ sub: 'alice' })
  })

  test('in the spare bits of its last character', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const last = BASE64URL.indexOf(token.at(-1) as string)
    expect(last % 16).toBe(0)
    for (let spare = 1; spare < 16; spare++) {
      const twin = token.slice(0, -1) + (BASE64URL[last + spare] as string)
      expect(Buffer.from(twin.split('.')[2] as string, 'base64url')).toEqual(
        Buffer.from(token.split('.')[2] as string, 'base64url'),
      )
      expect(await refusal(made.verify(twin))).toBe('malformed')
    }
  })

  test('so that its tools are more', async () => {
    const made = await principalBench()
    const s = made.agent.open('alice', { tools: ['lookup'] })
    const [header, payload, signature] = (await s.credential({ audience: AUDIENCE, ttlMs: 60_000 })).split(
      '.',
    )
    const claims = JSON.parse(Buffer.from(payload as string, 'base64url').toString())
    claims.tools.push('refund')
    const widened = Buffer.from(JSON.stringify(claims)).toString('base64url')
    expect(await refusal(made.verify(`${header}.${widened}.${signature}`, { tool: 'refund' }))).toBe(
      'bad_signature',
    )
    expect(await refusal(made.verify(`${header}.${payload}.${signature}`, { tool: 'refund' }))).toBe(
      'tool_not_granted',
    )
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 1],
    ['an object', {}],
    ['a String object', new String('a.b.c')],
    ['an empty text', ''],
    ['dots', '..'],
    ['two parts', 'a.b'],
    ['an unsecured token', `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
  ])('%s is none', async (_, token) => {
    const made = await principalBench()
    expect(await refusal(made.verify(token))).toBe('malformed')
  })

  test('by what surrounds it', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    for (const other of [
      ` ${token}`,
      `${token}\n`,
      `${token}=`,
      `Bearer ${token}`,
      token.replace('.', '..'),
    ]) {
      expect(await refusal(made.verify(other))).toBe('malformed')
    }
  })

  test('by its length', async () => {
    const { sign, payload, verify } = await forger()
    const filler = (length: number) => ({ ...payload, filler: 'x'.repeat(length) })
    const fits = await sign(filler(11_000))
    expect(fits.length).toBeLessThanOrEqual(16 * 1024)
    expect(await verify(fits)).toMatchObject({ sub: 'alice' })
    expect(await refusal(verify(await sign(filler(12_000))))).toBe('malformed')
  })
})

describe('a header', () => {
  test('of another algorithm', async () => {
    const made = await principalBench()
    const [jwk] = made.issuer.jwks().keys
    const { payload } = await forger()
    const header = { typ: 'writ-principal+jwt', kid: jwk?.kid as string }
    const secrets = [jwk?.x as string, JSON.stringify(jwk), jwk?.kid as string]
    for (const secret of secrets) {
      for (const alg of ['HS256', 'HS512']) {
        const key = Buffer.from(secret.padEnd(64, '='))
        const token = await new SignJWT(payload).setProtectedHeader({ ...header, alg }).sign(key)
        expect(await refusal(made.verify(token))).toBe('malformed')
      }
    }
    const { token } = await issued(made)
    const [, body, signature] = token.split('.')
    for (const alg of ['none', 'NONE', 'nOnE', '', 'HS256', 'ES256', 'RS256', 'eddsa', 1, null, ['EdDSA']]) {
      const forged = Buffer.from(JSON.stringify({ ...header, alg })).toString('base64url')
      expect(await refusal(made.verify(`${forged}.${body}.${signature}`))).toBe('malformed')
    }
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['with a critical extension', { crit: ['exp'], exp: 1 }, 'malformed'],
    ['with its own key', { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' } }, 'malformed'],
    ['with the address of a key', { jku: 'https://evil.example' }, 'malformed'],
    ['with a certificate', { x5u: 'https://evil.example' }, 'malformed'],
    ['with a certificate in it', { x5c: ['AA'] }, 'malformed'],
    ['with a type of content', { cty: 'JWT' }, 'malformed'],
    ['of another type', { typ: 'JWT' }, 'malformed'],
    ['of the type of an access token', { typ: 'at+jwt' }, 'malformed'],
    ['without a type', { typ: undefined }, 'malformed'],
    ['without a key', { kid: undefined }, 'malformed'],
    ['with the name of an unknown key', { kid: 'other' }, 'unknown_key'],
    ['with a path for a key', { kid: '../../etc/passwd' }, 'unknown_key'],
  ])('%s', async (_, header, reason) => {
    const { sign, payload, verify } = await forger()
    let token: string
    try {
      token = await sign(payload, header)
    } catch {
      // jose does not sign it: put it in front of a signature that was made without it.
      const [head, ...rest] = (await sign(payload)).split('.')
      const merged = { ...JSON.parse(Buffer.from(head as string, 'base64url').toString()), ...header }
      token = [Buffer.from(JSON.stringify(merged)).toString('base64url'), ...rest].join('.')
    }
    expect(await refusal(verify(token))).toBe(reason)
  })

  test('of another issuer with a key of the same name', async () => {
    const made = await principalBench()
    const other = await principalBench()
    const { token } = await issued(other)
    const [mine] = made.issuer.jwks().keys
    const [theirs] = other.issuer.jwks().keys
    const confused = { keys: [{ ...mine, kid: theirs?.kid as string, kty: 'OKP' }] }
    expect(await refusal(made.verify(token))).toBe('unknown_key')
    expect(await refusal(made.verify(token, { jwks: confused }))).toBe('bad_signature')
  })

  test('with the other name of the algorithm is good', async () => {
    const { sign, payload, verify } = await forger()
    expect(await verify(await sign(payload, { alg: 'Ed25519' }))).toMatchObject({ sub: 'alice' })
  })
})

describe('claims', () => {
  test.each(['iss', 'sub', 'aud', 'jti', 'client_id', 'sid', 'act', 'tools', 'iat', 'nbf', 'exp'])(
    'without %s',
    async (name) => {
      const { sign, payload, verify } = await forger()
      const { [name]: _, ...rest } = payload
      expect(await refusal(verify(await sign(rest)))).toBe('malformed')
    },
  )

  const nested = (levels: number, inner: object): object =>
    levels === 0 ? inner : { sub: 'agent@1', act: nested(levels - 1, inner) }

  test.each<[string, Record<string, unknown>, string]>([
    ['an empty user', { sub: '' }, 'malformed'],
    ['a user that is no text', { sub: ['alice'] }, 'malformed'],
    ['an id that is a number', { jti: 1 }, 'malformed'],
    ['a time that is a text', { exp: '9999999999' }, 'malformed'],
    ['a time with a fraction', { iat: 1.5 }, 'malformed'],
    ['a negative time', { nbf: -1 }, 'malformed'],
    ['a time beyond what is exact', { exp: 2 ** 60 }, 'malformed'],
    ['no actor', { act: {} }, 'malformed'],
    ['an actor that is a text', { act: 'agent@1' }, 'malformed'],
    ['an actor that is another session', { act: { sub: 'other-bot/v1@01J' } }, 'malformed'],
    ['an outer actor without a name', { act: { sub: 'S', act: {} } }, 'malformed'],
    ['a chain without an end', { act: { sub: 'S', act: nested(64, { sub: 'x@1' }) } }, 'malformed'],
    ['a tool that is a number', { tools: [1] }, 'malformed'],
    ['tools that are a text', { tools: 'refund' }, 'malformed'],
    ['tools that are an object', { tools: { length: 1, 0: 'refund' } }, 'malformed'],
    ['a confirmation that nobody can check', { cnf: { jwk: {} } }, 'malformed'],
    ['an empty confirmation', { cnf: {} }, 'malformed'],
    ['a confirmation that is null', { cnf: null }, 'malformed'],
    ['two confirmations', { cnf: { jkt: 'x'.repeat(43), kid: 'k' } }, 'malformed'],
    ['a short thumbprint', { cnf: { jkt: 'x' } }, 'malformed'],
    ['another issuer', { iss: 'https://evil.example' }, 'wrong_issuer'],
    ['an issuer with a slash more', { iss: `${ISSUER}/` }, 'wrong_issuer'],
    ['another service', { aud: 'https://shop.example.com' }, 'wrong_audience'],
    ['several services', { aud: [AUDIENCE, 'https://shop.example.com'] }, 'malformed'],
  ])('with %s', async (_, changed, reason) => {
    const { sign, payload, verify } = await forger()
    const own = (payload['act'] as { sub: string }).sub
    const fixed = JSON.parse(
      JSON.stringify({ ...payload, ...changed }).replace('"sub":"S"', `"sub":"${own}"`),
    )
    expect(await refusal(verify(await sign(fixed)))).toBe(reason)
  })

  test.each(['', 'null', '[]', '"x"', '1', '{', '\u0000'])('that are %j', async (text) => {
    const { signBytes, verify } = await forger()
    expect(await refusal(verify(await signBytes(text)))).toBe('malformed')
  })

  test('that every object was made to have', async () => {
    const { sign, payload, verify } = await forger()
    const { exp, ...rest } = payload
    const token = await sign(rest)
    Object.defineProperty(Object.prototype, 'exp', { value: exp, configurable: true })
    const found = refusal(verify(token))
    await found.finally(() => Reflect.deleteProperty(Object.prototype, 'exp'))
    expect(await found).toBe('malformed')
  })

  test('issued for longer than is accepted', async () => {
    const { sign, payload, verify } = await forger()
    const iat = payload['iat'] as number
    expect(await verify(await sign({ ...payload, exp: iat + 900 }))).toMatchObject({ sub: 'alice' })
    expect(await refusal(verify(await sign({ ...payload, exp: iat + 901 })))).toBe('lifetime_too_long')
    const short = await sign({ ...payload, exp: iat + 31 })
    expect(await refusal(verify(short, { maxTtlMs: 30_000 }))).toBe('lifetime_too_long')
  })

  test('that end before they begin', async () => {
    const { sign, payload, verify } = await forger()
    const { iat } = payload as { iat: number }
    expect(await refusal(verify(await sign({ ...payload, exp: iat })))).toBe('malformed')
    expect(await refusal(verify(await sign({ ...payload, nbf: iat + 60 })))).toBe('malformed')
  })
})

describe('time', () => {
  test('a credential is good until the second that it names, and not in it', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    await made.clock.advance(59_999)
    expect(await made.verify(token)).toMatchObject({ sub: 'alice' })
    await made.clock.advance(1)
    expect(await refusal(made.verify(token))).toBe('expired')
    expect(await made.verify(token, { clockToleranceMs: 1 })).toMatchObject({ sub: 'alice' })
    await made.clock.advance(5_000)
    expect(await refusal(made.verify(token, { clockToleranceMs: 5_000 }))).toBe('expired')
  })

  test('and not before its time', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const early = fakeClock(made.clock.nowMs() - 2_000)
    expect(await refusal(made.verify(token, { clock: early }))).toBe('not_yet_valid')
    expect(await refusal(made.verify(token, { clock: early, clockToleranceMs: 1_999 }))).toBe('not_yet_valid')
    expect(await made.verify(token, { clock: early, clockToleranceMs: 2_000 })).toMatchObject({
      sub: 'alice',
    })
    const { sign, payload, verify } = await forger()
    const later = await sign({ ...payload, nbf: (payload['nbf'] as number) + 10 })
    expect(await refusal(verify(later))).toBe('not_yet_valid')
  })

  test('that its checks take counts', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const status: StatusHook = () => {
      made.clock.block(60_000)
      return true
    }
    expect(await refusal(made.verify(token, { status }))).toBe('expired')
  })
})

describe('keys', () => {
  test('are asked for each time, so that one that is withdrawn is not trusted', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    let keys = made.issuer.jwks()
    const jwks = () => keys
    expect(await made.verify(token, { jwks })).toMatchObject({ sub: 'alice' })
    keys = { keys: [] }
    expect(await refusal(made.verify(token, { jwks }))).toBe('unknown_key')
  })

  test.each<[string, (key: Record<string, unknown>) => unknown[], string]>([
    ['two of one name', (key) => [key, key], 'unknown_key'],
    ['a private one', (key) => [{ ...key, d: 'x' }], 'unknown_key'],
    ['another curve', (key) => [{ ...key, crv: 'X25519' }], 'unknown_key'],
    ['another kind', (key) => [{ ...key, kty: 'oct', k: key['x'] }], 'unknown_key'],
    ['another use', (key) => [{ ...key, use: 'enc' }], 'unknown_key'],
    ['another algorithm', (key) => [{ ...key, alg: 'HS256' }], 'unknown_key'],
    ['no point', (key) => [{ ...key, x: undefined }], 'unknown_key'],
    ['more than anybody has', (key) => Array.from({ length: 101 }, () => key), 'keys_unavailable'],
  ])('%s', async (_, change, reason) => {
    const made = await principalBench()
    const { token } = await issued(made)
    const keys = change({ ...made.issuer.jwks().keys[0] })
    expect(await refusal(made.verify(token, { jwks: { keys } as never }))).toBe(reason)
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('no network')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('no network'))],
    ['answers nothing', () => undefined],
    ['answers no keys', () => ({ keys: 1 })],
  ])('from a function that %s', async (_, jwks) => {
    const made = await principalBench()
    const { token } = await issued(made)
    expect(await refusal(made.verify(token, { jwks: jwks as never }))).toBe('keys_unavailable')
  })

  test('from a function that does not answer', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const pending = refusal(made.verify(token, { jwks: () => new Promise(() => undefined) }))
    await made.clock.advance(2_000)
    expect(await pending).toBe('keys_unavailable')
  })
})

describe('status', () => {
  const statusOf =
    (made: { issuer: { isActive(jti: string): boolean } }): StatusHook =>
    ({ jti }) =>
      made.issuer.isActive(jti)

  test('a session that was killed, closed or cancelled takes its credentials with it', async () => {
    const made = await principalBench({}, { wallMs: 3_600_000, toolCalls: 1, depth: 2 })
    const status = statusOf(made)
    const killed = await issued(made)
    expect(await made.verify(killed.token, { status })).toMatchObject({ sub: 'alice' })
    await killed.s.callTool('refund', {})
    expect(await made.verify(killed.token, { status })).toMatchObject({ sub: 'alice' })
    await rejection(killed.s.callTool('refund', {}))
    expect(await refusal(made.verify(killed.token, { status }))).toBe('revoked')

    const closed = await issued(made)
    await closed.s.close()
    expect(await refusal(made.verify(closed.token, { status }))).toBe('revoked')

    const caller = new AbortController()
    const cancelled = made.agent.open('alice', { signal: caller.signal })
    const token = await cancelled.credential({ audience: AUDIENCE, ttlMs: 60_000 })
    expect(await made.verify(token, { status })).toMatchObject({ sub: 'alice' })
    caller.abort()
    expect(await refusal(made.verify(token, { status }))).toBe('revoked')
  })

  test('so does one that it is nested in, and the end of its agent', async () => {
    const made = await principalBench({}, { toolCalls: 0, depth: 2 })
    const found: string[] = []
    await rejection(
      made.agent.session('alice', (outer) =>
        made.agent.session('alice', async (inner) => {
          const token = await inner.credential({ audience: AUDIENCE, ttlMs: 60_000 })
          await made.verify(token, { status: statusOf(made) })
          await rejection(outer.callTool('refund', {}))
          found.push(await refusal(made.verify(token, { status: statusOf(made) })))
        }),
      ),
    )
    expect(found).toEqual(['revoked'])
    const { token } = await issued(made)
    await made.agent.close()
    expect(await refusal(made.verify(token, { status: statusOf(made) }))).toBe('revoked')
  })

  test('a deadline that passed while the event loop was blocked, and a wall clock that was set back', async () => {
    const clock = fakeClock()
    const startMs = clock.nowMs()
    const made = await principalBench({ clock: { ...clock, nowMs: () => startMs } }, { wallMs: 10_000 })
    const s = made.agent.open('alice')
    const token = await s.credential({ audience: AUDIENCE, ttlMs: 60_000 })
    const { jti } = await made.verify(token)
    expect(made.issuer.isActive(jti)).toBe(true)
    clock.block(10_000)
    expect(made.issuer.isActive(jti)).toBe(false)
    expect(s.state).not.toBe('open')
  })

  test('a log that has failed, before the session has noticed', async () => {
    const sink = new GatedSink()
    const made = await principalBench({ audit: sink })
    const { s, token } = await issued(made)
    expect(await made.verify(token, { status: statusOf(made) })).toMatchObject({ sub: 'alice' })
    sink.fail(new RangeError('disk full'))
    await rejection(made.agent.open('bob').callTool('refund', {}))
    expect(s.state).toBe('open')
    expect(await refusal(made.verify(token, { status: statusOf(made) }))).toBe('revoked')
  })

  test('a session is not kept in memory by its credentials', async () => {
    const made = await principalBench()
    let ended: WeakRef<object> | undefined
    const jti = await (async () => {
      const { s, token } = await issued(made)
      ended = new WeakRef(s)
      await s.close()
      return (await made.verify(token)).jti
    })()
    for (let round = 0; round < 20 && ended?.deref() !== undefined; round++) {
      await turn()
      ;(globalThis as { gc?: () => void }).gc?.()
    }
    expect(ended?.deref()).toBeUndefined()
    expect(made.issuer.isActive(jti)).toBe(false)
  })

  test('what has ended makes room, and what lives stays', async () => {
    const made = await principalBench()
    const options = { audience: AUDIENCE, ttlMs: 60_000 }
    const living = made.agent.open('alice')
    const tokens = [await living.credential(options)]
    const gone = made.agent.open('bob')
    for (let count = 0; count < 300; count++) await gone.credential(options)
    await gone.close()
    for (let count = 0; count < 600; count++) tokens.push(await living.credential(options))
    for (const token of tokens) {
      expect(await made.verify(token, { status: statusOf(made) })).toMatchObject({ sub: 'alice' })
    }
    expect(made.issuer.revoke(gone.id)).toBe(0)
    expect(made.issuer.revoke(living.id)).toBe(601)
  })

  test('one can be revoked by its id, and all of a session by the session', async () => {
    const made = await principalBench()
    const first = await issued(made)
    const options = { audience: AUDIENCE, ttlMs: 60_000 }
    const tokens = [first.token, await first.s.credential(options), await first.s.credential(options)]
    const other = await issued(made)
    const ids = await Promise.all(tokens.map(async (token) => (await made.verify(token)).jti))
    expect(made.issuer.revoke(ids[0] as string)).toBe(1)
    expect(ids.map((id) => made.issuer.isActive(id))).toEqual([false, true, true])
    expect(made.issuer.revoke(first.s.id)).toBe(2)
    expect(ids.map((id) => made.issuer.isActive(id))).toEqual([false, false, false])
    expect(made.issuer.revoke('unknown')).toBe(0)
    expect(await made.verify(other.token, { status: statusOf(made) })).toMatchObject({ sub: 'alice' })
    // What is asked for later is new.
    expect(await made.verify(await first.s.credential(options), { status: statusOf(made) })).toBeDefined()
  })

  test('what this issuer has not issued is not active, and so after a restart', async () => {
    const key = await generateIssuerKey()
    const before = credentialIssuer({ key, issuer: ISSUER })
    const after = credentialIssuer({ key, issuer: ISSUER })
    const made = await principalBench({ credentials: before })
    const { token } = await issued(made)
    const status = (issuer: typeof before) =>
      verifierOf(issuer, made.clock)(token, { status: statusOf({ issuer }) })
    expect(await status(before)).toMatchObject({ sub: 'alice' })
    expect(await refusal(status(after))).toBe('revoked')
  })

  test('an expired one is not active', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const { jti } = await made.verify(token)
    await made.clock.advance(60_000)
    expect(made.issuer.isActive(jti)).toBe(false)
  })

  test.each<[string, unknown, string]>([
    ['false', () => false, 'revoked'],
    ['a promise of false', async () => false, 'revoked'],
    ['nothing', () => undefined, 'status_unavailable'],
    ['a text', () => 'true', 'status_unavailable'],
    ['one', () => 1, 'status_unavailable'],
    ['an object', () => ({ active: true }), 'status_unavailable'],
    ['a Boolean object', () => new Boolean(true), 'status_unavailable'],
    [
      'a throw',
      () => {
        throw new TypeError('down')
      },
      'status_unavailable',
    ],
    ['a rejection', () => Promise.reject(new TypeError('down')), 'status_unavailable'],
    ['a rejection with nothing', () => Promise.reject(undefined), 'status_unavailable'],
  ])('a hook that answers with %s refuses', async (_, status, reason) => {
    const made = await principalBench()
    const { token } = await issued(made)
    expect(await refusal(made.verify(token, { status: status as StatusHook }))).toBe(reason)
  })

  test('a hook that does not answer in time refuses, is told, and is not believed later', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const late = gate<boolean>()
    let told: AbortSignal | undefined
    const status: StatusHook = (_, signal) => {
      told = signal
      return late.promise
    }
    const pending = refusal(made.verify(token, { status, hookTimeoutMs: 100 }))
    while (made.clock.timers < 2) await turn()
    await made.clock.advance(99)
    expect(told?.aborted).toBe(false)
    await made.clock.advance(1)
    expect(await pending).toBe('status_unavailable')
    expect(told?.aborted).toBe(true)
    late.fail(new TypeError('nobody waits'))
    await turn()
  })

  test('a hook is asked about what was signed, and not about anything else', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const asked: unknown[] = []
    const status: StatusHook = (claims) => asked.push(claims) > 0
    const at = token.lastIndexOf('.') + 1
    const forged = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
    await rejection(made.verify(forged, { status }))
    await rejection(made.verify(token, { status, audience: 'other' }))
    expect(asked).toEqual([])
    expect(await made.verify(token, { status })).toBe(asked[0])
  })
})

describe('replay', () => {
  test('a credential is good once, however many ask at a time', async () => {
    const made = await principalBench()
    const replay = memoryReplayStore({ clock: made.clock })
    const { token } = await issued(made)
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => made.verify(token, { replay })))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await refusal(made.verify(token, { replay }))).toBe('replayed')
    const other = await issued(made)
    expect(await made.verify(other.token, { replay })).toMatchObject({ sub: 'alice' })
  })

  test('what is refused for another reason has not been used', async () => {
    const made = await principalBench()
    const replay = memoryReplayStore({ clock: made.clock })
    const { token } = await issued(made)
    expect(await refusal(made.verify(token, { replay, tool: 'none' }))).toBe('tool_not_granted')
    expect(await refusal(made.verify(token, { replay, audience: 'other' }))).toBe('wrong_audience')
    expect(await refusal(made.verify(token, { replay, status: () => false }))).toBe('revoked')
    expect(await made.verify(token, { replay })).toMatchObject({ sub: 'alice' })
  })

  test('it is remembered as long as the credential is accepted, the tolerance included', async () => {
    const made = await principalBench()
    const replay = memoryReplayStore({ clock: made.clock, maxEntries: 2 })
    const { token } = await issued(made)
    const options = { replay, clockToleranceMs: 10_000 }
    await made.verify(token, options)
    await made.clock.advance(69_999)
    // Two more make the store look for what has expired.
    replay.claim('x', made.clock.nowMs() + 1)
    expect(() => replay.claim('y', made.clock.nowMs() + 1)).toThrow(RangeError)
    expect(await refusal(made.verify(token, options))).toBe('replayed')
    await made.clock.advance(1)
    expect(await refusal(made.verify(token, options))).toBe('expired')
    expect(replay.claim('z', made.clock.nowMs() + 1)).toBe(true)
  })

  test('a full store refuses what is new, and forgets only what has expired', async () => {
    const made = await principalBench()
    const replay = memoryReplayStore({ clock: made.clock, maxEntries: 1 })
    const first = await issued(made)
    await made.clock.advance(30_000)
    const second = await issued(made)
    await made.verify(first.token, { replay })
    expect(await refusal(made.verify(second.token, { replay }))).toBe('replay_unavailable')
    await made.clock.advance(30_000)
    expect(await made.verify(second.token, { replay })).toMatchObject({ sub: 'alice' })
  })

  test.each<[string, unknown, string]>([
    ['false', () => false, 'replayed'],
    ['nothing', () => undefined, 'replay_unavailable'],
    ['one', () => 1, 'replay_unavailable'],
    ['a rejection', () => Promise.reject(new TypeError('down')), 'replay_unavailable'],
  ])('a store that answers with %s refuses', async (_, claim, reason) => {
    const made = await principalBench()
    const { token } = await issued(made)
    expect(await refusal(made.verify(token, { replay: { claim } as ReplayStore }))).toBe(reason)
  })

  test('a store that does not answer in time refuses', async () => {
    const made = await principalBench()
    const { token } = await issued(made)
    const replay: ReplayStore = { claim: () => new Promise(() => undefined) }
    const pending = refusal(made.verify(token, { replay }))
    while (made.clock.timers < 2) await turn()
    await made.clock.advance(2_000)
    expect(await pending).toBe('replay_unavailable')
  })

  test.each([{ maxEntries: -1 }, { maxEntries: Number.NaN }, { size: 1 }])(
    'a store with %j is refused',
    (options) => {
      expect(() => memoryReplayStore(options as never)).toThrow(/memoryReplayStore/)
    },
  )
})

describe('wrong use is no refusal', () => {
  test.each<[string, object]>([
    ['no keys', { jwks: undefined }],
    ['keys that are none', { jwks: { keys: 'x' } }],
    ['no issuer', { issuer: undefined }],
    ['several issuers', { issuer: [ISSUER] }],
    ['no audience', { audience: undefined }],
    ['an empty audience', { audience: '' }],
    ['an empty tool', { tool: '' }],
    ['an unknown option', { tools: ['refund'] }],
    ['its own algorithms', { algorithms: ['none'] }],
    ['a negative tolerance', { clockToleranceMs: -1 }],
    ['an endless tolerance', { clockToleranceMs: Number.POSITIVE_INFINITY }],
    ['a tolerance of an hour', { clockToleranceMs: 3_600_000 }],
    ['an endless life', { maxTtlMs: Number.MAX_SAFE_INTEGER }],
    ['a status that is a text', { status: 'https://x' }],
    ['a store that is none', { replay: new Set() }],
    ['a proof without a store', { proof: { jwt: 'x', method: 'POST', url: 'https://x' } }],
    ['a proof of an unknown kind', { proof: 'x' }],
    ['a demand that is a text', { requireProof: 'false' }],
  ])('%s', async (_, options) => {
    const made = await principalBench()
    const { token } = await issued(made)
    const base = { jwks: made.issuer.jwks(), issuer: ISSUER, audience: AUDIENCE }
    const error = await rejection(verifyCredential(token, { ...base, ...options } as never))
    expect(error).toMatchObject({ name: expect.stringMatching(/^(Type|Range)Error$/) })
    expect(String(error)).toContain('verifyCredential')
  })
})
