import { describe, expect, test } from 'vitest'
import { MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, parseNote, type SignedNote } from 'writ/verify'
import { decodeBase64, encodeBase64 } from '../../../src/audit/note/base64.js'
import { formatNote } from '../../../src/audit/note/signed-note.js'
import { bytesOf } from '../../support/audit-logs.js'

const SIGNATURE = encodeBase64(new Uint8Array(68).fill(7))
const line = (name = 'example.com/log', base64 = SIGNATURE): string => `\u2014 ${name} ${base64}\n`
const noteOf = (...lines: string[]): string => `text\n\n${lines.join('')}`

describe('a note is read as it is written', () => {
  test('its text, and each signature with its name and key id', () => {
    expect(parseNote(noteOf(line(), line('b')))).toEqual({
      ok: true,
      value: {
        text: 'text\n',
        signatures: ['example.com/log', 'b'].map((name) => ({
          name,
          keyId: '07070707',
          signature: new Uint8Array(64).fill(7),
        })),
      },
    })
  })

  test.each([
    ['empty lines in the text', `a\n\nb\n\n\nc\n\n${line()}`, 'a\n\nb\n\n\nc\n'],
    ['a text that looks like a note', `${noteOf(line())}\n${line()}`, noteOf(line())],
    ['a text of one LF', `\n\n${line()}`, '\n'],
    ['a byte order mark, which is part of the text', `\ufeffa\n\n${line()}`, '\ufeffa\n'],
    [
      'every script',
      `\u00e9\u4e2d\u{1f600}\u007f\n\n${line('\u4e2d.example')}`,
      '\u00e9\u4e2d\u{1f600}\u007f\n',
    ],
    ['a signature of one byte', `a\n\n${line('b', encodeBase64(new Uint8Array(5)))}`, 'a\n'],
    ['a signature of 5 kB', `a\n\n${line('b', encodeBase64(new Uint8Array(5000)))}`, 'a\n'],
  ])('%s', (_, whole, text) => {
    for (const input of [whole, bytesOf(whole)]) {
      const parsed = parseNote(input)
      expect(parsed).toMatchObject({ ok: true, value: { text } })
      expect(parsed.ok && formatNote(parsed.value)).toBe(whole)
    }
  })

  test('up to the limits', () => {
    const rest = noteOf(line()).length + 1
    const longest = `${'x'.repeat(MAX_NOTE_BYTES - rest - 1)}${noteOf(line())}`
    expect(bytesOf(longest)).toHaveLength(MAX_NOTE_BYTES)
    expect(parseNote(longest).ok).toBe(true)
    expect(parseNote(bytesOf(longest)).ok).toBe(true)
    const most = Array.from({ length: MAX_NOTE_SIGNATURES }, (_, index) => line(`key${index}`))
    expect(parseNote(noteOf(...most)).ok).toBe(true)
  })

  test('what was read cannot be changed', () => {
    const parsed = parseNote(noteOf(line()))
    expect(Object.isFrozen(parsed)).toBe(true)
    expect(parsed.ok && Object.isFrozen(parsed.value) && Object.isFrozen(parsed.value.signatures)).toBe(true)
  })
})

