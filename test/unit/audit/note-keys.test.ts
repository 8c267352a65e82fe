import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { generateSigningKey } from 'writ'
import { VerifierKey } from 'writ/verify'
import { encodeBase64 } from '../../../src/audit/note/base64.js'
import { isSmallOrder } from '../../../src/audit/note/ed25519.js'
import { SigningKey } from '../../../src/audit/note/signing-key.js'

afterEach(() => vi.unstubAllGlobals())

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

// RFC 8032, section 7.1, TEST 2.
const SEED = hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')
const PUBLIC = hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
const SIGNED = hex(
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
)
const MESSAGE = hex('72')
const NAME = 'example.com/log'

describe('a signing key', () => {
  test('signs as RFC 8032 says', async () => {
    const key = SigningKey.fromSeed(NAME, SEED)
    expect(key.verifierKey.publicKey).toEqual(PUBLIC)
    expect(key.sign(MESSAGE)).toEqual(SIGNED)
    expect(await key.verifierKey.verify(MESSAGE, SIGNED)).toBe(true)
  })

  test('is written and read as Go does', () => {
    const key = SigningKey.fromSeed(NAME, SEED)
    const id = createHash('sha256').update(`${NAME}\n\u0001`).update(PUBLIC).digest('hex').slice(0, 8)
    expect(key.encode()).toBe(`PRIVATE+KEY+${NAME}+${id}+${encodeBase64(Uint8Array.of(1, ...SEED))}`)
    expect(SigningKey.parse(key.encode()).sign(MESSAGE)).toEqual(SIGNED)
    expect(String(key.verifierKey)).toBe(`${NAME}+${id}+${encodeBase64(Uint8Array.of(1, ...PUBLIC))}`)
  })

  test('is read from PKCS#8, as PEM and as DER', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
    const der = privateKey.export({ format: 'der', type: 'pkcs8' })
    for (const form of [pem, `${pem}\n`, der]) {
      expect(SigningKey.fromPkcs8(NAME, form).verifierKey.publicKey).toEqual(Uint8Array.from(raw))
    }
  })

  test('is another one every time', () => {
    const [one, other] = [SigningKey.generate(NAME), SigningKey.generate(NAME)]
    expect(one.name).toBe(NAME)
    expect(one.encode()).not.toBe(other.encode())
    expect(one.verifierKey.id).not.toBe(other.verifierKey.id)
  })

  test('is generated as two texts, which are of one key', () => {
    const { privateKey, publicKey } = generateSigningKey(NAME)
    const key = SigningKey.parse(privateKey)
    expect(key.name).toBe(NAME)
    expect(String(key.verifierKey)).toBe(publicKey)
  })

  test('shows its private part to nobody who does not ask for it', () => {
    const key = SigningKey.fromSeed(NAME, SEED)
    const secrets = [encodeBase64(SEED), Buffer.from(SEED).toString('hex'), 'PRIVATE']
    const shown = [JSON.stringify(key), inspect(key, { depth: 9, showHidden: true }), String(key)]
    for (const text of shown) for (const secret of secrets) expect(text).not.toContain(secret)
    expect(Object.isFrozen(key)).toBe(true)
  })

  const encoded = SigningKey.fromSeed(NAME, SEED).encode()
  const pemOf = (type: 'ed448' | 'x25519'): string =>
    generateKeyPairSync(type as 'ed448').privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
  const encrypted = generateKeyPairSync('ed25519').privateKey.export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  }) as string
  const publicPem = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }) as string

  test.each<[string, () => unknown]>([
    ['nothing', () => SigningKey.parse('')],
    ['a number', () => SigningKey.parse(1 as never)],
    ['a verifier key', () => SigningKey.parse(String(SigningKey.fromSeed(NAME, SEED).verifierKey))],
    ['a line with its LF', () => SigningKey.parse(`${encoded}\n`)],
    ['an encoded key cut', () => SigningKey.parse(encoded.slice(0, -4))],
    ['an encoded key of another type', () => SigningKey.parse(encoded.replace('+AU', '+BU'))],
    ['an encoded key under another name', () => SigningKey.parse(encoded.replace('log', 'lag'))],
    [
      'an encoded key with another id',
      () => SigningKey.parse(encoded.replace(/\+[0-9a-f]{8}\+/, '+00000000+')),
    ],
    ['an encoded key of 1 MB', () => SigningKey.parse(encoded + 'A'.repeat(1_000_000))],
    ['a short seed', () => SigningKey.fromSeed(NAME, SEED.subarray(1))],
    ['a seed in hexadecimal', () => SigningKey.fromSeed(NAME, Buffer.from(SEED).toString('hex') as never)],
    ['an Ed448 key', () => SigningKey.fromPkcs8(NAME, pemOf('ed448'))],
    ['an X25519 key', () => SigningKey.fromPkcs8(NAME, pemOf('x25519'))],
    ['an encrypted key', () => SigningKey.fromPkcs8(NAME, encrypted)],
    ['a public key', () => SigningKey.fromPkcs8(NAME, publicPem)],
    ['an empty file', () => SigningKey.fromPkcs8(NAME, '')],
    ['no bytes', () => SigningKey.fromPkcs8(NAME, new Uint8Array(0))],
    ['a name with a space', () => SigningKey.generate('a b')],
    ['no name', () => SigningKey.generate('')],
  ])('%s is none, and the message holds nothing of it', (_, make) => {
    let thrown: unknown
    try {
      make()
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect(inspect(thrown, { depth: 9 })).not.toMatch(/TM0Imyj|4ccd089b|secret/)
  })

  test('needs the crypto of Node, and says so', () => {
    vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
    const missing = expect.objectContaining({ code: 'ERR_RUNTIME_UNSUPPORTED' })
    expect(() => SigningKey.generate(NAME)).toThrow(missing)
    expect(() => SigningKey.fromSeed(NAME, SEED)).toThrow(missing)
  })
})

