import { describe, expect, test } from 'vitest'
import { chain, fileOf, LOG_ID } from '../support/audit-logs.js'
import { writ } from './test-io.js'

const lines = chain([{}, {}, {}, {}, {}])
const sound = fileOf(lines)
const head = (JSON.parse(lines[4] ?? '') as { hash: string }).hash
const changed = fileOf(
  lines.map((line, index) => (index === 3 ? line.replace('"depth":0', '"depth":1') : line)),
)
const offset = fileOf(lines.slice(0, 3)).length

const LOGS: Record<string, Uint8Array> = {
  whole: sound,
  changed,
  cut: sound.subarray(0, -10),
  other: new TextEncoder().encode('hello\n'),
  empty: new Uint8Array(0),
  '-': sound,
}

describe('the human view', () => {
  test('of a sound log: the verdict first, then what was found, then what to do', async () => {
    const { status, out, err } = await writ(['verify', 'whole'], { logs: LOGS })
    expect({ status, err }).toEqual({ status: 1, err: '' })
    expect(
      out,
    ).toBe(`UNANCHORED: consistent from the first record to the last, but nothing outside the log vouches for it

  log      whole
  records  5
  bytes    ${sound.length}
  head     ${head}
  log id   ${LOG_ID}
  covered  no record is covered by anything outside the log; the oldest is of 2026-01-01T00:00:00.000Z, 2 d ago

UNANCHORED is not valid: a log that was cut at the end of a line, or rewritten as a whole, looks the same.
Keep the number of records and the head where whoever writes this log cannot reach them. A later copy
must still have that head at that number of records.
`)
  })

  test('never says valid, sound, intact or OK of it', async () => {
    const { out } = await writ(['verify', 'whole'], { logs: LOGS })
    expect(out.replace('UNANCHORED is not valid', '')).not.toMatch(
      /\b(valid|sound|intact|ok|genuine|authentic)\b/i,
    )
  })

  test.each([
    ['changed', 2, 'TAMPERED', 3, offset, 'its hash does not match its bytes', 'Keep the file as evidence'],
    ['cut', 7, 'CRASH_DAMAGED', 4, fileOf(lines.slice(0, 4)).length, 'it has no LF', 'ask again'],
    ['other', 6, 'MALFORMED', 0, 0, 'not a record', 'Check the path'],
    ['empty', 6, 'MALFORMED', 0, 0, 'the log is empty', 'Check the path'],
  ])(
    'of %s: exit %i, %s at record %i, byte %i, what is wrong and what to do',
    async (log, exit, verdict, seq, at, detail, next) => {
      const { status, out } = await writ(['verify', log], { logs: LOGS })
      expect(status).toBe(exit)
      expect(out.split('\n')[0]).toMatch(new RegExp(`^${verdict}: `))
      expect(out).toContain(`records  ${seq} before the fault`)
      expect(out).toMatch(new RegExp(`fault    record ${seq}, at byte ${at}: .*${detail}`))
      expect(out).toContain(next)
    },
  )

  test('reads standard input', async () => {
    const { status, out } = await writ(['verify', '-'], { logs: LOGS })
    expect(status).toBe(1)
    expect(out).toContain('log      standard input')
  })

  test('of a log whose name and id would steer the terminal shows them escaped', async () => {
    const name = '\u001b[2Jlog\u202e\n'
    const hostile = fileOf(chain([{}]).map((line) => line.replace(LOG_ID, 'a\u009b2Jb\u200b')))
    const { out } = await writ(['verify', name], { logs: { [name]: hostile } })
    expect(out).toContain('\\u001b[2Jlog\\u202e\\n')
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u200b]/u)
  })
})

describe('--json', () => {
  test('is one line with stable names', async () => {
    const { status, out, err } = await writ(['verify', 'whole', '--json'], { logs: LOGS })
    expect({ status, err }).toEqual({ status: 1, err: '' })
    expect(out).toBe(
      `{"verdict":"UNANCHORED","exit":1,"size":5,"bytes":${sound.length},"head":"${head}","log_id":"${LOG_ID}","fault":null,"assurance":null,"first":0,"covered":0,"anchored":0,"uncovered":{"records":5,"since":"2026-01-01T00:00:00.000Z","age_ms":172800000},"checkpoints":[],"findings":[],"files":["whole"]}\n`,
    )
  })

  test('says where a log fails', async () => {
    const { status, out } = await writ(['verify', '--json', 'changed'], { logs: LOGS })
    expect(status).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'TAMPERED',
      exit: 2,
      size: 3,
      bytes: changed.length,
      head: (JSON.parse(lines[2] ?? '') as { hash: string }).hash,
      log_id: LOG_ID,
      fault: { seq: 3, offset, detail: 'its hash does not match its bytes' },
    })
  })

  test('has every member for a log that has none of it', async () => {
    const { out } = await writ(['verify', '--json', 'empty'], { logs: LOGS })
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'MALFORMED',
      exit: 6,
      size: 0,
      head: null,
      log_id: null,
    })
  })
})

describe('progress', () => {
  const slow = { logs: LOGS, pieceBytes: 100, pieceMs: 200, isTty: true }

  test('is drawn on a terminal when it takes longer than a second, and erased', async () => {
    const { out, err } = await writ(['verify', 'whole'], slow)
    expect(err.startsWith('\r\u001b[K[')).toBe(true)
    expect(err).toMatch(/\[#+-+\] \d+% of 0 MB/)
    expect(err.endsWith('\r\u001b[K')).toBe(true)
    expect(out.startsWith('UNANCHORED')).toBe(true)
  })

  test('is not drawn too often', async () => {
    const { err } = await writ(['verify', 'whole'], { ...slow, pieceBytes: 10, pieceMs: 20 })
    const frames = err.split('\r').length
    expect(frames).toBeLessThan((sound.length / 10) * 0.25)
  })

  test('does without a size', async () => {
    const { err } = await writ(['verify', 'whole'], { ...slow, knowsSize: false })
    expect(err).toContain('0 MB')
    expect(err).not.toContain('%')
  })

  test.each([
    ['within a second', { ...slow, pieceMs: 1 }],
    ['where there is no terminal', { ...slow, isTty: false }],
  ])('is not drawn %s', async (_, world) => {
    expect((await writ(['verify', 'whole'], world)).err).toBe('')
  })
})
