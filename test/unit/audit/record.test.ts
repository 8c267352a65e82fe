import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { beginsLikeALog, LineReader } from '../../../src/audit/line.js'
import { GENESIS, MAX_LINE_BYTES, SEAL_LENGTH, seal, sealedBytes } from '../../../src/audit/record.js'
import { shrink } from '../../../src/audit/shrink.js'
import { bytesOf } from '../../support/audit-logs.js'

const PARTS = {
  seq: 3,
  synced: 1,
  ts: '2026-01-01T00:00:00.000Z',
  envelope: '"log_id":"L","session_id":"S",',
  event: 'tool_call' as const,
  payload: '{"tool":"東京"}',
  budget: ',"budget":{"usd":1}',
  prevHash: GENESIS,
}

test('a sealed line ends in the SHA-256 of every byte before its last 75', () => {
  const { line, hash, seq } = seal(PARTS)
  const bytes = Buffer.from(line)
  const covered = bytes.subarray(0, bytes.length - SEAL_LENGTH)
  expect(createHash('sha256').update(covered).digest('hex')).toBe(hash)
  expect(line.endsWith(`,"hash":"${hash}"}`)).toBe(true)
  expect(seq).toBe(3)
  expect(SEAL_LENGTH).toBe(75)
})

test('a sealed line is JSON with its members in order', () => {
  const record = seal(PARTS)
  expect(Object.entries(record.parse())).toEqual([
    ['v', 1],
    ['seq', 3],
    ['synced', 1],
    ['ts', PARTS.ts],
    ['log_id', 'L'],
    ['session_id', 'S'],
    ['event', 'tool_call'],
    ['payload', { tool: '東京' }],
    ['budget', { usd: 1 }],
    ['prev_hash', GENESIS],
    ['hash', record.hash],
  ])
  expect(record.parse()).not.toBe(record.parse())
})

/** What a reader makes of a line that lies anywhere in some bytes; `undefined` when it is no record. */
function readLine(bytes: Uint8Array, start = 0, end = bytes.length) {
  const reader = new LineReader()
  if (!reader.read(bytes, start, end) || !reader.hasHashes()) return undefined
  const { seq, synced, prevHash } = reader
  return { seq, synced, prevHash, isSealed: reader.isSealed() }
}

test('a line is read as it was sealed', () => {
  const { line } = seal(PARTS)
  expect(readLine(bytesOf(line))).toEqual({ seq: 3, synced: 1, prevHash: GENESIS, isSealed: true })
  const changed = line.replace('tool_call', 'tool_cull')
  expect(readLine(bytesOf(changed))).toMatchObject({ seq: 3, isSealed: false })
})

test('a line is read wherever its bytes lie', () => {
  const { line } = seal(PARTS)
  const padded = bytesOf(`xx${line}yy`)
  expect(readLine(padded.subarray(2, -2))).toMatchObject({ isSealed: true })
  expect(readLine(padded, 2, padded.length - 2)).toMatchObject({ isSealed: true })
})

test.each([
  ['nothing', () => ''],
  ['too little', () => '{"v":1,"seq":0,"synced":-1,'],
  ['no version', (line: string) => line.replace('"v":1,', '')],
  ['no seq', (line: string) => line.replace('"seq":3', '"seq":')],
  ['a fractional seq', (line: string) => line.replace('"seq":3', '"seq":3.0')],
  ['a seq of 17 digits', (line: string) => line.replace('"seq":3', `"seq":${'1'.repeat(17)}`)],
  ['no synced', (line: string) => line.replace('"synced":1,', '')],
  ['a synced that is only a sign', (line: string) => line.replace('"synced":1', '"synced":-')],
  ['a short link', (line: string) => line.replace(GENESIS, GENESIS.slice(1))],
  ['a link in capitals', (line: string) => line.replace(GENESIS, 'A'.repeat(64))],
  ['a hash with other digits', (line: string) => `${line.slice(0, -3)}g"}`],
  ['an end of its own', (line: string) => `${line.slice(0, -1)} }`],
])('a line with %s is no record', (_, damage) => {
  expect(readLine(bytesOf(damage(seal(PARTS).line)))).toBeUndefined()
})

test('what a log begins with can be told from its first bytes', () => {
  const { line } = seal(PARTS)
  for (let length = 0; length <= line.length; length++)
    expect(beginsLikeALog(bytesOf(line.slice(0, length)))).toBe(true)
  for (const text of ['x', '{"v":2', '[', '{"v":1,"seq": '])
    expect(beginsLikeALog(bytesOf(text))).toBe(text.endsWith(' '))
})

test('an oversized payload loses its large members and keeps the others', () => {
  const huge = 'x'.repeat(2000)
  const text = shrink(JSON.stringify({ call_id: 'c', args: huge, n: 1, list: [huge], __proto__x: true }))
  expect(JSON.parse(text)).toEqual({
    call_id: 'c',
    args: { $omitted: 'too_large' },
    n: 1,
    list: { $omitted: 'too_large' },
    __proto__x: true,
  })
})

test('the bytes of the last record are those of its line, and of no other record', () => {
  const first = seal(PARTS)
  expect(Buffer.from(sealedBytes(first) ?? []).toString()).toBe(`${first.line}\n`)
  expect(Buffer.from(sealedBytes(first) ?? []).toString()).toBe(`${first.line}\n`)
  const second = seal({ ...PARTS, payload: '{}' })
  expect(sealedBytes(first)).toBeUndefined()
  expect(Buffer.from(sealedBytes(second) ?? []).toString()).toBe(`${second.line}\n`)
})

test.each([-2, -1, 0, 1, 2])('bytes are kept of a line of as many as a log may hold, %i more', (more) => {
  const rest = Buffer.byteLength(seal({ ...PARTS, payload: '' }).line) + 1
  const payload = `"${'x'.repeat(MAX_LINE_BYTES - rest - 2 + more)}"`
  const record = seal({ ...PARTS, payload })
  expect(createHash('sha256').update(record.line.slice(0, -SEAL_LENGTH)).digest('hex')).toBe(record.hash)
  const bytes = sealedBytes(record)
  if (more > 0) expect(bytes).toBeUndefined()
  else expect(Buffer.from(bytes ?? []).toString()).toBe(`${record.line}\n`)
})
