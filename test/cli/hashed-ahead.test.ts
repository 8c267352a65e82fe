import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type LinesAhead, LogVerifier, leafHash, verifyLog } from 'writ/verify'
import { HashThread } from '../../src/cli/hash-thread.js'
import { LAYOUT } from '../../src/cli/hash-thread-source.js'
import { hashedAhead } from '../../src/cli/hashed-ahead.js'
import { chain, fileOf, piecesOf } from '../support/audit-logs.js'
import { bundle, runNode } from '../support/child.js'
import { keyOf, noteOver } from '../support/signed-logs.js'
import { writ } from './test-io.js'

const CHUNK = 1024 * 1024
/** After so many bytes a second thread is started. */
const ALONE = 16 * CHUNK

const lines = chain(
  Array.from({ length: 9_000 }, (_, index) => ({
    payload: `{"depth":0,"task":"${'x'.repeat(index % 4500)}"}`,
  })),
)
const bytes = fileOf(lines)
const LF = 0x0a

/** A chunk in which the second thread has long been at work. */
const AT = ALONE + 3 * CHUNK

/** Where the lines of a chunk begin that lie in it whole, behind the LF of another. */
function startsIn(chunk: Uint8Array): number[] {
  const starts: number[] = []
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) starts.push(at + 1)
  return starts.slice(0, -1)
}

/** The log with other bytes from there on. */
function changed(at: number, to: string): Uint8Array {
  const copy = bytes.slice()
  copy.set(new TextEncoder().encode(to), at)
  return copy
}

const lineAfter = (at: number): number => bytes.indexOf(LF, at) + 1
const lineBefore = (at: number): number => bytes.lastIndexOf(LF, bytes.lastIndexOf(LF, at - 1) - 1) + 1
const endOf = (start: number): number => bytes.indexOf(LF, start)

test('the log of these tests is long enough for a second thread', () => {
  expect(bytes.length).toBeGreaterThan(AT + 2 * CHUNK)
})

describe('a log that is hashed by two threads has the verdict that one comes to', () => {
  const last = lineBefore(AT)
  const first = lineAfter(AT)
  const across = bytes.lastIndexOf(LF, AT) + 1
  const upper = endOf(last) - 66
  test.each<[name: string, log: Uint8Array]>([
    ['as it was written', bytes],
    ['with a changed byte in the last line of a chunk', changed(last + 300, '!')],
    ['with a changed byte in the first line of a chunk', changed(first + 300, '!')],
    ['with a changed byte in the line across two chunks', changed(across + 50, '!')],
    ['with a changed byte in the middle of a chunk', changed(lineAfter(AT + CHUNK / 2) + 300, '!')],
    ['with another hash', changed(endOf(last) - 10, 'g')],
    [
      'with a hash in capitals',
      changed(upper, new TextDecoder().decode(bytes.subarray(upper, upper + 64)).toUpperCase()),
    ],
    [
      'with a line left out',
      Uint8Array.from([...bytes.subarray(0, last), ...bytes.subarray(endOf(last) + 1)]),
    ],
    ['with NULs', changed(last + 20, '\0'.repeat(200))],
    ['cut', bytes.subarray(0, across + 100)],
    ['with many short lines', changed(AT, '\n'.repeat(CHUNK))],
    ['with one long line', changed(AT, 'x'.repeat(CHUNK + 5))],
  ])('%s', async (_, log) => {
    const alone = await verifyLog([log])
    const { status, out } = await writ(['verify', 'audit.jsonl', '--json'], {
      logs: { 'audit.jsonl': log },
      pieceBytes: CHUNK,
    })
    const { verdict, size, head, fault } = JSON.parse(out) as Record<string, unknown>
    expect({ verdict, size, head, fault: fault ?? undefined }).toMatchObject({
      verdict: alone.verdict,
      size: alone.size,
      head: alone.head,
    })
    if (alone.fault === undefined) expect(fault ?? undefined).toBeUndefined()
    else expect(fault).toMatchObject({ seq: alone.fault.seq, offset: alone.fault.offset })
    expect(status).not.toBe(0)
  })

  test('with its checkpoint, over the same tree', async () => {
    const key = String(keyOf().verifierKey)
    const logs = { 'audit.jsonl': bytes, 'audit.jsonl.checkpoint': noteOver(lines) }
    const verified = await writ(['verify', 'audit.jsonl', '--key', key, '--json'], {
      logs,
      pieceBytes: CHUNK,
    })
    expect(JSON.parse(verified.out)).toMatchObject({
      verdict: 'VALID',
      assurance: 'signed',
      covered: lines.length,
    })
    const proved = await writ(['prove', 'audit.jsonl', '--seq', '8000'], { logs, pieceBytes: CHUNK })
    expect(proved.status).toBe(0)
  })
})

