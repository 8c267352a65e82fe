import { expect, test } from 'vitest'
import { openNote, parseNote, VerifierKey } from 'writ/verify'
import { formatNote } from '../../../src/audit/note/signed-note.js'
import vector from '../../vectors/c2sp-note.json' with { type: 'json' }

const key = VerifierKey.parse(vector.vkey)

test('the published key is read, and written as it was', () => {
  expect(key).toMatchObject({ name: 'example.com/foo', id: '530d903a', label: 'example.com/foo+530d903a' })
  expect(String(key)).toBe(vector.vkey)
  expect(JSON.stringify({ key })).toBe(JSON.stringify({ key: vector.vkey }))
  expect(String(new VerifierKey(key.name, key.publicKey))).toBe(vector.vkey)
})

test('the published note verifies under it, as text and as bytes', async () => {
  for (const note of [vector.note, new TextEncoder().encode(vector.note)]) {
    expect(await openNote(note, [key])).toEqual({
      ok: true,
      value: { text: 'This is an example message.\n', signedBy: [key], unknown: [] },
    })
  }
})

test('the published note is written as it was', () => {
  const parsed = parseNote(vector.note)
  expect(parsed.ok && formatNote(parsed.value)).toBe(vector.note)
})

test('with any one character changed, it does not verify', async () => {
  const changed = Array.from(vector.note, (_, at) => {
    const characters = [...vector.note]
    characters[at] = characters[at] === 'A' ? 'B' : 'A'
    return characters.join('')
  })
  expect(changed).toHaveLength(140)
  for (const note of changed) expect(await openNote(note, [key])).toMatchObject({ ok: false })
})

test('cut anywhere, it is malformed', async () => {
  const bytes = new TextEncoder().encode(vector.note)
  for (let length = 0; length < bytes.length; length++) {
    const outcome = await openNote(bytes.subarray(0, length), [key])
    expect(outcome).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
  }
})
