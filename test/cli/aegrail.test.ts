import { describe, expect, test } from 'vitest'
import { aegrailBytes, aegrailLines } from '../support/aegrail-logs.js'
import { chain, fileOf } from '../support/audit-logs.js'
import { writ } from './test-io.js'

const happy = aegrailBytes('happy.jsonl')
const lines = aegrailLines('happy.jsonl')
const LOGS: Record<string, Uint8Array> = {
  happy,
  edited: aegrailBytes('happy.tampered-edit.jsonl'),
  cut: aegrailBytes('happy.tampered-partial-tail.jsonl'),
  writ: fileOf(chain([{}, {}])),
  '-': happy,
}
const head = (JSON.parse(lines[11] ?? '') as { event_hash: string }).event_hash

describe('writ verify --format aegrail', () => {
  test('of a sound log: UNANCHORED, with its size and head', async () => {
    for (const args of [
      ['--format', 'aegrail', 'happy'],
      ['happy', '--format=aegrail'],
      ['--format', 'aegrail', '-'],
    ]) {
      const { status, out, err } = await writ(['verify', ...args], { logs: LOGS })
      expect({ status, err }).toEqual({ status: 1, err: '' })
      expect(out).toMatch(/^UNANCHORED: /)
      expect(out).toMatch(/records +12\n/)
      expect(out).toContain(head)
      expect(out).toContain('UNANCHORED is not valid')
      expect(out).not.toContain('log id')
    }
  })

  test.each([
    [
      'edited',
      2,
      'TAMPERED: a hash or a link',
      'record 6, at byte 3599: its event_hash does not match',
      'docs/aegrail.md',
    ],
    [
      'cut',
      7,
      'CRASH_DAMAGED: the last record is cut',
      'record 11, at byte 6712: it is cut',
      'into the line that is cut',
    ],
    ['writ', 6, 'MALFORMED: this is not a log of aegrail', 'record 0, at byte 0', 'checked without --format'],
  ])('of %s: exit %i, what is wrong and what to do', async (log, exit, headline, fault, next) => {
    const { status, out } = await writ(['verify', '--format', 'aegrail', log], {
      logs: LOGS,
      pieceBytes: 100,
    })
    expect(status).toBe(exit)
    expect(out.startsWith(headline)).toBe(true)
    expect(out).toContain(fault)
    expect(out).toContain(next)
    // What is true of Writ's own logs alone.
    expect(out).not.toMatch(/stable storage|sequence number|next agent that opens it/)
  })

  test('--json has the same members as for a log of Writ', async () => {
    const { status, out } = await writ(['verify', '--format', 'aegrail', '--json', 'edited'], { logs: LOGS })
    expect(status).toBe(2)
    expect(JSON.parse(out)).toEqual({
      verdict: 'TAMPERED',
      exit: 2,
      size: 6,
      bytes: LOGS['edited']?.length,
      head: (JSON.parse(lines[5] ?? '') as { event_hash: string }).event_hash,
      log_id: null,
      fault: { seq: 6, offset: 3599, detail: 'its event_hash does not match its members' },
    })
  })

  test('a log of aegrail is no log of Writ, and --format writ is what is done without it', async () => {
    const without = await writ(['verify', 'happy'], { logs: LOGS })
    expect(without).toMatchObject({ status: 6 })
    expect(await writ(['verify', '--format', 'writ', 'happy'], { logs: LOGS })).toEqual(without)
    expect(await writ(['verify', '--format', 'writ', 'writ'], { logs: LOGS })).toMatchObject({ status: 1 })
  })

  test('names the formats when asked for another', async () => {
    for (const name of ['aegral', '__proto__', '\u001b[2J', '']) {
      const { status, out, err } = await writ(['verify', `--format=${name}`, 'happy'], { logs: LOGS })
      expect({ status, out }).toEqual({ status: 64, out: '' })
      expect(err).toContain('the formats are writ and aegrail.')
      expect(err).not.toContain('\u001b')
    }
    expect((await writ(['verify', '--format', 'aegral', 'happy'])).err).toContain('Did you mean aegrail?')
    expect((await writ(['verify', '--help'])).out).toContain('--format')
  })
})