describe.skipIf(availableParallelism() < 2)('what the second thread finds', () => {
  const tamperedAt = lineAfter(AT + CHUNK / 2)
  const log = changed(tamperedAt + 300, '!')

  /** Waits until everything in a chunk is known: the first line is the last that is found. */
  async function known(ahead: LinesAhead, start: number): Promise<void> {
    while (ahead.isSealed(start) === undefined) await sleep(1)
  }

  test('is whether each line of a chunk is sealed, and its leaf hash once somebody asks for it', async () => {
    let offset = 0
    let checked = 0
    let leaves = 0
    const read = { size: log.length, [Symbol.asyncIterator]: () => piecesOf(log, CHUNK) as never }
    for await (const [chunk, ahead] of hashedAhead(read)) {
      expect(ahead === undefined).toBe(offset < ALONE)
      const starts = startsIn(chunk)
      if (ahead !== undefined) {
        await known(ahead, starts[0] as number)
        expect(ahead.isSealed(0)).toBeUndefined()
        for (const start of starts) {
          expect([offset + start, ahead.isSealed(start)]).toEqual([
            offset + start,
            offset + start !== tamperedAt,
          ])
          const leaf = ahead.leafHash(start)
          const end = chunk.indexOf(LF, start)
          if (leaf !== undefined) expect(leaf).toEqual(leafHash(chunk.subarray(start, end)))
          checked += 1
          leaves += leaf === undefined ? 0 : 1
        }
        expect(ahead.isSealed((starts.at(-1) as number) + 1)).toBeUndefined()
      }
      offset += chunk.length
    }
    expect(offset).toBe(log.length)
    expect(checked).toBeGreaterThan(1000)
    expect(leaves).toBeGreaterThan(500)
  })

  test('is not there for a chunk that is longer than it takes', async () => {
    const read = { size: log.length, [Symbol.asyncIterator]: () => piecesOf(log, CHUNK + 1) as never }
    for await (const [chunk, ahead] of hashedAhead(read)) {
      if (chunk.length > CHUNK) expect(ahead).toBeUndefined()
    }
  })

  test('is not there for a chunk that comes while it is at three others', async () => {
    const thread = HashThread.start() as HashThread
    const given = Array.from({ length: 4 }, () => thread.give(bytes.subarray(0, CHUNK)))
    await thread.end()
    expect(given.map((chunk) => chunk !== undefined)).toEqual([true, true, true, false])
  })

  test('is nothing when it ends early', async () => {
    vi.resetModules()
    vi.doMock('../../src/cli/hash-thread-source.js', () => ({
      LAYOUT,
      HASH_THREAD_SOURCE: 'throw new TypeError("cannot")',
    }))
    const { hashedAhead: alone } = await import('../../src/cli/hashed-ahead.js')
    const verifier = new LogVerifier()
    const read = { size: log.length, [Symbol.asyncIterator]: () => piecesOf(log, CHUNK) as never }
    const ended = new Promise((resolve) =>
      process.once('worker', (worker: Worker) => worker.once('exit', resolve)),
    )
    for await (const [chunk, ahead] of alone(read)) {
      if (ahead !== undefined) await ended
      verifier.push(chunk, ahead)
    }
    vi.doUnmock('../../src/cli/hash-thread-source.js')
    expect(verifier.finish().fault).toMatchObject({ offset: tamperedAt })
  })
})

describe('a verifier that is told of lines', () => {
  const small = chain(Array.from({ length: 5 }, () => ({})))
  const file = fileOf(small)
  const says = (isSealed: boolean | undefined, asked: number[]): LinesAhead => ({
    isSealed: (start) => {
      asked.push(start)
      return isSealed
    },
    leafHash: () => undefined,
  })

  test.each<[isSealed: boolean | undefined, verdict: string]>([
    [true, 'UNANCHORED'],
    [undefined, 'UNANCHORED'],
    [false, 'TAMPERED'],
  ])('that one is sealed: %s', (isSealed, verdict) => {
    const verifier = new LogVerifier()
    verifier.push(file, says(isSealed, []))
    expect(verifier.finish().verdict).toBe(verdict)
  })

  test('does not ask about one that it has to put together itself, nor of another chunk', () => {
    const verifier = new LogVerifier()
    const cut = (small[0] as string).length + 100
    const asked: number[] = []
    verifier.push(file.subarray(0, cut), says(true, asked))
    expect([...new Set(asked)]).toEqual([0])
    asked.length = 0
    verifier.push(file.subarray(cut), says(undefined, asked))
    expect(asked.length).toBeGreaterThan(0)
    expect(asked).not.toContain(0)
    expect(verifier.finish().verdict).toBe('UNANCHORED')
    const later = new LogVerifier()
    later.push(file.subarray(0, cut), says(false, asked))
    expect(later.fault).toBeDefined()
    const alone = new LogVerifier()
    alone.push(file.subarray(0, small[0]!.length + 1), says(true, asked))
    asked.length = 0
    alone.push(file.subarray(small[0]!.length + 1))
    expect(asked).toEqual([])
    expect(alone.finish()).toMatchObject({ verdict: 'UNANCHORED', size: 5 })
  })
})

describe('the program', () => {
  let folder: string
  let program: string
  let log: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'writ-ahead-'))
    program = await bundle('src/cli/main.ts', folder)
    log = join(folder, 'audit.jsonl')
    writeFileSync(log, bytes)
  }, 60_000)

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const report = {
    verdict: 'UNANCHORED',
    size: lines.length,
    bytes: bytes.length,
    head: lines.at(-1)?.slice(-66, -2),
  }

  test('checks a file, and ends', async () => {
    const { status, stdout, stderr } = await runNode(program, ['verify', log, '--json'])
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject(report)
  })

  test('checks a pipe', async () => {
    const { status, stdout, stderr } = await runNode(program, ['verify', '-', '--json'], { input: bytes })
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject(report)
  })

  test('does it alone where it may not start a thread', async () => {
    const flags = process.allowedNodeEnvironmentFlags
    const permission = flags.has('--permission') ? '--permission' : '--experimental-permission'
    const { status, stdout } = await runNode(program, ['verify', log, '--json'], {
      env: { NODE_OPTIONS: `${permission} --allow-fs-read=* --no-warnings` },
    })
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject(report)
  })
})
