/// <reference lib="es2023.array" />
import { describe, expect, test } from 'vitest'
import { parseSegmentName, segmentName, type VerifyOptions, verifyLog } from 'writ/verify'
import { sha256Hex } from '../../../src/core/digest.js'
import { bytesOf, fileOf, piecesOf } from '../../support/audit-logs.js'
import { headOf, keyOf, noteOver, segmentedLog } from '../../support/signed-logs.js'

const keys = [keyOf().verifierKey]
const { files, lines } = segmentedLog(
  Array.from({ length: 30 }, () => ({})),
  [7, 20],
)
const linesFrom = (index: number): string[] => files.slice(index).flatMap((file) => file.lines)

test('the name of a segment says where it begins, and is read back', () => {
  for (const [file, seq, name] of [
    ['audit.jsonl', 0, 'audit.000000000000.jsonl'],
    ['audit.jsonl', 1200, 'audit.000000001200.jsonl'],
    ['audit', 7, 'audit.000000000007'],
    ['.audit', 7, '.audit.000000000007'],
    ['a.b.c', 7, 'a.b.000000000007.c'],
    ['audit.jsonl', 1_234_567_890_123, 'audit.1234567890123.jsonl'],
    ['a.000000000001.jsonl', 2, 'a.000000000001.000000000002.jsonl'],
  ] as const) {
    expect(segmentName(file, seq)).toBe(name)
    expect(parseSegmentName(name)).toEqual({ file, firstSeq: seq })
  }
  for (const name of [
    'audit.jsonl',
    'audit.0012.jsonl',
    'audit.00000000000x.jsonl',
    '000000000000.jsonl',
    '.000000000000',
    'audit.0000000000001.jsonl',
    '',
  ]) {
    expect(parseSegmentName(name)).toBeUndefined()
  }
})

test('the segments of a log, one after the other, are one log', async () => {
  const whole = fileOf(lines)
  expect(await verifyLog(whole)).toMatchObject({
    verdict: 'UNANCHORED',
    first: 0,
    size: 30,
    findings: [{ kind: 'log_open' }],
  })
  for (let size = 1; size <= 30; size++) {
    expect(
      await verifyLog(piecesOf(whole, 999), { keys, checkpoints: [noteOver(lines, size)] }),
    ).toMatchObject({
      verdict: 'VALID',
      covered: size,
    })
  }
})

