import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { EXIT_CODES, type VerifyReport, verifyLog } from 'writ/verify'
import { fileOf, piecesOf, rewritten, temporaryFolder } from '../support/audit-logs.js'
import { hasCommand } from '../support/commands.js'

/** A log that the file sink wrote, so that its lines say what had been stored. */
const LOG = readFileSync(join(import.meta.dirname, '../vectors/writ-log.jsonl'))
/** Enough lines of it for what is tried on every byte and every pair of lines. */
const bytes = new Uint8Array(LOG.subarray(0, startsOf(LOG)[12]))
const starts = startsOf(bytes)
const lines = new TextDecoder().decode(bytes).split('\n').slice(0, -1)
const n = lines.length

/** Where each line begins, and last where the log ends. */
function startsOf(log: Uint8Array): number[] {
  const found = [0]
  for (const [at, byte] of log.entries()) if (byte === 0x0a) found.push(at + 1)
  return found
}

const lineAt = (at: number): number => starts.findLastIndex((start) => start <= at)

/** The claim that must never be made: that the log is consistent, with `changed` among what is consistent. */
function expectCaught(report: VerifyReport, changed: number): void {
  expect(report.verdict).not.toBe('UNANCHORED')
  expect(report.size).toBeLessThanOrEqual(changed)
  expect(report.fault).toBeDefined()
  expect(report.fault?.seq).toBe(report.size)
}

test('a log that holds together is called UNANCHORED, never valid, and its exit status is not 0', async () => {
  const report = await verifyLog(bytes)
  expect(report).toMatchObject({ verdict: 'UNANCHORED', size: n, bytes: bytes.length, fault: undefined })
  expect(EXIT_CODES[report.verdict]).toBe(1)
  expect(Object.entries(EXIT_CODES).filter(([, status]) => status === 0)).toEqual([['VALID', 0]])
})

