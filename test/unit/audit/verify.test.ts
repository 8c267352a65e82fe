import { describe, expect, test } from 'vitest'
import { EXIT_CODES, LogVerifier, verifyLog } from 'writ/verify'
import { GENESIS, MAX_LINE_BYTES } from '../../../src/audit/record.js'
import { bytesOf, chain, fileOf, LOG_ID, piecesOf, rewritten } from '../../support/audit-logs.js'

const five = chain(Array.from({ length: 5 }, () => ({})))
const hashOf = (line: string | undefined): string => (JSON.parse(line ?? '') as { hash: string }).hash

describe('the report', () => {
  test('of a sound log: its size, its bytes, its head, its id, no fault, and nothing can change it', async () => {
    const bytes = fileOf(five)
    const report = await verifyLog(bytes)
    expect(report).toEqual({
      verdict: 'UNANCHORED',
      assurance: undefined,
      first: 0,
      size: 5,
      bytes: bytes.length,
      head: hashOf(five[4]),
      logId: LOG_ID,
      fault: undefined,
      covered: 0,
      anchored: 0,
      uncovered: { records: 5, since: '2026-01-01T00:00:00.000Z' },
      checkpoints: [],
      findings: [],
    })
    expect(Object.isFrozen(report)).toBe(true)
  })

  test('of a broken log: what holds, and where and how it fails', async () => {
    const lines = [...five]
    lines[2] = lines[2]!.replace('"depth":0', '"depth":1')
    expect(await verifyLog(fileOf(lines))).toMatchObject({
      verdict: 'TAMPERED',
      size: 2,
      bytes: fileOf(lines).length,
      head: hashOf(five[1]),
      logId: LOG_ID,
      fault: {
        seq: 2,
        offset: fileOf(lines.slice(0, 2)).length,
        detail: 'its hash does not match its bytes',
      },
    })
  })

  test('of nothing', async () => {
    expect(await verifyLog(new Uint8Array(0))).toMatchObject({
      verdict: 'MALFORMED',
      size: 0,
      bytes: 0,
      head: undefined,
      logId: undefined,
      fault: { seq: 0, offset: 0, detail: 'the log is empty' },
    })
  })

  test('every verdict has its exit status, and only VALID has 0', () => {
    expect(EXIT_CODES).toEqual({
      VALID: 0,
      UNANCHORED: 1,
      TAMPERED: 2,
      TRUNCATED: 3,
      REWRITTEN: 4,
      UNTRUSTED: 5,
      MALFORMED: 6,
      CRASH_DAMAGED: 7,
    })
    expect(Object.isFrozen(EXIT_CODES)).toBe(true)
  })
})

