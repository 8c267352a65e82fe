import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { calculateJwkThumbprint, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, type BudgetExceeded, type CredentialIssuer, SessionClosed } from 'writ'
import { credentialIssuer, generateHolderKey, generateIssuerKey, importIssuerKey } from 'writ/principal'
import { rejection, thrown } from '../../support/agents.js'
import { AUDIENCE, decode, ISSUER, issued, principalBench, TOOLS } from '../../support/principals.js'
import { GatedSink, turn } from '../../support/tools.js'

const options = { audience: AUDIENCE, ttlMs: 60_000 }

describe('a credential', () => {
  test('says who acts for whom, with which tools, for how long, and jose reads it', async () => {
    const { agent, issuer, clock } = await principalBench()
    const s = agent.open('alice', { tools: ['refund', 'lookup'] })
    const token = await s.credential(options)
    const [jwk] = issuer.jwks().keys
    const { payload, protectedHeader } = await jwtVerify(token, { ...jwk } as never, {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'writ-principal+jwt',
      algorithms: ['EdDSA'],
      currentDate: new Date(clock.nowMs()),
    })
    const nowS = clock.nowMs() / 1000
    expect(payload).toEqual({
      iss: ISSUER,
      sub: 'alice',
      aud: AUDIENCE,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
      client_id: 'test-bot/v1',
      sid: s.id,
      act: { sub: s.principal },
      tools: ['refund', 'lookup'],
      iat: nowS,
      nbf: nowS,
      exp: nowS + 60,
    })
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'writ-principal+jwt', kid: jwk?.kid })
    expect(await calculateJwkThumbprint({ ...jwk } as never)).toBe(jwk?.kid)
  })

  test('has an id of its own, which is no id of the log', async () => {
    const { agent } = await principalBench()
    const s = agent.open('alice')
    const tokens = await Promise.all([1, 2, 3].map(() => s.credential(options)))
    const ids = tokens.map((token) => decode(token).payload['jti'])
    expect(new Set(ids).size).toBe(3)
    for (const id of ids) expect(id).not.toContain(s.id)
  })

  test('names the agents that a nested session acts through, its own first', async () => {
    const { agent, clock, issuer } = await principalBench()
    const inner = new Agent({
      identity: 'inner/v2',
      budget: { toolCalls: 1 },
      audit: AuditSink.memory(),
      clock,
      credentials: issuer,
    })
    const chain = await agent.session('alice', (outer) =>
      agent.session('alice', (middle) =>
        inner.session('alice', async (s) => [
          decode(await s.credential(options)).payload['act'],
          { sub: s.principal, act: { sub: middle.principal, act: { sub: outer.principal } } },
        ]),
      ),
    )
    expect(chain[0]).toEqual(chain[1])
  })

  test('ends with the first deadline, here or above', async () => {
    const { agent, clock } = await principalBench({}, { wallMs: 10_000, depth: 2 })
    const start = clock.nowMs() / 1000
    const expOf = async (token: Promise<string>) => decode(await token).payload['exp']
    const s = agent.open('alice')
    expect(await expOf(s.credential(options))).toBe(start + 10)
    await clock.advance(2_500)
    expect(await expOf(s.credential({ ...options, ttlMs: 5_900 }))).toBe(start + 8)
    expect(await expOf(s.credential(options))).toBe(start + 10)
    const nested = agent.session('bob', async (outer) => {
      await clock.advance(4_000)
      const exp = await agent.session('bob', (inner) => expOf(inner.credential(options)))
      return [exp, await expOf(outer.credential(options))]
    })
    expect(await nested).toEqual([start + 12, start + 12])
  })

  test('of a session that ends within the second is refused', async () => {
    const { agent, clock } = await principalBench({}, { wallMs: 10_500 })
    const s = agent.open('alice')
    await clock.advance(10_100)
    expect(await rejection(s.credential(options))).toMatchObject({
      name: 'RangeError',
      message: expect.stringContaining('ends within this second'),
    })
    expect(s.state).toBe('open')
  })

  test('names fewer tools when asked to, and never one that the session may not call', async () => {
    const { agent, payloads } = await principalBench()
    const s = agent.open('alice', { tools: ['refund', 'lookup'] })
    const narrow = await s.credential({ ...options, tools: ['refund', 'refund'] })
    expect(decode(narrow).payload['tools']).toEqual(['refund'])
    expect(decode(await s.credential({ ...options, tools: [] })).payload['tools']).toEqual([])
    for (const tools of [['close'], ['refund', 'none'], [1], ['toString']]) {
      expect(await rejection(s.credential({ ...options, tools: tools as never }))).toMatchObject({
        name: 'TypeError',
        message: expect.stringMatching(/tools: the session may not call/),
      })
    }
    expect(payloads('credential_issued')).toHaveLength(2)
  })

  test('is bound to the key of its holder where one is given, of either kind', async () => {
    const { agent } = await principalBench()
    const s = agent.open('alice')
    const { publicJwk } = await generateHolderKey()
    const { payload } = decode(await s.credential({ ...options, holderKey: publicJwk }))
    expect(payload['cnf']).toEqual({ jkt: await calculateJwkThumbprint({ ...publicJwk } as never) })
    expect(payload['cnf']).not.toHaveProperty('jwk')
  })
})

