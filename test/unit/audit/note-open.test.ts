import { describe, expect, test } from 'vitest'
import { MAX_NOTE_SIGNATURES, openNote, parseNote, type SignedNote, VerifierKey } from 'writ/verify'
import { signNote } from '../../../src/audit/note/sign-note.js'
import { formatNote } from '../../../src/audit/note/signed-note.js'
import { SigningKey } from '../../../src/audit/note/signing-key.js'
import { sha256Hex } from '../../../src/core/digest.js'
import { bytesOf } from '../../support/audit-logs.js'

const TEXT = 'hello\n'
const log = SigningKey.generate('example.com/log')
const witness = SigningKey.generate('witness.example/w1')
const impostor = SigningKey.generate('example.com/log')

const parsed = (note: string): SignedNote => {
  const outcome = parseNote(note)
  if (!outcome.ok) throw new TypeError(outcome.refusal.detail)
  return outcome.value
}
const lineOf = (key: SigningKey, text = TEXT) => parsed(signNote(text, [key])).signatures[0]!

describe('it is opened', () => {
  test('by each key that signed it, in the order of the signatures', async () => {
    const note = signNote(TEXT, [log, witness])
    const both = await openNote(note, [witness.verifierKey, log.verifierKey])
    expect(both).toEqual({
      ok: true,
      value: { text: TEXT, signedBy: [log.verifierKey, witness.verifierKey], unknown: [] },
    })
    expect(Object.isFrozen(both.ok && both.value)).toBe(true)
  })

  test('by one of them, the others passed over', async () => {
    const opened = await openNote(signNote(TEXT, [log, witness]), [witness.verifierKey])
    expect(opened).toMatchObject({ ok: true, value: { signedBy: [witness.verifierKey] } })
    expect(opened.ok && opened.value.unknown.map(({ name }) => name)).toEqual([log.name])
  })

  test('past another key of the same name, which is an unknown one', async () => {
    const note = signNote(TEXT, [impostor, log])
    const opened = await openNote(note, [log.verifierKey])
    expect(opened).toMatchObject({ ok: true, value: { signedBy: [log.verifierKey] } })
  })

  test('past another name with the same key id', async () => {
    const signature = { ...lineOf(log), name: 'example.com/other', signature: new Uint8Array(64) }
    const note = formatNote({ text: TEXT, signatures: [signature, lineOf(log)] })
    expect(await openNote(note, [log.verifierKey])).toMatchObject({ ok: true })
  })

  test('past a signature of a type that nobody knows', async () => {
    const pq = { name: log.name, keyId: '01020304', signature: new Uint8Array(5000) }
    const note = formatNote({ text: TEXT, signatures: [pq, lineOf(log)] })
    expect(await openNote(note, [log.verifierKey])).toMatchObject({ ok: true })
  })

  test('once by a key that signed it twice, or that was given twice', async () => {
    const note = formatNote({ text: TEXT, signatures: [lineOf(log), lineOf(log)] })
    const again = VerifierKey.parse(String(log.verifierKey))
    const opened = await openNote(note, [log.verifierKey, again])
    expect(opened.ok && opened.value.signedBy.map(String)).toEqual([String(log.verifierKey)])
  })
})

