import { expect, test } from 'vitest'
import { formatTlogProof, leafHash, MAX_NOTE_BYTES, parseTlogProof, type TlogProof } from 'writ/verify'

const hashes = [leafHash('a'), leafHash('b')]
const lines = hashes.map((hash) => Buffer.from(hash).toString('base64'))
const checkpoint = `example.com/log\n3\n${lines[0]}\n\n\u2014 example.com/log AAAA\n`
const HEADER = 'c2sp.org/tlog-proof@v1'

test('a proof is written as C2SP says, and read as it is written', () => {
  const proof: TlogProof = { index: 2, hashes, checkpoint }
  const text = formatTlogProof(proof)
  expect(text).toBe(`${HEADER}\nindex 2\n${lines.join('\n')}\n\n${checkpoint}`)
  expect(parseTlogProof(text)).toEqual({ ok: true, value: proof })
  expect(parseTlogProof(new TextEncoder().encode(text))).toEqual({ ok: true, value: proof })
})

test.each<[string, TlogProof, string]>([
  [
    'with extra data',
    { index: 0, hashes, checkpoint, extra: Uint8Array.of(0, 255) },
    `${HEADER}\nextra AP8=\nindex 0\n`,
  ],
  [
    'with extra data of no bytes',
    { index: 0, hashes, checkpoint, extra: new Uint8Array(0) },
    `${HEADER}\nextra \nindex 0\n`,
  ],
  ['of a log of one record', { index: 0, hashes: [], checkpoint }, `${HEADER}\nindex 0\n\nexample.com/log\n`],
  ['of the largest index', { index: 2 ** 53 - 1, hashes, checkpoint }, `${HEADER}\nindex 9007199254740991\n`],
  [
    'with as many hashes as there can be',
    { index: 1, hashes: Array(63).fill(hashes[0]), checkpoint },
    HEADER,
  ],
])('so is one %s', (_, proof, start) => {
  const text = formatTlogProof(proof)
  expect(text.slice(0, start.length)).toBe(start)
  expect(parseTlogProof(text)).toEqual({ ok: true, value: proof })
})

test('what follows the checkpoint is part of it', () => {
  const text = `${formatTlogProof({ index: 2, hashes, checkpoint })}more\n`
  expect(parseTlogProof(text)).toMatchObject({ ok: true, value: { checkpoint: `${checkpoint}more\n` } })
})

const proofOf = (...header: string[]): string => `${header.join('\n')}\n\n${checkpoint}`

test.each<[string, string | Uint8Array, string]>([
  ['nothing', '', 'no empty line'],
  ['a checkpoint alone', checkpoint, 'its first line'],
  ['another version', proofOf('c2sp.org/tlog-proof@v2', 'index 2'), 'its first line'],
  ['a space after the version', proofOf(`${HEADER} `, 'index 2'), 'its first line'],
  ['a byte order mark', `\ufeff${proofOf(HEADER, 'index 2')}`, 'its first line'],
  ['no index', proofOf(HEADER), 'no index line'],
  ['a hash before the index', proofOf(HEADER, lines[0]!, 'index 2'), 'no index line'],
  ['the index before the extra data', proofOf(HEADER, 'index 2', 'extra AAAA'), 'hash 1'],
  ['extra data twice', proofOf(HEADER, 'extra AAAA', 'extra AAAA', 'index 2'), 'no index line'],
  ['extra data without padding', proofOf(HEADER, 'extra AA', 'index 2'), 'extra line'],
  ['extra data in another spelling', proofOf(HEADER, 'extra AB==', 'index 2'), 'extra line'],
  ['a negative index', proofOf(HEADER, 'index -2'), 'index line'],
  ['a leading zero', proofOf(HEADER, 'index 02'), 'index line'],
  ['two spaces', proofOf(HEADER, 'index  2'), 'index line'],
  ['an index of 2^53', proofOf(HEADER, 'index 9007199254740992'), 'index line'],
  ['an empty index', proofOf(HEADER, 'index '), 'index line'],
  ['a short hash', proofOf(HEADER, 'index 2', lines[0]!, 'AAAA'), 'hash 2'],
  ['a hash without padding', proofOf(HEADER, 'index 2', lines[0]!.slice(0, -1)), 'hash 1'],
  ['64 hashes', proofOf(HEADER, 'index 2', ...Array<string>(64).fill(lines[0]!)), 'more than 63'],
  ['20,000 hashes', proofOf(HEADER, 'index 2', ...Array<string>(20_000).fill(lines[0]!)), 'more than 63'],
  [
    '64 hashes after extra data',
    proofOf(HEADER, 'extra AAAA', 'index 2', ...Array<string>(64).fill(lines[0]!)),
    'more than 63',
  ],
  ['CRLF', proofOf(HEADER, 'index 2').replaceAll('\n', '\r\n'), 'CRLF'],
  ['what is not UTF-8', Uint8Array.of(0xff, 0x0a, 0x0a), 'UTF-8'],
  ['1 MiB and a byte', proofOf(HEADER, 'index 2').padEnd(MAX_NOTE_BYTES, 'x'), 'longer than'],
])('%s makes no proof', (_, proof, detail) => {
  const outcome = parseTlogProof(proof)
  expect(outcome).toMatchObject({ ok: false, refusal: { reason: 'malformed' } })
  expect(outcome.ok || outcome.refusal.detail).toContain(detail)
})

test.each<[string, Partial<TlogProof>]>([
  ['a negative index', { index: -1 }],
  ['a short hash', { hashes: [new Uint8Array(31)] }],
  ['64 hashes', { hashes: Array<Uint8Array>(64).fill(hashes[0]!) }],
  ['a checkpoint with CRLF', { checkpoint: 'a\r\n' }],
  ['more than 1 MiB', { extra: new Uint8Array(800_000) }],
])('%s is not written', (_, change) => {
  expect(() => formatTlogProof({ index: 2, hashes, checkpoint, ...change })).toThrow()
})
