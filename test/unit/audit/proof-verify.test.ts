import { describe, expect, test } from 'vitest'
import {
  CompactTree,
  formatTlogProof,
  leafHash,
  ProofBuilder,
  parseTlogProof,
  type TlogProof,
  verifyRecordProof,
} from 'writ/verify'
import { formatCheckpoint } from '../../../src/audit/note/checkpoint.js'
import { signNote } from '../../../src/audit/note/sign-note.js'
import { SigningKey } from '../../../src/audit/note/signing-key.js'
import { bytesOf, chain, rewritten } from '../../support/audit-logs.js'

const ORIGIN = 'example.com/log'
const log = SigningKey.generate(ORIGIN)
const trust = { keys: [log.verifierKey] }
const lines = chain(Array.from({ length: 11 }, () => ({})))

function noteOf(all: readonly string[], key = log, origin = ORIGIN): string {
  const tree = new CompactTree()
  for (const line of all) tree.append(leafHash(line))
  return signNote(formatCheckpoint({ origin, size: tree.size, root: tree.root() }), [key])
}

function proofOf(index: number, all: readonly string[] = lines, note = noteOf(all)): TlogProof {
  const builder = ProofBuilder.inclusion(index, all.length)
  for (const line of all) builder.push(leafHash(line))
  return { index, hashes: builder.finish(), checkpoint: note }
}

test('every record of a log is proven by its own proof, and by no other', async () => {
  for (const [index, line] of lines.entries()) {
    const proof = formatTlogProof(proofOf(index))
    for (const given of [line, `${line}\n`, bytesOf(line), bytesOf(`${line}\n`)]) {
      expect(await verifyRecordProof(proof, given, trust)).toMatchObject({
        ok: true,
        value: { index, checkpoint: { origin: ORIGIN, size: 11 }, signedBy: trust.keys },
      })
    }
    const other = lines[(index + 1) % lines.length]!
    expect(await verifyRecordProof(proof, other, trust)).toEqual({
      ok: false,
      refusal: {
        reason: 'not_included',
        detail: `the record is not record ${index} of the 11 that were signed`,
      },
    })
  }
})

describe('nothing is proven', () => {
  const proof = proofOf(7)
  const text = formatTlogProof(proof)
  const line = lines[7]!
  const impostor = SigningKey.generate(ORIGIN)
  const stranger = SigningKey.generate('example.com/stranger')

  test.each<[string, string | Uint8Array, string, string]>([
    ['of a record that was changed', text, line.replace('"depth":0', '"depth":1'), 'not_included'],
    [
      'of a record that was sealed anew',
      text,
      rewritten([line.replace('"depth":0', '"depth":1')])[0]!,
      'not_included',
    ],
    ['at another index', formatTlogProof({ ...proof, index: 6 }), line, 'not_included'],
    ['at an index beyond the size', formatTlogProof({ ...proof, index: 11 }), line, 'not_included'],
    ['by too few hashes', formatTlogProof({ ...proof, hashes: proof.hashes.slice(1) }), line, 'not_included'],
    [
      'by too many hashes',
      formatTlogProof({ ...proof, hashes: [...proof.hashes, leafHash('')] }),
      line,
      'not_included',
    ],
    [
      'by hashes in another order',
      formatTlogProof({ ...proof, hashes: proof.hashes.toReversed() }),
      line,
      'not_included',
    ],
    [
      'by a checkpoint of another size',
      formatTlogProof({ ...proof, checkpoint: noteOf(lines.slice(0, 9)) }),
      line,
      'not_included',
    ],
    [
      'by another key of the same name',
      formatTlogProof({ ...proof, checkpoint: noteOf(lines, impostor) }),
      line,
      'unknown_keys',
    ],
    [
      'by a stranger',
      formatTlogProof({ ...proof, checkpoint: noteOf(lines, stranger) }),
      line,
      'unknown_keys',
    ],
    [
      'by a checkpoint that was changed',
      text.replace(`${ORIGIN}\n11\n`, `${ORIGIN}\n12\n`),
      line,
      'bad_signature',
    ],
    [
      'by a checkpoint of another log',
      formatTlogProof({ ...proof, checkpoint: noteOf(lines, log, 'example.com/b') }),
      line,
      'other_origin',
    ],
    [
      'by a note that is no checkpoint',
      formatTlogProof({ ...proof, checkpoint: signNote('x\n', [log]) }),
      line,
      'malformed',
    ],
    ['by no note', formatTlogProof({ ...proof, checkpoint: 'x\n' }), line, 'malformed'],
    ['by no proof', noteOf(lines), line, 'malformed'],
    ['of what is no record', text, '{}', 'malformed'],
    ['of nothing', text, '', 'malformed'],
    ['of a record with CRLF', text, `${line}\r\n`, 'malformed'],
    ['of a record with two LF', text, `${line}\n\n`, 'malformed'],
    ['of two records', text, `${line}\n${lines[8]}\n`, 'not_included'],
    ['of an inner node that is passed off as a record', text, `\u0001${line}`, 'malformed'],
  ])('%s', async (_, given, record, reason) => {
    expect(await verifyRecordProof(given, record, trust)).toMatchObject({ ok: false, refusal: { reason } })
  })

  test('by a proof that was cut anywhere', async () => {
    const bytes = bytesOf(text)
    for (let length = 0; length < bytes.length; length++) {
      const outcome = await verifyRecordProof(bytes.subarray(0, length), line, trust)
      expect(outcome).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
    }
  })

  test('by a proof with any byte changed, or it still proves the same', async () => {
    const bytes = bytesOf(text)
    for (let at = 0; at < bytes.length; at++) {
      const outcome = await verifyRecordProof(bytes.with(at, bytes[at]! ^ 1), line, trust)
      expect(outcome.ok).toBe(false)
    }
  })
})

test('extra data is believed by nobody, and changes nothing', async () => {
  const proof = formatTlogProof({ ...proofOf(3), extra: bytesOf('trust me') })
  const outcome = await verifyRecordProof(proof, lines[3]!, trust)
  expect(outcome).toMatchObject({ ok: true, value: { index: 3 } })
  expect(outcome.ok && outcome.value).not.toHaveProperty('extra')
  const parsed = parseTlogProof(proof)
  expect(parsed.ok && parsed.value.extra).toEqual(bytesOf('trust me'))
})

describe('a key that signs what is no log of records', () => {
  test('does not make a record of another number out of it', async () => {
    const moved = [lines[1]!, lines[0]!]
    expect(await verifyRecordProof(formatTlogProof(proofOf(0, moved)), lines[1]!, trust)).toMatchObject({
      refusal: {
        reason: 'not_included',
        detail: expect.stringContaining('not a sound record of that number'),
      },
    })
  })

  test('nor a record out of a line whose hash does not match', async () => {
    const broken = lines[0]!.replace('"depth":0', '"depth":1')
    const proof = formatTlogProof(proofOf(0, [broken]))
    expect(await verifyRecordProof(proof, broken, trust)).toMatchObject({
      refusal: {
        reason: 'not_included',
        detail: expect.stringContaining('not a sound record of that number'),
      },
    })
  })
})