describe('it is malformed', () => {
  const long = (bytes: number): string => `${'x'.repeat(bytes - noteOf(line()).length)}${noteOf(line())}`

  test.each<[string, string | Uint8Array, string]>([
    ['of nothing', '', 'no LF'],
    ['without its last LF', noteOf(line()).slice(0, -1), 'no LF'],
    ['without signatures', 'text\n\n', 'no signature'],
    ['without an empty line', `text\n${line()}`, 'no empty line'],
    ['with an empty line at its end', `${noteOf(line())}\n`, 'no signature'],
    ['with an empty line between signatures', noteOf(line(), '\n').concat('x\n'), 'signature line 1'],
    ['with CRLF', noteOf(line()).replaceAll('\n', '\r\n'), 'CRLF'],
    ['with a tab', `a\tb\n\n${line()}`, 'control character'],
    ['with a NUL', `a\u0000\n\n${line()}`, 'control character'],
    ['with trailing NULs', `${noteOf(line())}\u0000\u0000\n`, 'control character'],
    ['with half a surrogate pair', `\ud800\n\n${line()}`, 'not UTF-8'],
    ['in Latin-1', Uint8Array.of(0xe9, 0x0a, 0x0a), 'not UTF-8'],
    ['in UTF-16', Uint8Array.from(Buffer.from(noteOf(line()), 'utf16le')), 'control character'],
    ['with an overlong encoding', Uint8Array.of(0xc1, 0x8a, 0x0a), 'not UTF-8'],
    ['of 1 MiB and a byte', long(MAX_NOTE_BYTES + 1), 'longer than 1048576 bytes'],
    ['of 1 MiB characters, one of them of three bytes', long(MAX_NOTE_BYTES), 'longer than 1048576 bytes'],
    [
      'of 1 MiB in other characters',
      `${'\u20ac'.repeat(400_000)}${noteOf(line())}`,
      'longer than 1048576 bytes',
    ],
    ['of 1 MiB and a byte, as bytes', bytesOf(long(MAX_NOTE_BYTES)), 'longer than 1048576 bytes'],
    ['of 64 MiB', new Uint8Array(2 ** 26).fill(0x0a), 'longer than 1048576 bytes'],
    ['with a hyphen for the dash', noteOf(line()).replace('\u2014', '-'), 'em dash'],
    ['with an en dash', noteOf(line()).replace('\u2014', '\u2013'), 'em dash'],
    ['with a no-break space after the dash', noteOf(line()).replace('\u2014 ', '\u2014\u00a0'), 'em dash'],
    ['with no name', noteOf(`\u2014  ${SIGNATURE}\n`), 'name of a key'],
    ['with no signature on the line', noteOf('\u2014 name\n'), 'name of a key'],
    ['with a plus in the name', noteOf(line('a+b')), 'name of a key'],
    ['with a wide space in the name', noteOf(line('a\u3000b')), 'name of a key'],
    ['with U+0085 in the name', noteOf(line('a\u0085b')), 'name of a key'],
    ['with two spaces', noteOf(line('a', ` ${SIGNATURE}`)), 'base64'],
    ['with a space after it', noteOf(line('a', `${SIGNATURE} `)), 'base64'],
    ['with base64 cut', noteOf(line('a', SIGNATURE.slice(0, -1))), 'base64'],
    ['with base64 without its padding', noteOf(line('a', SIGNATURE.replace(/=/g, ''))), 'base64'],
    ['with padding too much', noteOf(line('a', `${SIGNATURE}====`)), 'base64'],
    ['with padding inside', noteOf(line('a', `${SIGNATURE}${SIGNATURE}`)), 'base64'],
    [
      'with URL-safe base64',
      noteOf(line('a', encodeBase64(new Uint8Array(68).fill(0xff)).replaceAll('/', '_'))),
      'base64',
    ],
    ['with bits that no byte uses', noteOf(line('a', SIGNATURE.replace(/.=$/, 'd='))), 'base64'],
    ['with an empty signature', noteOf(line('a', '')), 'too short'],
    ['with a key id alone', noteOf(line('a', encodeBase64(new Uint8Array(4)))), 'too short'],
    ['with its second line bad', noteOf(line(), line('a', '!')), 'signature line 2'],
  ])('%s', (_, note, detail) => {
    const outcome = parseNote(note)
    expect(outcome).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
    expect(outcome.ok || outcome.refusal.detail).toContain(detail)
    expect(Object.isFrozen(outcome)).toBe(true)
  })

  test('with 101 signatures, or 100,000, and that is known soon', () => {
    for (const count of [101, 60_000]) {
      const note = noteOf(...Array.from({ length: count }, () => line('a', 'AAAAAAAA')))
      if (count > 101) expect(note.length).toBeGreaterThan(700_000)
      expect(parseNote(note)).toMatchObject({
        refusal: { detail: expect.stringMatching(/more than 100 sig/) },
      })
    }
    const flood = bytesOf(noteOf(...Array.from({ length: 100_000 }, () => line())))
    const startMs = performance.now()
    expect(parseNote(flood)).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
    expect(performance.now() - startMs).toBeLessThan(1000)
  })

  test('and nothing of it is quoted', () => {
    const evil = '\u009b31mevil'
    for (const note of [noteOf(line(`${evil} x`)), noteOf(line(evil, '!')), `${evil}\n\n${evil}\n`]) {
      expect(JSON.stringify(parseNote(note))).not.toContain('evil')
    }
  })
})

describe('a note is not written', () => {
  const one = { name: 'a', keyId: '00000000', signature: new Uint8Array(64) }
  test.each<[string, Partial<SignedNote>]>([
    ['when its text has no last LF', { text: 'a' }],
    ['when its text has CRLF', { text: 'a\r\n' }],
    ['when its text has half a surrogate pair', { text: '\udc00\n' }],
    ['when its text is none', { text: 1 as never }],
    ['without signatures', { signatures: [] }],
    ['with 101 signatures', { signatures: Array.from({ length: 101 }, () => one) }],
    ['beyond 1 MiB', { text: `${'\u20ac'.repeat(350_000)}\n` }],
    ['with a name that is none', { signatures: [{ ...one, name: 'a b' }] }],
    ['with a key id that is none', { signatures: [{ ...one, keyId: '0000000G' }] }],
    ['with an empty signature', { signatures: [{ ...one, signature: new Uint8Array(0) }] }],
  ])('%s', (_, change) => {
    expect(() => formatNote({ text: 'a\n', signatures: [one], ...change })).toThrow(/note/)
  })
})

describe('base64', () => {
  test('is what Buffer writes, of whatever length', () => {
    for (const length of [0, 1, 2, 3, 31, 32, 8191, 8192, 8193, 100_000]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff)
      const text = encodeBase64(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('base64'))
      expect(decodeBase64(text)).toEqual(bytes)
    }
  })

  test('has one spelling', () => {
    for (const text of [
      'A',
      'AA',
      'AAA',
      'AB==',
      'AAB=',
      'A===',
      '====',
      '=',
      'AA==AA==',
      ' AAAA',
      'AAAA\n',
      'AA A',
      'AA-_',
      'AAA\u00e9',
    ]) {
      expect(decodeBase64(text)).toBeUndefined()
    }
  })
})
