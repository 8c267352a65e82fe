import { describe, expect, test } from 'vitest'
import { AegrailVerifier, type Verdict, verifyAegrailLog } from 'writ/verify'
import { MAX_AEGRAIL_LINE_BYTES } from '../../../src/audit/aegrail/verifier.js'
import {
  aegrailBytes,
  aegrailChain,
  aegrailJson,
  aegrailLine,
  aegrailLines,
} from '../../support/aegrail-logs.js'
import { bytesOf, chain, fileOf, piecesOf } from '../../support/audit-logs.js'

interface Sample {
  readonly file: string
  readonly authentic: boolean
  /** What aegrail's own verifier says: whether the log is valid, and the first record that is not. */
  readonly aegrail_verify_chain: readonly [boolean, number | string]
}

/** Of each log: the verdict, the records that hold, and what is said of the first that does not. */
const EXPECTED: { readonly [file: string]: readonly [Verdict, number, string?] } = {
  'happy.jsonl': ['UNANCHORED', 12],
  'happy.reformatted.jsonl': ['UNANCHORED', 12],
  'happy.blank-lines.jsonl': ['UNANCHORED', 12],
  'happy.crlf.jsonl': ['UNANCHORED', 12],
  'happy.tampered-edit.jsonl': ['TAMPERED', 6, 'its event_hash does not match its members'],
  'happy.tampered-delete.jsonl': ['TAMPERED', 6, 'its prev_hash is not the hash of the record before'],
  'happy.tampered-swap.jsonl': ['TAMPERED', 6, 'its prev_hash is not the hash of the record before'],
  'happy.tampered-duplicate.jsonl': ['TAMPERED', 7, 'its prev_hash is not the hash of the record before'],
  'happy.tampered-prevhash.jsonl': ['TAMPERED', 2, 'its prev_hash is not the hash of the record before'],
  'happy.tampered-head.jsonl': ['TAMPERED', 0, 'it is not the first record of a chain'],
  'happy.tampered-partial-tail.jsonl': ['CRASH_DAMAGED', 11, 'it is cut'],
  // Nothing in the file says how many records there were, or who computed the hashes.
  'happy.tampered-truncate.jsonl': ['UNANCHORED', 10],
  'happy.tampered-rewrite.jsonl': ['UNANCHORED', 12],
  'tool_denied.jsonl': ['UNANCHORED', 10],
  'tool_denied.tampered-edit.jsonl': ['TAMPERED', 5, 'its event_hash does not match its members'],
  'tool_denied.tampered-delete.jsonl': ['TAMPERED', 5, 'its prev_hash is not the hash of the record before'],
  'tool_denied.tampered-swap.jsonl': ['TAMPERED', 5, 'its prev_hash is not the hash of the record before'],
  'tool_denied.tampered-duplicate.jsonl': [
    'TAMPERED',
    6,
    'its prev_hash is not the hash of the record before',
  ],
  'tool_denied.tampered-truncate.jsonl': ['UNANCHORED', 8],
}

const samples = aegrailJson<Sample[]>('manifest.json')
const happy = aegrailLines('happy.jsonl')
const verdictOf = async (text: string): Promise<Verdict> => (await verifyAegrailLog(bytesOf(text))).verdict
const hashOf = (line: string | undefined): string =>
  (JSON.parse(line ?? '') as { event_hash: string }).event_hash
const file = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')

test('every sample has an expected verdict', () => {
  expect(samples.map((sample) => sample.file).sort()).toEqual(Object.keys(EXPECTED).sort())
})

