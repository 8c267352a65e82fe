import { describe, expect, test } from 'vitest'
import { LogVerifier, MAX_HISTORY_BYTES, MAX_HISTORY_NOTES, splitHistory, verifyLog } from 'writ/verify'
import { bytesOf, chain, fileOf } from '../../support/audit-logs.js'
import { historyOf, keyOf, noteOver, timeOf } from '../../support/signed-logs.js'

const lines = chain(Array.from({ length: 6 }, (_, seq) => ({ ts: timeOf(seq) })))
const log = fileOf(lines)
const keys = [keyOf().verifierKey]
const checkpoints = [noteOver(lines)]
const concat = (...parts: (Uint8Array | string)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? bytesOf(part) : part)))

test('what is tried here is VALID as it is', async () => {
  expect(await verifyLog(log, { keys, checkpoints })).toMatchObject({ verdict: 'VALID', covered: 6 })
})

describe('a log is never VALID, whatever vouches for it', () => {
  const deep = '['.repeat(1_000_000)
  test.each<[name: string, bytes: Uint8Array, verdict: string]>([
    ['with a byte order mark', concat('\ufeff', log), 'MALFORMED'],
    ['with CRLF', bytesOf(lines.map((line) => `${line}\r\n`).join('')), 'TAMPERED'],
    ['with a blank line before it', concat('\n', log), 'TAMPERED'],
    ['with a blank line in it', fileOf(lines.toSpliced(3, 0, '')), 'TAMPERED'],
    ['with a blank line after it', concat(log, '\n'), 'TAMPERED'],
    ['with a NUL after it', concat(log, '\0'), 'CRASH_DAMAGED'],
    ['with a page of NULs after it', concat(log, new Uint8Array(4096)), 'CRASH_DAMAGED'],
    ['with JSON a million deep after it', concat(log, deep, '\n'), 'TAMPERED'],
    ['of JSON a million deep', concat(deep, '\n'), 'MALFORMED'],
    ['of nothing', new Uint8Array(0), 'TRUNCATED'],
    ['of one LF', bytesOf('\n'), 'TAMPERED'],
  ])('%s', async (_, bytes, verdict) => {
    const report = await verifyLog(bytes, { keys, checkpoints })
    expect(report.verdict).toBe(verdict)
  })

  test('with a line of 1 GiB, in the memory of a short one', async () => {
    const verifier = new LogVerifier()
    verifier.push(log)
    const piece = new Uint8Array(16 * 1024 * 1024).fill(0x78)
    globalThis.gc?.()
    const before = process.memoryUsage().arrayBuffers
    for (let pushed = 0; pushed < 64; pushed++) verifier.push(piece)
    globalThis.gc?.()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
    verifier.push(bytesOf('\n'))
    expect(verifier.finish()).toMatchObject({ verdict: 'TAMPERED', size: 6, bytes: log.length + 2 ** 30 + 1 })
  })
})

describe('a checkpoint beside a log makes it VALID only if it is one of this log', () => {
  const [signature] = /— .*\n$/.exec(noteOver(lines)) ?? ['']
  const text = noteOver(lines).slice(0, -signature.length)

  test.each<[name: string, file: string | Uint8Array]>([
    ['a note with 100,000 signatures', text + signature.repeat(100_000)],
    ['a note with 101 signatures', text + signature.repeat(101)],
    ['a note of 2 MiB', `${text.slice(0, -1)}${'x'.repeat(2 ** 21)}\n\n${signature}`],
    ['a file of 100 MB of empty lines', new Uint8Array(100_000_000).fill(0x0a)],
    ['a file of 100 MB of em dashes', bytesOf('— '.repeat(25_000_000))],
    ['NULs', new Uint8Array(10_000)],
    ['bytes that are no UTF-8', new Uint8Array(10_000).fill(0xff)],
    ['a note with CRLF', noteOver(lines).replaceAll('\n', '\r\n')],
    ['JSON', '{"size":6}'],
  ])(
    '%s',
    async (_, file) => {
      for (const each of typeof file === 'string' ? [file, bytesOf(file)] : [file]) {
        const report = await verifyLog(log, { keys, checkpoints: [each] })
        expect(report).toMatchObject({ verdict: 'UNANCHORED', covered: 0 })
      }
    },
    60_000,
  )
})

describe('a history of checkpoints', () => {
  const notes = [1, 2, 3, 6].map((size) => noteOver(lines, size))

  test('is taken apart into its notes, as they are', () => {
    expect(splitHistory(historyOf(notes))).toEqual({ notes, isSkipped: false, isCut: false })
    expect(splitHistory(bytesOf(historyOf(notes)))).toEqual({ notes, isSkipped: false, isCut: false })
    expect(splitHistory(notes[0]!)).toEqual({ notes: [notes[0]], isSkipped: false, isCut: false })
    const two = noteOver(lines, 6, [keyOf(), keyOf('example.com/witness', 2)])
    expect(splitHistory(historyOf([two, ...notes]))).toMatchObject({ notes: [two, ...notes] })
    expect(splitHistory('')).toEqual({ notes: [], isSkipped: false, isCut: false })
  })

  test('that is cut anywhere keeps what is whole', () => {
    const whole = historyOf(notes.slice(0, 2))
    for (let length = 1; length < whole.length; length++) {
      const { notes: found, isCut } = splitHistory(whole.slice(0, length))
      const complete = [notes[0]!, `${notes[0]}\n${notes[1]}`].filter((text) => length >= text.length).length
      expect(found).toEqual(notes.slice(0, complete))
      const ends = [notes[0]!.length, notes[0]!.length + 1, whole.length - 1]
      expect(isCut).toBe(!ends.includes(length))
    }
  })

  test('that goes on after a crash loses one checkpoint, and says so', async () => {
    const cut = notes[1]!
    for (let length = 1; length < cut.length; length++) {
      const gone = historyOf([notes[0]!]) + cut.slice(0, length) + historyOf([notes[2]!, notes[3]!])
      const found = await verifyLog(log, { keys, checkpoints: [gone] })
      expect(found).toMatchObject({ verdict: 'VALID', covered: 6 })
    }
    const gone = historyOf([notes[0]!]) + cut.slice(0, 30) + historyOf([notes[2]!, notes[3]!])
    const report = await verifyLog(log, { keys, checkpoints: [gone] })
    expect(report).toMatchObject({
      verdict: 'VALID',
      covered: 6,
      findings: [{ kind: 'checkpoint_cut' }],
    })
  })

  test('with too many, or too much, is read at its end', () => {
    const [one] = notes as [string]
    const many = splitHistory(`${one}\n`.repeat(MAX_HISTORY_NOTES + 5))
    expect(many).toMatchObject({ isSkipped: true, isCut: false })
    expect(many.notes).toHaveLength(MAX_HISTORY_NOTES)
    const long = splitHistory(historyOf([`${'x'.repeat(MAX_HISTORY_BYTES)}\n\n— a\n`, ...notes]))
    expect(long).toEqual({ notes, isSkipped: true, isCut: false })
  })
})
