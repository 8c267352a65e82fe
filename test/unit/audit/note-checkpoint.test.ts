import { describe, expect, test } from 'vitest'
import {
  type Checkpoint,
  CompactTree,
  leafHash,
  openCheckpoint,
  parseCheckpoint,
  type TrustOptions,
} from 'writ/verify'
import { formatCheckpoint } from '../../../src/audit/note/checkpoint.js'
import { signNote } from '../../../src/audit/note/sign-note.js'
import { SigningKey } from '../../../src/audit/note/signing-key.js'

const ORIGIN = 'example.com/log'
const root = leafHash('entry')
const ROOT = Buffer.from(root).toString('base64')
const EMPTY = Buffer.from(new CompactTree().root()).toString('base64')

test('a checkpoint is written as C2SP says, and read as it is written', () => {
  const text = formatCheckpoint({ origin: ORIGIN, size: 1, root })
  expect(text).toBe(`example.com/log\n1\n${ROOT}\n`)
  expect(parseCheckpoint(text)).toEqual({
    ok: true,
    value: { origin: ORIGIN, size: 1, root, extensions: [] },
  })
})

test.each<[string, Checkpoint]>([
  ['of the largest size', { origin: ORIGIN, size: 2 ** 53 - 1, root, extensions: [] }],
  ['of nothing', { origin: ORIGIN, size: 0, root: new CompactTree().root(), extensions: [] }],
  ['with extensions', { origin: ORIGIN, size: 1, root, extensions: ['a', 'b c', ' '] }],
  ['of an origin that is no URL', { origin: 'Jos\u00e9s Log + more', size: 1, root, extensions: [] }],
])('so is one %s', (_, checkpoint) => {
  expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual({ ok: true, value: checkpoint })
})

// The example of the specification.
test('the published one is read', () => {
  const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
  expect(parseCheckpoint(text)).toMatchObject({
    ok: true,
    value: { origin: 'example.com/behind-the-sofa', size: 20_852_163 },
  })
})

test.each<[string, string, string]>([
  ['nothing', '', 'no LF'],
  ['an empty line', '\n', 'fewer than three'],
  ['no last LF', `${ORIGIN}\n1\n${ROOT}`, 'no LF'],
  ['two lines', `${ORIGIN}\n1\n`, 'fewer than three'],
  ['no origin', `\n1\n${ROOT}\n`, 'empty line'],
  ['an empty extension', `${ORIGIN}\n1\n${ROOT}\n\n`, 'empty line'],
  ['an empty line among extensions', `${ORIGIN}\n1\n${ROOT}\na\n\nb\n`, 'empty line'],
  ['CRLF', `${ORIGIN}\r\n1\r\n${ROOT}\r\n`, 'CRLF'],
  ['a negative size', `${ORIGIN}\n-1\n${ROOT}\n`, 'line 2'],
  ['a negative zero', `${ORIGIN}\n-0\n${EMPTY}\n`, 'line 2'],
  ['a sign', `${ORIGIN}\n+1\n${ROOT}\n`, 'line 2'],
  ['a leading zero', `${ORIGIN}\n01\n${ROOT}\n`, 'line 2'],
  ['zeros', `${ORIGIN}\n00\n${EMPTY}\n`, 'line 2'],
  ['a size of 2^53', `${ORIGIN}\n9007199254740992\n${ROOT}\n`, 'line 2'],
  ['a size of 2^64', `${ORIGIN}\n18446744073709551616\n${ROOT}\n`, 'line 2'],
  ['a size of a million digits', `${ORIGIN}\n${'9'.repeat(1_000_000)}\n${ROOT}\n`, 'line 2'],
  ['a fraction', `${ORIGIN}\n1.0\n${ROOT}\n`, 'line 2'],
  ['an exponent', `${ORIGIN}\n1e3\n${ROOT}\n`, 'line 2'],
  ['hexadecimal', `${ORIGIN}\n0x1\n${ROOT}\n`, 'line 2'],
  ['digits of another script', `${ORIGIN}\n\u0661\n${ROOT}\n`, 'line 2'],
  ['a space in the size', `${ORIGIN}\n 1\n${ROOT}\n`, 'line 2'],
  ['a root of 31 bytes', `${ORIGIN}\n1\n${Buffer.alloc(31).toString('base64')}\n`, 'line 3'],
  ['a root of 33 bytes', `${ORIGIN}\n1\n${Buffer.alloc(33).toString('base64')}\n`, 'line 3'],
  ['a root without padding', `${ORIGIN}\n1\n${ROOT.slice(0, -1)}\n`, 'line 3'],
  ['a root in another spelling', `${ORIGIN}\n1\n${ROOT.slice(0, -2)}${respelled(ROOT)}=\n`, 'line 3'],
  ['a root in hexadecimal', `${ORIGIN}\n1\n${Buffer.from(root).toString('hex')}\n`, 'line 3'],
  ['an empty tree with a root', `${ORIGIN}\n0\n${ROOT}\n`, 'empty tree'],
])('%s makes no checkpoint', (_, text, detail) => {
  const outcome = parseCheckpoint(text)
  expect(outcome).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
  expect(outcome.ok || outcome.refusal.detail).toContain(detail)
})