describe.each(samples)('$file', ({ file: name, authentic, aegrail_verify_chain: [isValid, index] }) => {
  const [verdict, size, detail] = EXPECTED[name] ?? ['MALFORMED', -1]
  const bytes = aegrailBytes(name)

  test.each([bytes.length, 1000, 1])(`is ${verdict}, in pieces of %i bytes`, async (pieceBytes) => {
    const report = await verifyAegrailLog(piecesOf(bytes, pieceBytes))
    expect(report).toMatchObject({ verdict, size, bytes: bytes.length, logId: undefined })
    expect(Object.isFrozen(report)).toBe(true)
    if (detail === undefined) expect(report.fault).toBeUndefined()
    else {
      const lines = new TextDecoder().decode(bytes).split('\n')
      const offset = fileOf(lines.slice(0, size)).length
      expect(report.fault).toEqual({ seq: size, offset, detail: expect.stringContaining(detail) })
    }
  })

  test('is not judged more mildly than aegrail itself does', () => {
    if (authentic) expect(verdict).toBe('UNANCHORED')
    if (!isValid) expect(verdict).not.toBe('UNANCHORED')
    if (typeof index === 'number' && index >= 0) expect(size).toBe(index)
  })
})

test('the head is the hash of the last record that holds', async () => {
  expect((await verifyAegrailLog(aegrailBytes('happy.jsonl'))).head).toBe(hashOf(happy[11]))
  expect((await verifyAegrailLog(aegrailBytes('happy.tampered-edit.jsonl'))).head).toBe(hashOf(happy[5]))
  expect((await verifyAegrailLog(aegrailBytes('happy.tampered-head.jsonl'))).head).toBeUndefined()
})

test('whole lines cut from the end cannot be seen, wherever the cut is', async () => {
  for (let size = 1; size < happy.length; size++) {
    expect(await verifyAegrailLog(fileOf(happy.slice(0, size)))).toMatchObject({
      verdict: 'UNANCHORED',
      size,
    })
  }
})

test('every other cut is seen, and is damage', async () => {
  const bytes = fileOf(happy.slice(0, 3))
  const starts = [0, 1, 2].map((size) => fileOf(happy.slice(0, size)).length)
  for (let length = 1; length < bytes.length; length++) {
    const size = starts.filter((_, index) => length >= (starts[index + 1] ?? bytes.length) - 1).length
    const isWhole =
      starts.some((start) => start === length || start - 1 === length) || length === bytes.length - 1
    expect(await verifyAegrailLog(bytes.subarray(0, length))).toMatchObject({
      size,
      verdict: isWhole ? 'UNANCHORED' : 'CRASH_DAMAGED',
    })
  }
})

test('every changed bit is found in its record, unless the data stay the same', async () => {
  const lines = aegrailChain([{ payload: '{"a":[1,2.5,"é"]}' }, { invoking_user: 'null' }])
  const original = fileOf(lines)
  const held: string[] = []
  for (let at = 0; at < original.length - 1; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = original.slice()
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
      const { verdict, size } = await verifyAegrailLog(bytes)
      const index = at < bytesOf(lines[0] ?? '').length + 1 ? 0 : 1
      if (verdict === 'UNANCHORED') held.push(new TextDecoder().decode(bytes))
      else expect(size).toBeLessThanOrEqual(index)
    }
  }
  expect(held).toEqual([])
})