describe('no change passes', () => {
  test.each([
    ['its lowest bit flipped', (byte: number) => byte ^ 0x01],
    ['its highest bit flipped', (byte: number) => byte ^ 0x80],
    ['another hexadecimal digit', (byte: number) => (byte === 0x61 ? 0x62 : 0x61)],
  ])(
    'any byte with %s: the record it is in, and nothing before it, is where the log fails',
    async (_, change) => {
      for (const at of bytes.keys()) {
        const changed = change(bytes[at]!)
        if (changed === bytes[at]) continue
        const report = await verifyLog(bytes.with(at, changed))
        const line = lineAt(at)
        expectCaught(report, line)
        expect(report).toMatchObject({ size: line, fault: { seq: line, offset: starts[line] } })
        // The last LF alone is what a crash could have kept from being written.
        expect(report.verdict).toBe(
          at === bytes.length - 1 ? 'CRASH_DAMAGED' : line > 0 ? 'TAMPERED' : report.verdict,
        )
      }
    },
  )

  test('any byte made zero, any byte removed, any byte twice', async () => {
    for (const at of bytes.keys()) {
      const line = lineAt(at)
      for (const changed of [
        bytes.with(at, 0),
        Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
        Buffer.concat([bytes.subarray(0, at + 1), bytes.subarray(at)]),
      ]) {
        const report = await verifyLog(changed)
        // An LF twice is a blank line after a record that holds.
        expectCaught(report, bytes[at] === 0x0a ? line + 1 : line)
      }
    }
  }, 60_000)

  test('any line deleted, but for the last', async () => {
    for (let index = 0; index < n - 1; index++) {
      const report = await verifyLog(fileOf(lines.toSpliced(index, 1)))
      expectCaught(report, index)
      expect(report).toMatchObject({ verdict: 'TAMPERED', size: index })
    }
  })

  test('any run of lines deleted, but for one at the end', async () => {
    for (let from = 0; from < n - 1; from++) {
      for (let count = 1; from + count < n; count++) {
        expect(await verifyLog(fileOf(lines.toSpliced(from, count)))).toMatchObject({
          verdict: 'TAMPERED',
          size: from,
        })
      }
    }
  })

  test('any line twice, anywhere', async () => {
    for (let index = 0; index < n; index++) {
      for (let to = 0; to <= n; to++) {
        const report = await verifyLog(fileOf(lines.toSpliced(to, 0, lines[index]!)))
        expectCaught(report, Math.max(to, to === index ? index + 1 : 0))
      }
    }
  })

  test('any two lines swapped', async () => {
    for (let first = 0; first < n; first++) {
      for (let second = first + 1; second < n; second++) {
        const report = await verifyLog(fileOf(lines.with(first, lines[second]!).with(second, lines[first]!)))
        expectCaught(report, first)
        expect(report).toMatchObject({ verdict: 'TAMPERED', size: first })
      }
    }
  })

  test('a line inserted anywhere: of another log, of no log, or sealed to fit into the place', async () => {
    const sealed = rewritten(lines)
    for (let to = 0; to <= n; to++) {
      const forged =
        to === 0
          ? undefined
          : rewritten([...lines.slice(0, to), sealed.at(-1)!.replace(/"seq":\d+/, `"seq":${to}`)]).at(-1)
      for (const line of ['{}', 'x', '', ...(forged === undefined || to === n ? [] : [forged])]) {
        const report = await verifyLog(fileOf(lines.toSpliced(to, 0, line)))
        // A line that is sealed to fit into its place is a record; the next one then is not.
        expectCaught(report, line === forged ? to + 1 : to)
      }
    }
  })

  test('a record changed and sealed anew, with everything after it left as it was', async () => {
    for (let index = 0; index < n - 1; index++) {
      const changed = rewritten(
        lines.slice(0, index + 1).with(index, lines[index]!.replace('"ts":"2026', '"ts":"2027')),
      )
      const report = await verifyLog(fileOf([...changed, ...lines.slice(index + 1)]))
      expect(report).toMatchObject({
        verdict: 'TAMPERED',
        size: index + 1,
        fault: { detail: expect.stringContaining('prev_hash') },
      })
    }
  })

  test.each<[name: string, change: (log: Uint8Array) => Uint8Array, size: number]>([
    ['every LF made CR LF', () => new TextEncoder().encode(lines.map((line) => `${line}\r\n`).join('')), 0],
    [
      'one LF made CR LF',
      () => new TextEncoder().encode(lines.map((line, at) => `${line}${at === 5 ? '\r' : ''}\n`).join('')),
      5,
    ],
    ['a byte order mark', (log) => new Uint8Array([0xef, 0xbb, 0xbf, ...log]), 0],
    ['a blank line before it', (log) => new Uint8Array([0x0a, ...log]), 0],
    ['a blank line in it', () => fileOf(lines.toSpliced(4, 0, '')), 4],
    ['a blank line after it', (log) => new Uint8Array([...log, 0x0a]), n],
    ['blanks after it', (log) => new Uint8Array([...log, 0x20, 0x20]), n],
    ['one NUL after it', (log) => new Uint8Array([...log, 0]), n],
    ['a page of NULs after it', (log) => new Uint8Array([...log, ...new Uint8Array(4096)]), n],
    ['text after it', (log) => new Uint8Array([...log, ...new TextEncoder().encode('hello\n')]), n],
    ['itself once more after it', (log) => new Uint8Array([...log, ...log]), n],
    ['another encoding', () => new Uint8Array(Buffer.from(lines.join('\n'), 'utf16le')), 0],
    ['its lines as one JSON array', () => new TextEncoder().encode(`[${lines.join(',')}]`), 0],
  ])('%s', async (_, change, size) => {
    const report = await verifyLog(change(bytes))
    expectCaught(report, size)
    expect(report.size).toBe(size)
  })
})

describe('a log that is cut', () => {
  test('anywhere within a line is called damaged, with what is whole before it', async () => {
    for (let length = 1; length < bytes.length; length++) {
      if (starts.includes(length)) continue
      const report = await verifyLog(bytes.subarray(0, length))
      const line = lineAt(length)
      expect(report).toMatchObject({
        verdict: 'CRASH_DAMAGED',
        size: line,
        fault: { seq: line, offset: starts[line] },
      })
    }
  })

  test('to nothing is no log', async () => {
    expect(await verifyLog(new Uint8Array(0))).toMatchObject({ verdict: 'MALFORMED', size: 0 })
  })
})

describe('what a chain alone cannot show, and what the answer then is', () => {
  test('a log cut at the end of a line: UNANCHORED, with a size and a head that whoever remembers them finds missing', async () => {
    const whole = await verifyLog(bytes)
    for (let kept = 1; kept < n; kept++) {
      const report = await verifyLog(bytes.subarray(0, starts[kept]))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', size: kept, fault: undefined })
      expect(report.size).toBeLessThan(whole.size)
      expect(report.head).not.toBe(whole.head)
    }
  })

  test('a log written anew from some record on, every hash with it: UNANCHORED, with another head', async () => {
    const whole = await verifyLog(bytes)
    for (let from = 0; from < n; from++) {
      const changed = rewritten(lines.with(from, lines[from]!.replace('"ts":"2026', '"ts":"2027')))
      const report = await verifyLog(fileOf(changed))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', size: n })
      expect(report.head).not.toBe(whole.head)
    }
  })

  test('changes past what is known to be stored, made to look like a crash: damaged, and none of it is said to hold', async () => {
    const at = starts[n - 1]! + 100
    const report = await verifyLog(bytes.with(at, 0))
    expect(report).toMatchObject({ verdict: 'CRASH_DAMAGED', size: n - 1 })
  })
})

