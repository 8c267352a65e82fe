/// <reference lib="es2023.array" />
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type VerifyOptions, verifyLog } from 'writ/verify'
import { chain, fileOf, rewritten } from '../support/audit-logs.js'
import { headOf, historyOf, keyOf, noteOver, segmentedLog, timeOf } from '../support/signed-logs.js'

/** The table of the README that says what each kind of evidence catches: every cell of it is tried here. */
const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
const table = readme.split('\n## What each kind of evidence catches\n')[1]?.split('\n## ')[0] ?? ''
const rows = [...table.matchAll(/^\| (?!attack|-)(.+?) \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, attack = '', ...cells]) => ({ attack, cells }),
)

const lines = chain(
  Array.from({ length: 12 }, (_, seq) => ({ ts: timeOf(seq), synced: seq < 6 ? seq - 1 : 5 })),
)
const changed = (index: number): string[] =>
  lines.with(index, lines[index]!.replace('"depth":0', '"depth":1'))
const key = keyOf().verifierKey
/** Signed up to record 9, and remembered up to record 7. */
const SIGNED = 10
const KEPT = 8
const beside = historyOf([noteOver(lines, 4), noteOver(lines, SIGNED)])
const other = rewritten(changed(1))
const rotated = segmentedLog(
  Array.from({ length: 12 }, (_, seq) => ({ ts: timeOf(seq) })),
  [3],
)

interface Attack {
  readonly log: Uint8Array
  /** What lies beside it afterwards. */
  readonly beside?: string
  /** How the keys are given. */
  readonly validUntil?: string
  /** The log before the attack, where it is another one than `lines`. */
  readonly was?: readonly string[]
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a record is changed': { log: fileOf(changed(5)) },
  'a record is removed': { log: fileOf(lines.toSpliced(5, 1)) },
  'records are inserted or swapped': { log: fileOf(lines.with(5, lines[6]!).with(6, lines[5]!)) },
  'the end is cut at a line': { log: fileOf(lines.slice(0, 6)) },
  'the end is cut, and the checkpoints put back to older ones': {
    log: fileOf(lines.slice(0, 6)),
    beside: historyOf([noteOver(lines, 4)]),
  },
  'the log is emptied': { log: new Uint8Array(0) },
  'the end is made to look torn by a crash': { log: fileOf(lines.slice(0, 7)).subarray(0, -9) },
  'the whole log is rewritten, every hash anew': { log: fileOf(other) },
  'the same by somebody with the key, who signs it and clears away the old checkpoints': {
    log: fileOf(other),
    beside: historyOf([noteOver(other, SIGNED)]),
  },
  'the same, with a key that was good only before': {
    log: fileOf(other),
    beside: historyOf([noteOver(other, SIGNED)]),
    validUntil: timeOf(5),
  },
  'another log of the same key is put in its place, with its checkpoints': {
    log: fileOf(chain([{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}])),
    beside: historyOf([noteOver(chain(Array.from({ length: 12 }, () => ({}))), SIGNED)]),
  },
  'a checkpoint is forged in the name of the key': {
    log: fileOf(other),
    beside: historyOf([noteOver(other, SIGNED, [keyOf()]).replace('\n10\n', '\n11\n')]),
  },
  'a checkpoint is signed with a key of the same name': {
    log: fileOf(other),
    beside: historyOf([noteOver(other, SIGNED, [keyOf(undefined, 9)])]),
  },
  'records after the last checkpoint and head are changed, every hash anew': {
    log: fileOf([...lines.slice(0, 10), ...rewritten(changed(10)).slice(10)]),
  },
  'records are written with a wrong time': {
    log: fileOf(rewritten(lines.with(11, lines[11]!.replace('00:00:11', '00:00:10')))),
  },
  'the oldest segments are removed': {
    log: fileOf(rotated.files[1]!.lines),
    beside: historyOf([noteOver(rotated.lines, SIGNED)]),
    was: rotated.lines,
  },
}

test('the table has exactly the attacks that are tried', () => {
  expect(rows.map(({ attack }) => attack)).toEqual(Object.keys(ATTACKS))
})

describe.each(rows)('$attack', ({ attack, cells }) => {
  const {
    log,
    beside: left = beside,
    validUntil,
    was = lines,
  } = ATTACKS[attack] ?? { log: new Uint8Array(0) }
  const keys = [validUntil === undefined ? key : { key, validUntil }]
  const evidence: VerifyOptions[] = [
    {},
    { keys, checkpoints: [left] },
    { keys, checkpoints: [left], remembered: { heads: [headOf(was, KEPT)] } },
  ]

  test.each(['a chain alone', 'a signed checkpoint', 'an anchor'].map((name, index) => ({ name, index })))(
    '$name',
    async ({ index }) => {
      const cell = cells[index] ?? ''
      const { verdict, findings, uncovered } = await verifyLog(log, evidence[index])
      expect(verdict).toBe(/`([A-Z_]+)`/.exec(cell)?.[1])
      // A cell claims to catch something only where the verdict is not that of a log without an attack.
      const quiet = index === 0 ? 'UNANCHORED' : 'VALID'
      const isCaught = !cell.startsWith('no')
      expect(isCaught).toBe(verdict !== quiet)
      if (cell.includes('finding')) expect(findings.map(({ kind }) => kind)).toContain('segment_missing')
      if (cell.includes('not covered')) expect(uncovered.records).toBeGreaterThan(0)
    },
  )
})