describe('members', () => {
  const [first = '', line = ''] = aegrailChain([{}, { payload: '{"a":{"b":1}}' }])

  test('the line that the others are made of holds', async () => {
    expect(await verifyAegrailLog(fileOf([first, line]))).toMatchObject({ verdict: 'UNANCHORED', size: 2 })
  })

  test.each([
    [
      'a member that aegrail does not know',
      line.replace('{"ts"', '{"approved":true,"ts"'),
      'no hash covers: "approved"',
    ],
    ['a name that could steer a terminal', line.replace('{"ts"', '{"\\u001b[2J":true,"ts"'), '"\\u001b[2J"'],
    [
      'a very long name',
      line.replace('{"ts"', `{"${'x'.repeat(1000)}":true,"ts"`),
      `"${'x'.repeat(40)}\\u2026"`,
    ],
    ['__proto__', line.replace('{"ts"', '{"__proto__":{},"ts"'), 'no hash covers: "__proto__"'],
    ['a member twice', line.replace('{"ts"', '{"event":"error","ts"'), 'a member stands twice'],
    [
      'a member twice, in another spelling',
      line.replace('{"ts"', '{"\\u0074s":"","ts"'),
      'a member stands twice',
    ],
    [
      'the hash twice',
      line.replace('{"ts"', `{"event_hash":"${'0'.repeat(64)}","ts"`),
      'a member stands twice',
    ],
    ['a member twice far inside', line.replace('"b":1', '"b":2,"b":1'), 'a member stands twice'],
    ['a member too few', line.replace('"budget":{},', ''), 'it has no member budget'],
    ['no hash', line.replace(/,"event_hash".*$/, '}'), 'it has no member event_hash'],
    [
      'a hash in capitals',
      line.replace(hashOf(line), hashOf(line).toUpperCase()),
      'event_hash does not match',
    ],
    ['no hash but null', line.replace(`"${hashOf(line)}"`, 'null'), 'event_hash does not match'],
    ['a second object', `${line} {}`, 'something follows'],
    ['half of a character after it', `${line}\xff`, 'not UTF-8'],
    ['a byte that is no UTF-8', line.replace('alice', 'al\xffce'), 'not UTF-8'],
    ['half a surrogate pair', line.replace('alice', '\\ud800'), 'half of a surrogate pair'],
    ['an infinity', line.replace('"b":1', '"b":1e400'), 'beyond the range'],
  ])('%s', async (_, text, detail) => {
    const report = await verifyAegrailLog(Buffer.from(`${first}\n${text}\n`, 'latin1'))
    expect(report).toMatchObject({
      verdict: 'TAMPERED',
      size: 1,
      fault: { seq: 1, offset: first.length + 1 },
    })
    expect(report.fault?.detail).toContain(detail)
  })

  test.each([
    ['ts', { ts: '1' }],
    ['event', { event: 'null' }],
    ['invoking_user', { invoking_user: '[]' }],
    ['payload', { payload: '[]' }],
    ['budget', { budget: 'null' }],
  ])('%s of the wrong kind, under a hash that holds', async (name, parts) => {
    const report = await verifyAegrailLog(fileOf(aegrailChain([parts])))
    expect(report).toMatchObject({
      verdict: 'TAMPERED',
      size: 0,
      fault: { detail: `its ${name} is of the wrong kind` },
    })
  })

  test('an unfinished character after a record does not hide behind it', async () => {
    const bytes = new Uint8Array([...fileOf([first]), ...bytesOf(line), 0xe2, 0x80])
    expect(await verifyAegrailLog(bytes)).toMatchObject({ verdict: 'TAMPERED', size: 1 })
  })
})

test('a chain that begins anew is named as that', async () => {
  const report = await verifyAegrailLog(fileOf([...happy.slice(0, 3), ...happy.slice(0, 3)]))
  expect(report).toMatchObject({
    verdict: 'TAMPERED',
    size: 3,
    fault: { detail: 'another chain begins here: its prev_hash is null' },
  })
})

test('every link is compared with the hash that was recomputed, not with the one declared', async () => {
  const forged = '0'.repeat(64)
  const lines = aegrailChain([{}, {}]).map((line, index) =>
    index === 0
      ? line.replace(hashOf(line), forged)
      : line.replace(/"prev_hash":"[0-9a-f]+"/, `"prev_hash":"${forged}"`),
  )
  expect(await verifyAegrailLog(fileOf(lines))).toMatchObject({ verdict: 'TAMPERED', size: 0 })
})