describe('a verifier key', () => {
  const vkey = String(new VerifierKey(NAME, PUBLIC))
  const id = vkey.split('+')[1] as string

  test.each<[string, unknown, RegExp]>([
    ['nothing', '', /expected/],
    ['undefined', undefined, /expected/],
    ['a name alone', NAME, /expected/],
    ['a name and an id', `${NAME}+${id}`, /expected/],
    ['no name', vkey.slice(NAME.length), /name/],
    ['a line with its LF', `${vkey}\n`, /base64/],
    ['a space before it', ` ${vkey}`, /name/],
    ['an id in upper case', vkey.replace(id, id.toUpperCase()), /the id is not/],
    ['another id', vkey.replace(id, '00000000'), /the id is not/],
    ['a short id', vkey.replace(id, id.slice(1)), /the id is not/],
    ['another name', vkey.replace('log', 'lag'), /the id is not/],
    ['another type', `a+00000000+${encodeBase64(Uint8Array.of(4, ...PUBLIC))}`, /type/],
    ['a short key', `a+00000000+${encodeBase64(Uint8Array.of(1, ...PUBLIC.subarray(1)))}`, /32 bytes/],
    ['no key', 'a+00000000+', /type/],
    ['base64 that is cut', vkey.slice(0, -1), /base64/],
    ['1 MB', vkey + 'A'.repeat(1_000_000), /a string of \d+ characters/],
    ['a signing key', SigningKey.fromSeed(NAME, SEED).encode(), /expected|base64/],
  ])('is not %s', (_, text, message) => {
    expect(() => VerifierKey.parse(text as string)).toThrow(TypeError)
    expect(() => VerifierKey.parse(text as string)).toThrow(message)
  })

  test.each([
    '',
    'a b',
    'a+b',
    'a\tb',
    'a\u00a0b',
    'a\u2003b',
    'a\nb',
    'a\u009bb',
    'a\u200bb',
    'a\u202eb',
    '\ud800',
    'x'.repeat(513),
  ])('has no name such as %j', (name) => {
    expect(() => new VerifierKey(name, PUBLIC)).toThrow(/key name/)
  })

  test('has a copy of its bytes, and gives copies away', () => {
    const bytes = PUBLIC.slice()
    const key = new VerifierKey(NAME, bytes)
    bytes.fill(0)
    key.publicKey.fill(0)
    expect(String(key)).toBe(vkey)
  })

  describe('that anybody can sign for', () => {
    const P = 2n ** 255n - 19n
    const power = (base: bigint, exponent: bigint): bigint =>
      exponent === 0n
        ? 1n
        : (power((base * base) % P, exponent / 2n) * (exponent % 2n === 1n ? base : 1n)) % P
    const divide = (over: bigint, under: bigint): bigint => (over * power(((under % P) + P) % P, P - 2n)) % P
    const D = divide(P - 121665n, 121666n)
    /** y of twice the point; x enters squared, and the curve gives that. RFC 8032, section 5.1 */
    const double = (y: bigint): bigint => {
      const xx = divide(y * y - 1n, D * y * y + 1n)
      return ((divide(y * y + xx, 1n - D * xx * y * y) % P) + P) % P
    }
    const yOf = (bytes: Uint8Array): bigint =>
      (BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % 2n ** 255n) % P

    test.each([
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ])('is refused: %s, which eight times is nothing', (point) => {
      const bytes = hex(point)
      expect(double(double(double(yOf(bytes))))).toBe(1n)
      for (const signBit of [0, 0x80]) {
        const signed = bytes.with(31, bytes[31]! | signBit)
        expect(isSmallOrder(signed)).toBe(true)
        expect(() => new VerifierKey(NAME, signed)).toThrow('anybody can sign')
      }
    })

    test('is no other', () => {
      expect(double(double(double(yOf(PUBLIC))))).not.toBe(1n)
      expect(isSmallOrder(PUBLIC)).toBe(false)
    })
  })
})