describe('it is not opened', () => {
  test('by keys that did not sign it', async () => {
    const refusal = { reason: 'unknown_keys', detail: 'no key that was given has signed it' }
    expect(await openNote(signNote(TEXT, [log]), [witness.verifierKey])).toEqual({ ok: false, refusal })
    expect(await openNote(signNote(TEXT, [impostor]), [log.verifierKey])).toEqual({ ok: false, refusal })
    expect(await openNote(signNote(TEXT, [log]), [])).toEqual({ ok: false, refusal })
  })

  test.each<[string, () => SignedNote['signatures']]>([
    ['when the signature is of another text', () => [lineOf(log, 'bye\n')]],
    [
      'when another key signed in the name and id of this one',
      () => [{ ...lineOf(impostor), keyId: log.verifierKey.id }],
    ],
    ['when the signature is cut', () => [{ ...lineOf(log), signature: lineOf(log).signature.slice(0, 63) }]],
    [
      'when another key signed it as well',
      () => [lineOf(witness), { ...lineOf(log), signature: new Uint8Array(64) }],
    ],
    [
      'when a good signature comes first',
      () => [lineOf(log), { ...lineOf(log), signature: new Uint8Array(64) }],
    ],
  ])('%s, and the key is named', async (_, signatures) => {
    const note = formatNote({ text: TEXT, signatures: signatures() })
    const key = `example.com/log+${log.verifierKey.id}`
    expect(await openNote(note, [log.verifierKey, witness.verifierKey])).toEqual({
      ok: false,
      refusal: { reason: 'bad_signature', detail: `the signature of ${key} does not hold`, key },
    })
  })

  test('when it is none', async () => {
    expect(await openNote('', [log.verifierKey])).toMatchObject({ refusal: { reason: 'malformed' } })
  })

  test('with its text changed by one byte, at any place', async () => {
    const note = bytesOf(signNote('a longer text\nwith two lines\n', [log]))
    for (let at = 0; at < 29; at++) {
      const changed = note.with(at, note[at]! ^ 1)
      expect(await openNote(changed, [log.verifierKey])).toMatchObject({ ok: false })
    }
  })
})

test('a hundred bad signatures take no more than the first', async () => {
  const bad = { ...lineOf(log), signature: new Uint8Array(64) }
  const note = formatNote({ text: TEXT, signatures: Array.from({ length: MAX_NOTE_SIGNATURES }, () => bad) })
  expect(await openNote(note, [log.verifierKey])).toMatchObject({ refusal: { reason: 'bad_signature' } })
})

test('a hundred good ones take bounded time', async () => {
  const text = `${'x'.repeat(900_000)}\n`
  const note = signNote(
    text,
    Array.from({ length: MAX_NOTE_SIGNATURES }, () => log),
  )
  const startMs = performance.now()
  expect(await openNote(note, [log.verifierKey])).toMatchObject({ ok: true })
  expect(performance.now() - startMs).toBeLessThan(10_000)
})

describe('keys that cannot be told apart', () => {
  const keyOf = (counter: number): Uint8Array => {
    const bytes = new Uint8Array(32).fill(0x5a)
    new DataView(bytes.buffer).setUint32(0, counter)
    return bytes
  }
  // Two of 80,000 that a search found: four bytes are few.
  const [one, other] = [54_886, 81_801].map((counter) => new VerifierKey('example.com/log', keyOf(counter)))

  test('are refused before anything is read', async () => {
    expect(one!.label).toBe('example.com/log+1de59c4c')
    expect(other!.label).toBe(one!.label)
    expect(sha256Hex(other!.publicKey)).not.toBe(sha256Hex(one!.publicKey))
    await expect(openNote('', [one!, other!])).rejects.toThrow(
      'keys: two different keys are named example.com/log+1de59c4c',
    )
  })

  test('of which one is given, fail by name', async () => {
    const note = formatNote({ text: TEXT, signatures: [{ ...lineOf(log), keyId: other!.id }] })
    expect(await openNote(note, [one!])).toMatchObject({
      refusal: { reason: 'bad_signature', key: one!.label },
    })
  })
})

test.each([undefined, 'key', [String(log.verifierKey)], [undefined], [log]])(
  '%j are no keys',
  async (keys) => {
    await expect(openNote(signNote(TEXT, [log]), keys as never)).rejects.toThrow(TypeError)
  },
)

test('what no note holds is not signed', () => {
  expect(() => signNote('no LF', [log])).toThrow(TypeError)
  expect(() => signNote(TEXT, [])).toThrow(RangeError)
})