describe('damage', () => {
  const cut = happy[3]?.slice(0, 200) ?? ''
  const start = file(happy.slice(0, 3))

  test.each<[name: string, text: string, verdict: Verdict, size: number]>([
    ['a line that is cut', start + cut, 'CRASH_DAMAGED', 3],
    ['a line that is cut, ended by an editor', `${start}${cut}\n\n`, 'CRASH_DAMAGED', 3],
    ['a line that is cut within a character', `${start}${cut.slice(0, 60)}\xc3`, 'CRASH_DAMAGED', 3],
    ['a cut line that aegrail wrote on in', `${start}${cut}${file(happy.slice(3))}`, 'TAMPERED', 3],
    ['a cut line before others', `${start}${cut}\n${file(happy.slice(4))}`, 'TAMPERED', 3],
    ['a cut line with a duplicate in it', `${start}{"ts":"","ts":`, 'TAMPERED', 3],
    ['a last line that never was a record', `${start}hello`, 'TAMPERED', 3],
    ['trailing NULs', `${start}${'\0'.repeat(5000)}`, 'CRASH_DAMAGED', 3],
    ['a last line that ends in NULs', `${start}${cut}${'\0'.repeat(5000)}`, 'CRASH_DAMAGED', 3],
    ['NULs before other records', `${start}${'\0'.repeat(5000)}\n${file(happy.slice(3))}`, 'TAMPERED', 3],
    ['a last record without its LF', file(happy).trimEnd(), 'UNANCHORED', 12],
    [
      'a last record without its LF that does not hold',
      file(happy)
        .trimEnd()
        .replace(/normal"/g, 'other"'),
      'TAMPERED',
      5,
    ],
    ['blanks after the last record', `${file(happy)} \t\r\n  `, 'UNANCHORED', 12],
    ['a first line that is cut', cut, 'CRASH_DAMAGED', 0],
    ['half a first line and NULs', `{"ts":"2026${'\0'.repeat(100)}`, 'CRASH_DAMAGED', 0],
  ])('%s is %3$s', async (_, text, verdict, size) => {
    expect(await verifyAegrailLog(Buffer.from(text, 'latin1'))).toMatchObject({ verdict, size })
  })
})

describe('what is no log of aegrail', () => {
  test.each([
    '',
    '\n',
    ' \r\n\t\n',
    'hello\n',
    '{}\n',
    '[]\n',
    'null\n',
    '"event_hash"\n',
    '\0\0\0',
    '\n\n\0',
    `\ufeff${file(happy)}`,
    file(chain([{}, {}])),
    `[${happy.join(',')}]`,
  ])('%j', async (text) => {
    expect(await verifyAegrailLog(bytesOf(text))).toMatchObject({
      verdict: 'MALFORMED',
      size: 0,
      fault: { seq: 0 },
    })
  })

  test('says of an empty one that it is', async () => {
    for (const text of ['', '\n\n']) {
      expect((await verifyAegrailLog(bytesOf(text))).fault?.detail).toBe('the log is empty')
    }
  })

  test('but a first record that was changed is tampered with', async () => {
    expect(await verdictOf(file(happy).replace('alice', 'mallory'))).toBe('TAMPERED')
    expect(await verdictOf(file(happy).replace('"ts"', '"t"'))).toBe('TAMPERED')
  })
})

describe('bad input is judged in bounded time and memory', () => {
  test.each([
    ['[[[…', aegrailLine(`{"x":${'['.repeat(1_000_000)}`)],
    ['{"a":{"a":…', aegrailLine('{"a":'.repeat(700_000))],
    ['a million empty arrays', aegrailLine(`{"x":[${'[],'.repeat(1_000_000)}0]}`)],
    ['an integer of a million digits', aegrailLine(`{"x":${'7'.repeat(1_000_000)}}`)],
    ['a fraction of a million digits', aegrailLine(`{"x":0.${'7'.repeat(1_000_000)}}`)],
    ['an exponent of a million digits', aegrailLine(`{"x":1e${'7'.repeat(1_000_000)}}`)],
    ['a million escapes', aegrailLine(`{"x":"${'\\n'.repeat(1_000_000)}"}`)],
    ['300,000 names', aegrailLine(`{${Array.from({ length: 300_000 }, (_, at) => `"${at}":0`).join(',')}}`)],
  ])('%s', async (_, line) => {
    const beganMs = performance.now()
    expect(await verifyAegrailLog(bytesOf(`${line}\n`))).toMatchObject({ verdict: 'TAMPERED', size: 0 })
    expect(performance.now() - beganMs).toBeLessThan(5000)
  })

  test('an integer of a million digits that was hashed holds', async () => {
    const lines = aegrailChain([{ payload: `{"x":-${'7'.repeat(1_000_000)}}` }])
    expect(await verifyAegrailLog(fileOf(lines))).toMatchObject({ verdict: 'UNANCHORED', size: 1 })
  })

  test.each([0x78, 0x20, 0x00, 0x5b])('a line of bytes %i that goes on for ever takes no memory', (fill) => {
    const verifier = new AegrailVerifier()
    const chunk = new Uint8Array(1024 * 1024).fill(fill)
    verifier.push(fileOf(happy))
    globalThis.gc?.()
    const before = process.memoryUsage().arrayBuffers
    for (let pushed = 0; pushed < 64; pushed++) verifier.push(chunk)
    globalThis.gc?.()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * MAX_AEGRAIL_LINE_BYTES)
    expect(verifier.finish()).toMatchObject({
      verdict: fill === 0 ? 'CRASH_DAMAGED' : 'TAMPERED',
      size: 12,
      fault: { seq: 12, detail: `longer than ${MAX_AEGRAIL_LINE_BYTES} bytes` },
    })
  })

  test('NULs are seen in the part of a line that is not kept', async () => {
    const long = new Uint8Array(MAX_AEGRAIL_LINE_BYTES + 10).fill(0x78)
    expect((await verifyAegrailLog([fileOf(happy), long, new Uint8Array(10)])).verdict).toBe('CRASH_DAMAGED')
    expect((await verifyAegrailLog([fileOf(happy), long])).verdict).toBe('TAMPERED')
  })

  test('a line may be as long as the bound and no longer', async () => {
    const lineOf = (bytes: number): string => {
      const [empty = ''] = aegrailChain([{ payload: '{"x":""}' }])
      return aegrailChain([{ payload: `{"x":"${'y'.repeat(bytes - empty.length)}"}` }])[0] ?? ''
    }
    expect(await verdictOf(file([lineOf(MAX_AEGRAIL_LINE_BYTES - 1)]))).toBe('UNANCHORED')
    expect(await verdictOf(file([lineOf(MAX_AEGRAIL_LINE_BYTES)]))).toBe('TAMPERED')
  })

  test('a long log takes no more memory than a short one', () => {
    const verifier = new AegrailVerifier()
    const lines = aegrailChain(Array.from({ length: 20_000 }, () => ({})))
    const bytes = fileOf(lines)
    for (const piece of piecesOf(bytes.subarray(0, bytes.length / 2), 65_536)) verifier.push(piece)
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    for (const piece of piecesOf(bytes.subarray(bytes.length / 2), 65_536)) verifier.push(piece)
    globalThis.gc?.()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
    expect(verifier.finish()).toMatchObject({ verdict: 'UNANCHORED', size: 20_000 })
  })
})

test('the fault is known as soon as its line has been pushed, and does not change', () => {
  const verifier = new AegrailVerifier()
  const bytes = fileOf(happy.with(2, happy[2]?.replace('true', 'false') ?? ''))
  const end = fileOf(happy.slice(0, 2)).length + (happy[2]?.length ?? 0) + 1
  verifier.push(bytes.subarray(0, end))
  expect(verifier.fault).toBeUndefined()
  verifier.push(bytes.subarray(end, end + 1))
  const { fault } = verifier
  expect(fault).toMatchObject({ seq: 2 })
  verifier.push(bytes.subarray(end + 1))
  expect(verifier.finish().fault).toBe(fault)
})

test('a source may be bytes, pieces, or pieces that come later; one that fails is not swallowed', async () => {
  async function* later(fails: boolean): AsyncGenerator<Uint8Array> {
    yield* piecesOf(fileOf(happy), 100)
    if (fails) throw new RangeError('no more')
  }
  expect(await verifyAegrailLog(later(false))).toEqual(await verifyAegrailLog(fileOf(happy)))
  await expect(verifyAegrailLog(later(true))).rejects.toThrow('no more')
})