/** The last character before the padding with a bit set that no byte uses. */
function respelled(base64: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[alphabet.indexOf(base64.at(-2)!) + 1]!
}

test.each<[string, Partial<Checkpoint>]>([
  ['no origin', { origin: '' }],
  ['an origin of two lines', { origin: 'a\nb' }],
  ['an origin with a control character', { origin: 'a\u0007' }],
  ['something else as origin', { origin: 1 as never }],
  ['a negative size', { size: -1 }],
  ['a size of 2^53', { size: 2 ** 53 }],
  ['a short root', { root: new Uint8Array(31) }],
  ['an empty extension', { extensions: [''] }],
  ['an extension of two lines', { extensions: ['a\nb'] }],
])('%s is not written', (_, change) => {
  expect(() => formatCheckpoint({ origin: ORIGIN, size: 1, root, ...change })).toThrow(/checkpoint/)
})

describe('a signed checkpoint', () => {
  const log = SigningKey.generate(ORIGIN)
  const witness = SigningKey.generate('witness.example')
  const other = SigningKey.generate('example.com/other')
  const keys = [log.verifierKey]
  const text = formatCheckpoint({ origin: ORIGIN, size: 1, root })

  test('is opened under the key of its log', async () => {
    const opened = await openCheckpoint(signNote(text, [log, witness]), { keys })
    expect(opened).toMatchObject({
      ok: true,
      value: { checkpoint: { origin: ORIGIN, size: 1, root }, signedBy: keys, text },
    })
    expect(opened.ok && opened.value.unknown).toHaveLength(1)
  })

  test.each<[string, SigningKey[], string | undefined, string]>([
    ['by the key of another log', [other], undefined, 'other_origin'],
    ['by a witness alone', [witness], undefined, 'other_origin'],
    ['when another origin is asked for', [log], 'example.com/other', 'other_origin'],
    ['when the origin that is asked for has one space more', [log], `${ORIGIN} `, 'other_origin'],
  ])('vouches for nothing %s', async (_, signers, origin, reason) => {
    const trust = { keys: signers.map((key) => key.verifierKey), ...(origin === undefined ? {} : { origin }) }
    const outcome = await openCheckpoint(signNote(text, signers), trust)
    expect(outcome).toMatchObject({ ok: false, refusal: { reason } })
  })

  test('may be signed by whoever the verifier believes, when the verifier says for which log', async () => {
    const trust = { keys: [witness.verifierKey], origin: ORIGIN }
    expect(await openCheckpoint(signNote(text, [witness]), trust)).toMatchObject({ ok: true })
  })

  test('is opened where others that are known have signed it as well', async () => {
    const trust = { keys: [witness.verifierKey, log.verifierKey] }
    expect(await openCheckpoint(signNote(text, [witness, log]), trust)).toMatchObject({ ok: true })
  })

  test('an origin that is none, and an option that there is none of, are a mistake of the caller', async () => {
    const note = signNote(text, [log])
    for (const wrong of [{ origin: 7 }, { origin: null }, { other: 1 }]) {
      const opened = openCheckpoint(note, { keys, ...wrong } as never)
      await expect(opened).rejects.toThrow(TypeError)
      await expect(opened).rejects.toThrow('origin' in wrong ? /^origin: expected a string/ : /^trust/)
    }
  })

  test('is refused for its signature before it is for its contents', async () => {
    const note = signNote('no checkpoint\n', [log])
    expect(await openCheckpoint(note, { keys })).toMatchObject({ refusal: { reason: 'malformed' } })
    const forged = note.replace('no checkpoint', 'no Checkpoint')
    expect(await openCheckpoint(forged, { keys })).toMatchObject({ refusal: { reason: 'bad_signature' } })
    expect(await openCheckpoint(note, { keys: [other.verifierKey] })).toMatchObject({
      refusal: { reason: 'unknown_keys' },
    })
  })

  test('an origin of control characters is not printed as it is', async () => {
    const outcome = await openCheckpoint(signNote(text, [log]), { keys, origin: 'a\u009b31m' })
    expect(outcome.ok || outcome.refusal.detail).toBe('the checkpoint is not of "a\\u009b31m"')
  })

  test.each([undefined, {}, { keys, orgin: ORIGIN }, { keys, origin: 7 }, { keys: 'x' }])(
    'wants to know whom to believe, not %j',
    async (trust) => {
      await expect(openCheckpoint(signNote(text, [log]), trust as TrustOptions)).rejects.toThrow(TypeError)
    },
  )
})