describe('each rule of the chain has its own fault', () => {
  const alter = (index: number, from: RegExp | string, to: string): string[] =>
    five.map((line, at) => (at === index ? line.replace(from, to) : line))

  test.each<[name: string, lines: string[], seq: number, detail: string]>([
    ['a hash', alter(2, '"depth":0', '"depth":1'), 2, 'its hash does not match its bytes'],
    ['a seq', rewritten(alter(2, '"seq":2', '"seq":7')), 2, 'its seq is 7'],
    ['a missing line, sealed anew', rewritten([...five.slice(0, 2), ...five.slice(3)]), 2, 'its seq is 3'],
    [
      'a link',
      [...five.slice(0, 2), ...chain([{}, {}, {}]).slice(2), five[3]!].with(2, other(2)),
      2,
      'prev_hash',
    ],
    ['a first link', [other(1)], 0, 'its seq is 1'],
    [
      'a watermark',
      rewritten(alter(3, '"synced":-1', '"synced":3')),
      3,
      'record 3 was on stable storage before',
    ],
    ['a version', rewritten(alter(0, '"v":1', '"v":2')), 0, 'not a record'],
    [
      'the order of members',
      rewritten(alter(1, /"seq":1,"synced":-1/, '"synced":-1,"seq":1')),
      1,
      'not a record',
    ],
    ['a blank', rewritten(alter(1, '"seq":1', '"seq": 1')), 1, 'not a record'],
    ['a seq with a leading zero', rewritten(alter(1, '"seq":1', '"seq":01')), 1, 'not a record'],
    ['a seq that is a text', rewritten(alter(1, '"seq":1', '"seq":"1"')), 1, 'not a record'],
    [
      'a hash in capitals',
      alter(4, /[0-9a-f]{64}"}$/, `${hashOf(five[4]).toUpperCase()}"}`),
      4,
      'not a record',
    ],
    ['something after the hash', alter(4, /"}$/, '","x":1}'), 4, 'not a record'],
    ['text in a line of its own', [...five, 'hello'], 5, 'not a record'],
  ])('%s', async (_, lines, seq, detail) => {
    const report = await verifyLog(fileOf(lines))
    expect(report.fault).toMatchObject({ seq, detail: expect.stringContaining(detail) })
    expect(report.size).toBe(seq)
    expect(['TAMPERED', 'MALFORMED']).toContain(report.verdict)
  })
})

describe('the first line decides whether this is a log at all', () => {
  test.each([
    ['hello\n', 'MALFORMED'],
    ['{}\n', 'MALFORMED'],
    ['\ufeff{"v":1,"seq":0', 'MALFORMED'],
    ['{"v":2,"seq":0,"synced":-1,', 'MALFORMED'],
    [' {"v":1,"seq":0,', 'MALFORMED'],
    ['\u0000\u0000', 'CRASH_DAMAGED'],
    ['\u0000\u0000\n', 'MALFORMED'],
    [`${'\u0000'.repeat(4095)}{\n`, 'MALFORMED'],
    [`${'\u0000'.repeat(4096)}{\n`, 'CRASH_DAMAGED'],
    ['{"v":1,"se', 'CRASH_DAMAGED'],
    ['{', 'CRASH_DAMAGED'],
    ['{"v":1,"seq":0,"synced":-1,"ts":"2026-', 'CRASH_DAMAGED'],
    ['{"v":1,"seq":0,"synced":-1}\n', 'TAMPERED'],
  ])('%.60j is %s', async (text, verdict) => {
    expect((await verifyLog(bytesOf(text))).verdict).toBe(verdict)
  })
})

describe('a line may be so long and no longer', () => {
  const lineOf = (bytes: number): string => {
    const empty = chain([{ payload: '{"x":""}' }])[0]!
    return chain([{ payload: `{"x":"${'y'.repeat(bytes - 1 - empty.length)}"}` }])[0]!
  }

  test.each([1, 7, 4096, 65_534, 65_535, 65_536, 1_000_000])('in pieces of %i bytes', async (size) => {
    const longest = lineOf(MAX_LINE_BYTES)
    expect(longest).toHaveLength(MAX_LINE_BYTES - 1)
    expect(await verifyLog(piecesOf(fileOf([longest]), size))).toMatchObject({
      verdict: 'UNANCHORED',
      size: 1,
    })
    const longer = await verifyLog(piecesOf(fileOf([lineOf(MAX_LINE_BYTES + 1), 'x']), size))
    expect(longer).toMatchObject({ verdict: 'TAMPERED', size: 0, fault: { seq: 0, offset: 0 } })
    expect(longer.fault?.detail).toContain('longer than 65535 bytes')
  })

  test('one that goes on for ever takes no memory', () => {
    const verifier = new LogVerifier()
    const chunk = new Uint8Array(1024 * 1024).fill(0x78)
    verifier.push(fileOf(five))
    globalThis.gc?.()
    const before = process.memoryUsage().arrayBuffers
    for (let pushed = 0; pushed < 64; pushed++) verifier.push(chunk)
    globalThis.gc?.()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
    expect(verifier.finish()).toMatchObject({ verdict: 'TAMPERED', size: 5, fault: { seq: 5 } })
  })

  test('after it, the offsets are right again', async () => {
    const lines = [five[0]!, 'x'.repeat(200_000), five[1]!]
    const report = await verifyLog(piecesOf(fileOf(lines), 4096))
    expect(report).toMatchObject({
      size: 1,
      bytes: fileOf(lines).length,
      fault: { seq: 1, offset: five[0]!.length + 1 },
    })
  })
})

test('the bytes of a line are what counts: duplicate keys, numbers and escapes are not interpreted', async () => {
  const payloads = ['{"a":1,"a":2}', '{"n":1.0e400}', '{"s":"\\u0041A\\/"}', '{ "x" :  1 }', '{"s":"\u009b"}']
  const lines = chain(payloads.map((payload) => ({ payload })))
  expect(await verifyLog(fileOf(lines))).toMatchObject({ verdict: 'UNANCHORED', size: 5 })
  for (const [index, line] of lines.entries()) {
    const same = line.replace('"a":1,"a":2', '"a":2').replace('1.0e400', '1e400').replace('\\u0041A', 'AA')
    const canonical = same.replace('{ "x" :  1 }', '{"x":1}').replace('\u009b', '\\u009b')
    const report = await verifyLog(fileOf(lines.with(index, canonical)))
    expect(report).toMatchObject({ verdict: 'TAMPERED', size: index })
  }
})

test('bytes that are no UTF-8 are bytes like others', async () => {
  const bytes = fileOf(five)
  const changed = bytes.slice()
  changed[bytes.indexOf(0x64, 300)] = 0xff
  expect((await verifyLog(changed)).verdict).toBe('TAMPERED')
})

describe('a source', () => {
  test('may be bytes, pieces, or pieces that come later', async () => {
    const bytes = fileOf(five)
    async function* later(): AsyncGenerator<Uint8Array> {
      for (const piece of piecesOf(bytes, 100)) {
        await Promise.resolve()
        yield piece
      }
    }
    const whole = await verifyLog(bytes)
    expect(await verifyLog(piecesOf(bytes, 100))).toEqual(whole)
    expect(await verifyLog(later())).toEqual(whole)
    expect(await verifyLog([bytes.subarray(0, 9), new Uint8Array(0), bytes.subarray(9)])).toEqual(whole)
  })

  test('may use one buffer for all its pieces', async () => {
    const bytes = fileOf(five)
    function* reusing(): Generator<Uint8Array> {
      const buffer = new Uint8Array(64)
      for (const piece of piecesOf(bytes, 64)) {
        buffer.fill(0)
        buffer.set(piece)
        yield buffer.subarray(0, piece.length)
      }
    }
    expect(await verifyLog(reusing())).toEqual(await verifyLog(bytes))
  })

  test('may come in pieces of any size, out of one buffer: what is compared later is kept', async () => {
    const bytes = fileOf(five)
    const whole = await verifyLog(bytes)
    for (let size = 1; size <= 3 * five[0]!.length; size++) {
      const buffer = new Uint8Array(size)
      function* reusing(): Generator<Uint8Array> {
        for (const piece of piecesOf(bytes, size)) {
          buffer.fill(0x78)
          buffer.set(piece)
          yield buffer.subarray(0, piece.length)
        }
      }
      expect(await verifyLog(reusing())).toEqual(whole)
    }
  })

  test('that fails is not swallowed', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield fileOf(five)
      throw new RangeError('no more')
    }
    await expect(verifyLog(broken())).rejects.toThrow('no more')
  })
})

describe('damage', () => {
  const marks = (...synced: number[]): string[] => chain(synced.map((each) => ({ synced: each })))
  const lines = marks(-1, -1, -1, 1, 1, 1)
  const startOf = (index: number): number => fileOf(lines.slice(0, index)).length
  const holed = (index: number): Uint8Array => {
    const bytes = fileOf(lines)
    return bytes.fill(0, startOf(index) + 40, startOf(index) + 60)
  }

  test.each([
    [0, 'TAMPERED'],
    [1, 'TAMPERED'],
    [2, 'CRASH_DAMAGED'],
    [3, 'CRASH_DAMAGED'],
    [5, 'CRASH_DAMAGED'],
  ])('a hole in record %i, where record 3 says that 1 was stored, is %s', async (index, verdict) => {
    const report = await verifyLog(holed(index))
    expect(report).toMatchObject({ verdict, size: index, fault: { seq: index, offset: startOf(index) } })
  })

  test('only a sound line can turn damage into tampering', async () => {
    const bytes = holed(1)
    for (let index = 3; index < 6; index++) bytes[startOf(index) + 100]! ^= 1
    expect((await verifyLog(bytes)).verdict).toBe('CRASH_DAMAGED')
  })

  test('a changed byte is never damage, wherever it is', async () => {
    for (const index of lines.keys()) {
      const bytes = fileOf(lines)
      bytes[startOf(index) + 100]! ^= 1
      expect(await verifyLog(bytes)).toMatchObject({ verdict: 'TAMPERED', size: index })
    }
  })

  test('a line too long is damage only where it holds zeros, however it arrives', async () => {
    for (const [fill, verdict] of [
      [0, 'CRASH_DAMAGED'],
      [0x78, 'TAMPERED'],
    ] as const) {
      const hole = new Uint8Array(200_000).fill(fill)
      const bytes = new Uint8Array([...fileOf(five), ...hole])
      for (const size of [7, 4096, bytes.length]) {
        expect(await verifyLog(piecesOf(bytes, size))).toMatchObject({ verdict, size: 5 })
      }
    }
  })
})

test('the fault is known as soon as its line has been pushed, and does not change', () => {
  const verifier = new LogVerifier()
  const bytes = fileOf(five.with(2, five[2]!.replace('"depth":0', '"depth":1')))
  const end = fileOf(five.slice(0, 3)).length
  verifier.push(bytes.subarray(0, end - 1))
  expect(verifier.fault).toBeUndefined()
  verifier.push(bytes.subarray(end - 1, end))
  const { fault } = verifier
  expect(fault).toMatchObject({ seq: 2 })
  verifier.push(bytes.subarray(end))
  expect(verifier.finish().fault).toBe(fault)
})

/** A sound line of another chain. */
function other(index: number): string {
  return chain(Array.from({ length: index + 1 }, () => ({ payload: '{"other":true}' })))[index]!
}

test('the chain begins with 64 zeros', () => {
  expect(GENESIS).toBe('0'.repeat(64))
  expect(five[0]).toContain(`"prev_hash":"${GENESIS}"`)
})