describe.each(['with the crypto of Node', 'with Web Crypto alone'])('a signature is verified %s', (where) => {
  const arrange = (): VerifierKey => {
    if (where.includes('Web')) vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
    return new VerifierKey(NAME, PUBLIC)
  }

  test('and holds, however often', async () => {
    const key = arrange()
    for (let time = 0; time < 3; time++) expect(await key.verify(MESSAGE, SIGNED)).toBe(true)
  })

  test('and does not hold over another message, of another length, or with any byte changed', async () => {
    const key = arrange()
    expect(await key.verify(hex('73'), SIGNED)).toBe(false)
    expect(await key.verify(hex(''), SIGNED)).toBe(false)
    expect(await key.verify(MESSAGE, new Uint8Array(0))).toBe(false)
    expect(await key.verify(MESSAGE, SIGNED.subarray(0, 63))).toBe(false)
    expect(await key.verify(MESSAGE, Uint8Array.of(...SIGNED, 0))).toBe(false)
    for (let at = 0; at < 64; at++) {
      expect(await key.verify(MESSAGE, SIGNED.with(at, SIGNED[at]! ^ 0x40))).toBe(false)
    }
  })

  test('and does not hold with its S raised by the order of the group', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const s = BigInt(`0x${Buffer.from(SIGNED.subarray(32)).reverse().toString('hex')}`) + order
    const raised = Uint8Array.from(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse())
    expect(await arrange().verify(MESSAGE, Uint8Array.of(...SIGNED.subarray(0, 32), ...raised))).toBe(false)
  })

  test('and under a key that is no point of the curve, nothing holds', async () => {
    arrange()
    const key = new VerifierKey(NAME, new Uint8Array(32).fill(2))
    expect(await key.verify(MESSAGE, SIGNED)).toBe(false)
  })
})

test('where there is no Ed25519 at all, nothing is said of a signature', async () => {
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
  const missing = { code: 'ERR_RUNTIME_UNSUPPORTED' }
  for (const crypto of [
    undefined,
    {},
    { subtle: { importKey: () => Promise.reject(new DOMException('', 'NotSupportedError')) } },
  ]) {
    vi.stubGlobal('crypto', crypto)
    await expect(new VerifierKey(NAME, PUBLIC).verify(MESSAGE, SIGNED)).rejects.toMatchObject(missing)
  }
})

test('a key that a runtime refuses to import verifies nothing', async () => {
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
  vi.stubGlobal('crypto', { subtle: { importKey: () => Promise.reject(new DOMException('', 'DataError')) } })
  expect(await new VerifierKey(NAME, PUBLIC).verify(MESSAGE, SIGNED)).toBe(false)
})

test('what Node signs, both verify', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const signature = sign(null, MESSAGE, privateKey)
  expect(await new VerifierKey(NAME, raw).verify(MESSAGE, signature)).toBe(true)
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
  expect(await new VerifierKey(NAME, raw).verify(MESSAGE, signature)).toBe(true)
})