describe('a log whose oldest segments are gone', () => {
  test('begins where it says, and says that they are missing', async () => {
    for (const index of [1, 2]) {
      const report = await verifyLog(fileOf(linesFrom(index)))
      const first = [0, 7, 20][index]!
      expect(report).toMatchObject({ verdict: 'UNANCHORED', first, size: 30, covered: 0, fault: undefined })
      expect(report.head).toBe(headOf(lines).hash)
      expect(report.uncovered.records).toBe(30 - first)
      expect(report.findings[0]).toMatchObject({ kind: 'segment_missing', seq: first })
      expect(report.findings[0]?.detail).toContain(files[index - 1]!.name)
      expect(report.findings[0]?.detail).toContain('nothing in the log says')
    }
  })

  test('is covered by a checkpoint over what is left and what is gone', async () => {
    for (let size = 21; size <= 30; size++) {
      const report = await verifyLog(fileOf(linesFrom(2)), { keys, checkpoints: [noteOver(lines, size)] })
      expect(report).toMatchObject({
        verdict: 'VALID',
        first: 20,
        covered: size,
        uncovered: { records: 30 - size },
      })
    }
    expect(
      await verifyLog(fileOf(linesFrom(2)), { remembered: { heads: [headOf(lines, 25)] } }),
    ).toMatchObject({
      verdict: 'VALID',
      assurance: 'anchored',
    })
  })

  test('is not covered by what is only over what is gone', async () => {
    for (const size of [1, 19, 20]) {
      for (const options of [
        { keys, checkpoints: [noteOver(lines, size)] },
        { remembered: { heads: [headOf(lines, size)] } },
      ] satisfies VerifyOptions[]) {
        const report = await verifyLog(fileOf(linesFrom(2)), options)
        expect(report).toMatchObject({ verdict: 'UNANCHORED', covered: 0, uncovered: { records: 10 } })
        expect(report.findings.map(({ kind }) => kind)).toContain('unchecked')
        expect(report.checkpoints).toMatchObject([{ size, outcome: 'unchecked' }])
      }
    }
  })

  test('is another log where what is gone is another', async () => {
    const strange = { size: 20, hash: 'a'.repeat(64) }
    expect(await verifyLog(fileOf(linesFrom(2)), { remembered: { heads: [strange] } })).toMatchObject({
      verdict: 'REWRITTEN',
    })
    const other = segmentedLog(
      Array.from({ length: 30 }, (_, seq) => (seq === 1 ? { payload: '{"other":1}' } : {})),
      [7, 20],
    )
    const tail = other.files[2]!.lines
    for (const size of [20, 21, 30]) {
      expect(await verifyLog(fileOf(tail), { keys, checkpoints: [noteOver(lines, size)] })).toMatchObject({
        verdict: 'REWRITTEN',
      })
    }
  })

  test('without the hashes of its tree: a head is compared, a root cannot be', async () => {
    const bare = segmentedLog(
      Array.from({ length: 12 }, () => ({})),
      [7],
      { tree: false },
    )
    const tail = fileOf(bare.files[1]!.lines)
    expect(await verifyLog(tail, { remembered: { heads: [headOf(bare.lines, 12)] } })).toMatchObject({
      verdict: 'VALID',
    })
    const report = await verifyLog(tail, { keys, checkpoints: [noteOver(bare.lines)] })
    expect(report).toMatchObject({ verdict: 'UNANCHORED', covered: 0 })
    expect(report.findings.find(({ kind }) => kind === 'unchecked')?.detail).toContain('hashes of the tree')
    // With all of it there is nothing to go on from.
    expect(await verifyLog(fileOf(bare.lines), { keys, checkpoints: [noteOver(bare.lines)] })).toMatchObject({
      verdict: 'VALID',
    })
  })

  test('is shorter than what was signed', async () => {
    expect(
      await verifyLog(fileOf(linesFrom(2).slice(0, 3)), { keys, checkpoints: [noteOver(lines, 25)] }),
    ).toMatchObject({
      verdict: 'TRUNCATED',
      size: 23,
    })
  })

  test('with a record of their removal: the finding says so', async () => {
    const pruned = (file: string, firstSeq: number, records: number) => ({
      event: 'log_pruned',
      payload: JSON.stringify({
        segments: [{ file, first_seq: firstSeq, records, hash: 'x' }],
        reason: 'max_segments',
      }),
    })
    const detailWith = async (part: object): Promise<string> => {
      const log = segmentedLog([...Array.from({ length: 12 }, () => ({})), part], [7])
      return (await verifyLog(fileOf(log.files[1]!.lines))).findings[0]?.detail ?? ''
    }
    const own = 'the log says that it was removed by its own rule'
    expect(await detailWith(pruned('audit.000000000000.jsonl', 0, 7))).toContain(own)
    for (const part of [
      pruned('other', 0, 7),
      pruned('audit.000000000000.jsonl', 0, 6),
      { event: 'log_pruned', payload: '{"segments":[null,1,{}]}' },
    ]) {
      expect(await detailWith(part)).not.toContain(own)
    }
  })
})

describe('a first record that claims to go on from others is TAMPERED', () => {
  const first = files[1]!.lines[0]!
  const resealed = (line: string): string => {
    const body = line.slice(0, -75)
    return `${body},"hash":"${sha256Hex(body)}"}`
  }

  test.each<[name: string, change: (line: string) => string]>([
    ['where it is no log_open', (line) => line.replace('"event":"log_open"', '"event":"log_close"')],
    ['of another size', (line) => line.replace('"size":7', '"size":8')],
    [
      'of another hash',
      (line) => line.replace(/"hash":"[0-9a-f]{64}","tree"/, `"hash":"${'a'.repeat(64)}","tree"`),
    ],
    ['of no hash', (line) => line.replace(/"hash":"[0-9a-f]{64}","tree"/, '"hash":"x","tree"')],
    ['of no file', (line) => line.replace('"file":"', '"fill":"')],
    ['of nothing', (line) => line.replace('"previous"', '"previously"')],
  ])('%s', async (_, change) => {
    const report = await verifyLog(bytesOf(`${resealed(change(first))}\n`))
    expect(report).toMatchObject({
      verdict: 'TAMPERED',
      size: 0,
      first: 0,
      fault: { seq: 0, detail: 'its seq is 7' },
    })
  })

  test('and where it does not, so that the change alone is what is caught', async () => {
    expect(await verifyLog(bytesOf(`${resealed(first)}\n`))).toMatchObject({
      verdict: 'UNANCHORED',
      first: 7,
      size: 8,
    })
  })

  test('a segment that is missing between two others', async () => {
    const report = await verifyLog(fileOf([...files[0]!.lines, ...files[2]!.lines]))
    expect(report).toMatchObject({ verdict: 'TAMPERED', size: 7, fault: { seq: 7 } })
  })

  test('segments in another order', async () => {
    expect(await verifyLog(fileOf([...files[1]!.lines, ...files[0]!.lines]))).toMatchObject({
      verdict: 'TAMPERED',
      size: 20,
      first: 7,
    })
  })
})