test('damage before what a later line says was stored is tampering, wherever the hole is', async () => {
  const synced = lines.map((line) => (JSON.parse(line) as { synced: number }).synced)
  for (let index = 1; index < n; index++) {
    const report = await verifyLog(bytes.slice().fill(0, starts[index]! + 40, starts[index]! + 90))
    const isStored = synced.some((mark, line) => line > index && mark >= index)
    expect(report).toMatchObject({ verdict: isStored ? 'TAMPERED' : 'CRASH_DAMAGED', size: index })
  }
})

test('the verdict does not depend on how the bytes arrive', async () => {
  const variants = [
    bytes,
    bytes.with(starts[6]! + 99, 0),
    bytes.with(starts[6]! + 99, 1),
    bytes.subarray(0, starts[6]! + 50),
    new Uint8Array([...bytes, ...new Uint8Array(70_000)]),
    fileOf(lines.toSpliced(3, 1)),
    fileOf(['x'.repeat(70_000), ...lines]),
  ]
  for (const variant of variants) {
    const whole = await verifyLog(variant)
    const sizes = variant.length < 20_000 ? [1, 7, 4096] : [7, 4096, 65_535]
    for (const size of sizes) expect(await verifyLog(piecesOf(variant, size))).toEqual(whole)
  }
}, 60_000)

test('a line without an end is refused without being kept', async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(0x20)
  function* endless(): Generator<Uint8Array> {
    yield bytes
    for (let pushed = 0; pushed < 10; pushed++) yield chunk
  }
  const report = await verifyLog(endless())
  expect(report).toMatchObject({ verdict: 'TAMPERED', size: n, bytes: bytes.length + 10 * chunk.length })
  expect(report.fault?.detail).toContain('longer than')
})

describe.skipIf(!hasCommand('jq', '--version'))(
  'a second verifier, of bash, sha256sum and jq, agrees',
  () => {
    const script = join(import.meta.dirname, '../../scripts/verify.sh')
    const few = lines.slice(0, 4)
    const cut = fileOf(few)

    test.each<[name: string, log: () => Uint8Array]>([
      ['the log itself', () => cut],
      ['a changed byte', () => cut.with(starts[2]! + 200, 0x21)],
      ['a changed link', () => fileOf(few.with(2, few[2]!.replace(/"prev_hash":"./, '"prev_hash":"g')))],
      [
        'a changed seq, sealed anew',
        () => fileOf(rewritten(few.with(2, few[2]!.replace('"seq":2', '"seq":5')))),
      ],
      ['a line less', () => fileOf(few.toSpliced(1, 1))],
      ['a line twice', () => fileOf(few.toSpliced(1, 0, few[1]!))],
      ['two lines swapped', () => fileOf(few.with(1, few[2]!).with(2, few[1]!))],
      ['CR LF', () => fileOf(few.map((line) => `${line}\r`))],
      ['a blank line', () => fileOf([...few, ''])],
      ['a byte order mark', () => new Uint8Array([0xef, 0xbb, 0xbf, ...cut])],
      ['a cut line', () => cut.subarray(0, -20)],
      ['no last LF', () => cut.subarray(0, -1)],
      ['a NUL', () => new Uint8Array([...cut.subarray(0, 300), 0, ...cut.subarray(300)])],
      ['NULs at the end', () => new Uint8Array([...cut, 0, 0, 0])],
      ['nothing', () => new Uint8Array(0)],
      ['a line less at the end, which neither can see', () => fileOf(few.slice(0, 3))],
      [
        'everything written anew, which neither can see',
        () => fileOf(rewritten(few.with(0, few[0]!.replace('4242', '4243')))),
      ],
    ])('on %s', async (_, log) => {
      const path = join(temporaryFolder(), 'log.jsonl')
      writeFileSync(path, log())
      const { verdict, size, head } = await verifyLog(log())
      const { stdout, code } = await run('bash', [script, path])
      if (verdict === 'UNANCHORED')
        expect({ stdout, code }).toEqual({ stdout: `OK ${size} head ${head}\n`, code: 0 })
      else expect(code).toBe(2)
    })
  },
)

async function run(command: string, args: string[]): Promise<{ stdout: string; code: number }> {
  try {
    return { stdout: (await promisify(execFile)(command, args)).stdout, code: 0 }
  } catch (error) {
    const { stdout, code } = error as { stdout: string; code: number }
    return { stdout, code }
  }
}