describe('it is refused', () => {
  test.each<[string, unknown, string]>([
    ['no options', undefined, 'TypeError: credential: expected an options object'],
    ['an unknown option', { ...options, aud: 'x' }, 'TypeError: credential: unknown option aud'],
    ['no audience', { ttlMs: 1000 }, 'TypeError: credential: audience'],
    ['an empty audience', { ...options, audience: '' }, 'RangeError: credential: audience'],
    ['a control character', { ...options, audience: 'a\nb' }, 'RangeError: credential: audience'],
    ['several audiences', { ...options, audience: ['a'] }, 'TypeError: credential: audience'],
    ['no time', { audience: AUDIENCE }, 'TypeError: credential: ttlMs'],
    ['NaN', { ...options, ttlMs: Number.NaN }, 'RangeError: credential: ttlMs'],
    ['Infinity', { ...options, ttlMs: Number.POSITIVE_INFINITY }, 'RangeError: credential: ttlMs'],
    ['a negative time', { ...options, ttlMs: -1 }, 'RangeError: credential: ttlMs'],
    ['less than a second', { ...options, ttlMs: 999 }, 'RangeError: credential: ttlMs'],
    ['more than the issuer allows', { ...options, ttlMs: 900_001 }, 'RangeError: credential: ttlMs'],
    ['tools that are no array', { ...options, tools: 'refund' }, 'TypeError: credential: tools'],
    ['a key that is none', { ...options, holderKey: 'x' }, 'TypeError: credential: holderKey'],
    ['a key without a kind', { ...options, holderKey: {} }, 'TypeError: credential: holderKey'],
    ['a secret', { ...options, holderKey: { kty: 'oct', k: 'x' } }, 'TypeError: credential: holderKey'],
    [
      'a private key',
      { ...options, holderKey: { kty: 'OKP', crv: 'Ed25519', x: 'x', d: 'TOP-SECRET' } },
      'TypeError: credential: holderKey: this is a private key',
    ],
    ['another kind', { ...options, holderKey: { kty: 'RSA', n: 'x', e: 'AQAB' } }, 'TypeError: holder key'],
    [
      'half a key',
      { ...options, holderKey: { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' } },
      'TypeError: holder key',
    ],
  ])('for %s', async (_, given, words) => {
    const { agent, payloads, lines } = await principalBench()
    const s = agent.open('alice')
    const error = await rejection(s.credential(given as never))
    expect(String(error)).toContain(words)
    expect(String(error)).not.toContain('TOP-SECRET')
    expect(s.state).toBe('open')
    expect(payloads('credential_issued')).toEqual([])
    expect(lines().join('')).not.toContain('TOP-SECRET')
  })

  test('without an issuer, by name', async () => {
    const { agent } = await principalBench({ credentials: undefined as never })
    const error = await rejection(agent.open('alice').credential(options))
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(/no issuer.*credentialIssuer.*writ\/principal/)
  })

  test.each([null, 1, 'x', {}, { issue: 1 }, { issue: () => 'x' }])(
    'with %j for an issuer, when the agent is made',
    async (credentials) => {
      const options = { identity: 'a', budget: { toolCalls: 1 }, audit: AuditSink.memory(), credentials }
      expect(String(thrown(() => new Agent(options as never)))).toContain('TypeError: credentials')
    },
  )

  test('in a synchronous session, with the name of the way', async () => {
    const { agent, payloads } = await principalBench()
    const error = thrown(() => agent.sessionSync('alice', (s) => s.credential(options)))
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toContain('agent.session()')
    expect(payloads('credential_issued')).toEqual([])
  })

  test('to a tool of a synchronous session', async () => {
    const { agent } = await principalBench()
    const error = thrown(() =>
      agent.sessionSync('alice', (s) => (s as unknown as { credential(o: object): unknown }).credential({})),
    )
    expect(error).toBeInstanceOf(TypeError)
  })

  test('in a session that was killed, closed or cancelled, with what ended it', async () => {
    const { agent, clock, payloads } = await principalBench({}, { wallMs: 10_000, toolCalls: 1 })
    const killed = agent.open('alice')
    await killed.callTool('refund', {})
    const kill = await rejection(killed.callTool('refund', {}))
    expect(await rejection(killed.credential(options))).toBe(kill)

    const late = agent.open('alice')
    await clock.advance(10_000)
    expect(await rejection(late.credential(options))).toMatchObject({ limit: 'wallMs' })
    const blocked = agent.open('alice')
    clock.block(10_000)
    expect(await rejection(blocked.credential(options))).toMatchObject({ limit: 'wallMs' })

    const closed = agent.open('alice')
    await closed.close()
    expect(await rejection(closed.credential(options))).toBeInstanceOf(SessionClosed)

    const caller = new AbortController()
    const cancelled = agent.open('alice', { signal: caller.signal })
    caller.abort('enough')
    expect(await rejection(cancelled.credential(options))).toBe('enough')
    expect(payloads('credential_issued')).toEqual([])
  })

  test('in a session whose outer session is dead', async () => {
    const { agent } = await principalBench({}, { toolCalls: 1, depth: 2 })
    const found: unknown[] = []
    await rejection(
      agent.session('alice', (outer) =>
        agent.session('alice', async (inner) => {
          await outer.callTool('refund', {})
          found.push(await rejection(outer.callTool('refund', {})))
          found.push(await rejection(inner.credential(options)))
        }),
      ),
    )
    expect(found).toHaveLength(2)
    expect(found[1]).toBe(found[0])
  })
})

/** An issuer whose answer the test gives. */
function slowIssuer(): { readonly credentials: CredentialIssuer; readonly answer: (token: unknown) => void } {
  let answer: (token: unknown) => void = () => undefined
  const issue = () =>
    new Promise<string>((resolve) => {
      answer = resolve as (token: unknown) => void
    })
  return { credentials: { maxTtlMs: 60_000, issue }, answer: (token) => answer(token) }
}

describe('while it is signed', () => {
  test('a kill rejects it at once, and what is signed later is dropped', async () => {
    const { credentials, answer } = slowIssuer()
    const { agent, clock, payloads } = await principalBench({ credentials }, { wallMs: 10_000 })
    const s = agent.open('alice')
    const pending = s.credential(options)
    await clock.advance(10_000)
    const error = await rejection(pending)
    expect((error as BudgetExceeded).limit).toBe('wallMs')
    answer('a.b.c')
    await turn()
    expect(payloads('credential_issued')).toEqual([])
    expect(payloads('session_end')).toMatchObject([{ outcome: 'killed', in_flight: 1 }])
  })

  test('a limit on counts kills the session, and there is no token', async () => {
    const { credentials, answer } = slowIssuer()
    const { agent, payloads } = await principalBench({ credentials }, { toolCalls: 0 })
    const s = agent.open('alice')
    const pending = s.credential(options)
    const kill = await rejection(s.callTool('refund', {}))
    answer('a.b.c')
    expect(await rejection(pending)).toBe(kill)
    expect(payloads('credential_issued')).toEqual([])
  })

  test.each([undefined, 1, {}, null])('an issuer that answers %j gives no token', async (token) => {
    const { credentials, answer } = slowIssuer()
    const { agent, payloads } = await principalBench({ credentials })
    const pending = agent.open('alice').credential(options)
    answer(token)
    expect(await rejection(pending)).toBeInstanceOf(TypeError)
    expect(payloads('credential_issued')).toEqual([])
  })
})

describe('in the log', () => {
  test('it stands before it is handed out, without its token', async () => {
    const { agent, lines, payloads } = await principalBench()
    const s = agent.open('alice')
    const { publicJwk } = await generateHolderKey()
    const token = await s.credential({ ...options, tools: ['refund'], holderKey: publicJwk })
    const { payload } = decode(token)
    expect(payloads('credential_issued')).toEqual([
      {
        jti: payload['jti'],
        audience: AUDIENCE,
        exp: payload['exp'],
        tools: ['refund'],
        bound: true,
        enforcement: 'enforced',
      },
    ])
    for (const part of token.split('.')) expect(lines().join('')).not.toContain(part)
    const row = /^\| `credential_issued` .*$/m.exec(readFileSync('docs/audit-log.md', 'utf8'))?.[0]
    for (const member of Object.keys(payloads('credential_issued')[0]!))
      expect(row).toContain(`\`${member}\``)
  })

  test('it is as durable as the log promises before anybody has it', async () => {
    const sink = new GatedSink()
    const { agent } = await principalBench({ audit: sink })
    const s = agent.open('alice')
    sink.hold()
    let token: string | undefined
    const pending = s.credential(options).then((given) => {
      token = given
    })
    while (!sink.events.includes('credential_issued')) await turn()
    await turn()
    expect(token).toBeUndefined()
    sink.release()
    await pending
    expect(token).toBeDefined()
  })

  test('it is not handed out when it cannot be recorded', async () => {
    const sink = new GatedSink()
    const { agent, issuer } = await principalBench({ audit: sink })
    const s = agent.open('alice')
    await s.credential(options)
    sink.fail(new RangeError('disk full'))
    expect(await rejection(s.credential(options))).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(s.state).not.toBe('open')
    expect(issuer.revoke(s.id)).toBe(2)
  })

  test('it is not handed out when the session dies while it is recorded', async () => {
    const sink = new GatedSink()
    const { agent } = await principalBench({ audit: sink }, { toolCalls: 0 })
    const s = agent.open('alice')
    sink.hold()
    const pending = rejection(s.credential(options))
    while (!sink.events.includes('credential_issued')) await turn()
    const kill = await rejection(s.callTool('refund', {}))
    sink.release()
    expect(await pending).toBe(kill)
  })
})

describe('keys', () => {
  test('an issuer key shows its public part and nothing else', async () => {
    const key = await generateIssuerKey()
    const issuer = credentialIssuer({ key, issuer: ISSUER })
    const shown = [key, issuer, issuer.jwks(), issuer.jwks().keys[0]].flatMap((value) => [
      JSON.stringify(value),
      inspect(value, { depth: 9, showHidden: true }),
    ])
    for (const text of shown) {
      expect(text).not.toMatch(/"d"|\bd:|PRIVATE|CryptoKey/)
    }
    expect(Object.keys(key.publicJwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  test('a private key is in no log, no error and no description of an agent', async () => {
    const { generateKeyPair, exportJWK, exportPKCS8 } = await import('jose')
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
    const jwk = await exportJWK(privateKey)
    const pem = await exportPKCS8(privateKey)
    const [fromJwk, fromPem] = [await importIssuerKey(jwk), await importIssuerKey(pem)]
    expect(fromJwk.kid).toBe(fromPem.kid)
    const credentials = credentialIssuer({ key: fromPem, issuer: ISSUER })
    const made = await principalBench({ credentials })
    const { s, token } = await issued(made)
    expect(await made.verify(token, { jwks: credentials.jwks() })).toMatchObject({ sub: 'alice' })
    const text = [made.agent, s, credentials, fromJwk, fromPem]
      .map((value) => inspect(value, { depth: 9, showHidden: true }) + JSON.stringify(value))
      .concat(made.lines())
      .join()
    const secret = jwk.d as string
    expect(text).not.toContain(secret)
    expect(text).not.toContain(Buffer.from(secret, 'base64url').toString('base64'))
    expect(text).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
  })

  test('what is no private Ed25519 key is refused, and not repeated', async () => {
    const { generateKeyPair, exportJWK, exportPKCS8, exportSPKI } = await import('jose')
    const one = await generateKeyPair('EdDSA', { extractable: true })
    const other = await generateKeyPair('EdDSA', { extractable: true })
    const elliptic = await generateKeyPair('ES256', { extractable: true })
    const jwk = await exportJWK(one.privateKey)
    const { x } = await exportJWK(other.publicKey)
    const bad: unknown[] = [
      '',
      'TOP-SECRET',
      await exportSPKI(one.publicKey),
      await exportPKCS8(elliptic.privateKey),
      await exportJWK(one.publicKey),
      await exportJWK(elliptic.privateKey),
      { ...jwk, x },
      { ...jwk, d: 'AAAA' },
      { ...jwk, x: undefined },
      { kty: 'oct', k: 'TOP-SECRET' },
      undefined,
      null,
      [],
    ]
    for (const source of bad) {
      const error = await rejection(importIssuerKey(source as string))
      expect(error).toBeInstanceOf(TypeError)
      expect(inspect(error)).not.toContain('TOP-SECRET')
      expect(inspect(error)).not.toContain(jwk.d as string)
    }
  })

  test('several are published: the one that signs, and those beside it', async () => {
    const [old, current, next] = await Promise.all([1, 2, 3].map(() => generateIssuerKey()))
    const issuer = credentialIssuer({
      key: current!,
      issuer: ISSUER,
      alsoPublish: [old!.publicJwk, next!.publicJwk, current!.publicJwk],
    })
    expect(issuer.jwks().keys.map(({ kid }) => kid)).toEqual([current!.kid, old!.kid, next!.kid])
    // What was handed out is a copy.
    ;(issuer.jwks().keys as unknown[]).length = 0
    expect(issuer.jwks().keys).toHaveLength(3)

    const before = await principalBench({ credentials: credentialIssuer({ key: old!, issuer: ISSUER }) })
    const { token } = await issued(before)
    expect(await before.verify(token, { jwks: issuer.jwks() })).toMatchObject({ sub: 'alice' })
  })

  test.each<[string, object]>([
    ['nothing', {}],
    ['no name', { issuer: undefined }],
    ['an unknown option', { keys: [] }],
    ['a life of a millisecond', { maxTtlMs: 1 }],
    ['a life of a week', { maxTtlMs: 604_800_000 }],
    [
      'a private key to publish',
      { alsoPublish: [{ kty: 'OKP', crv: 'Ed25519', x: 'x'.repeat(43), kid: 'k', d: 'd' }] },
    ],
    ['a key without a name', { alsoPublish: [{ kty: 'OKP', crv: 'Ed25519', x: 'x'.repeat(43) }] }],
    ['no array', { alsoPublish: {} }],
    ['a key that was not made here', { key: { kid: 'k', publicJwk: {} } }],
  ])('an issuer with %s is refused', async (name, more) => {
    const base = name === 'nothing' ? {} : { key: await generateIssuerKey(), issuer: ISSUER }
    expect(thrown(() => credentialIssuer({ ...base, ...more } as never))).toMatchObject({
      name: expect.stringMatching(/^(Type|Range)Error$/),
    })
  })

  test('a token that no service would take is not made', async () => {
    const names = Array.from({ length: 400 }, (_, index) => `tool-${index}-${'x'.repeat(40)}`)
    const many = Object.fromEntries(names.map((name) => [name, TOOLS.refund]))
    const { agent, payloads } = await principalBench({ tools: many as never })
    const s = agent.open('alice')
    expect(await rejection(s.credential(options))).toMatchObject({
      name: 'RangeError',
      message: expect.stringContaining('name fewer tools'),
    })
    await s.credential({ ...options, tools: [names[0] as never] })
    expect(payloads('credential_issued')).toHaveLength(1)
  })
})
