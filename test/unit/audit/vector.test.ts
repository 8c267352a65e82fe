import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AuditRecord } from 'writ'
import { verifyLog } from 'writ/verify'
import { EVENTS } from '../../../src/audit/event.js'
import { temporaryFolder } from '../../support/audit-logs.js'
import { hasCommand } from '../../support/commands.js'
import { writeFixedLog } from '../../support/fixed-log.js'

const VECTOR = join(import.meta.dirname, '../../vectors/writ-log.jsonl')

// A change of this file is a change of the format: `vitest run test/unit/audit/vector.test.ts -u` writes it anew.
test('the published log is what is written today, byte for byte', async () => {
  const text = await writeFixedLog(join(temporaryFolder(), 'audit.jsonl'))
  await expect(text).toMatchFileSnapshot(VECTOR)
})

test('the published log holds together, by another reading of its specification', async () => {
  const bytes = readFileSync(VECTOR)
  const lines = bytes.toString('utf8').split('\n').slice(0, -1)
  let previous = '0'.repeat(64)
  for (const [index, line] of lines.entries()) {
    const record = JSON.parse(line) as AuditRecord
    const covered = Buffer.from(line).subarray(0, -75)
    expect(record).toMatchObject({ v: 1, seq: index, prev_hash: previous })
    expect(createHash('sha256').update(covered).digest('hex')).toBe(record.hash)
    previous = record.hash
  }
  expect(await verifyLog(bytes)).toMatchObject({ verdict: 'UNANCHORED', size: lines.length, head: previous })
})

/** What takes a crash, several files, or a service that is not there. */
const NOT_IN_VECTOR: readonly string[] = [
  'log_recovered',
  'log_pruned',
  'anchor_failed',
  'credential_issued',
  'approval_requested',
  'approval_decided',
]

test('the published log holds every event but those that it cannot', () => {
  const lines = readFileSync(VECTOR, 'utf8').split('\n').slice(0, -1)
  const events = new Set(lines.map((line) => (JSON.parse(line) as AuditRecord).event))
  expect([...events].sort()).toEqual(EVENTS.filter((event) => !NOT_IN_VECTOR.includes(event)).sort())
})

test('its README says what it is', async () => {
  const readme = readFileSync(join(VECTOR, '../README.md'), 'utf8')
  const { size, head, bytes } = await verifyLog(readFileSync(VECTOR))
  for (const fact of [String(size), String(bytes), head ?? '']) expect(readme).toContain(fact)
})

/** The changes that the README lists, in its order. */
function changes(): [bytes: Buffer, verdict: string, size: number][] {
  const bytes = readFileSync(VECTOR)
  const lines = bytes.toString('latin1').split('\n').slice(0, -1)
  const joined = (changed: readonly string[], end = '\n'): Buffer =>
    Buffer.from(changed.map((line) => line + end).join(''), 'latin1')
  const flipped = lines.with(7, lines[7]!.replace('"seq":7', '"seq":6'))
  const holed = (index: number): Buffer =>
    joined(lines.with(index, lines[index]!.slice(0, 100) + '\0'.repeat(100) + lines[index]!.slice(200)))
  return [
    [bytes, 'UNANCHORED', 25],
    [joined(flipped), 'TAMPERED', 7],
    [joined(lines.toSpliced(7, 1)), 'TAMPERED', 7],
    [joined(lines.toSpliced(7, 0, lines[7]!)), 'TAMPERED', 8],
    [joined(lines.with(7, lines[8]!).with(8, lines[7]!)), 'TAMPERED', 7],
    [joined(lines, '\r\n'), 'TAMPERED', 0],
    [Buffer.concat([Buffer.from('\ufeff'), bytes]), 'MALFORMED', 0],
    [Buffer.concat([bytes, Buffer.from('\n')]), 'TAMPERED', 25],
    [bytes.subarray(0, -1), 'CRASH_DAMAGED', 24],
    [Buffer.concat([bytes, Buffer.alloc(100)]), 'CRASH_DAMAGED', 25],
    [holed(20), 'TAMPERED', 20],
    [holed(24), 'CRASH_DAMAGED', 24],
    [joined(lines.slice(0, -3)), 'UNANCHORED', 22],
    [Buffer.alloc(0), 'MALFORMED', 0],
  ]
}

test('its README says what becomes of it when it is changed', async () => {
  const readme = readFileSync(join(VECTOR, '../README.md'), 'utf8')
  const listed = [...readme.matchAll(/^\| .* \| `([A-Z_]+)` \| (\d+) \|$/gm)].map(([, verdict, size]) => [
    verdict,
    Number(size),
  ])
  const found: unknown[] = []
  for (const [bytes] of changes()) {
    const { verdict, size } = await verifyLog(bytes)
    found.push([verdict, size])
  }
  expect(found).toEqual(changes().map(([, verdict, size]) => [verdict, size]))
  expect(found).toEqual(listed)
})

test.skipIf(!hasCommand('jq', '--version'))('the shell check agrees', async () => {
  const { size, head } = await verifyLog(readFileSync(VECTOR))
  const script = join(import.meta.dirname, '../../../scripts/verify.sh')
  expect(execFileSync('bash', [script, VECTOR], { encoding: 'utf8' })).toBe(`OK ${size} head ${head}\n`)
})

test.skipIf(!hasCommand('jq', '--version'))(
  'the shell check takes the files of one log in their order',
  async () => {
    const bytes = readFileSync(VECTOR)
    const { size, head } = await verifyLog(bytes)
    const script = join(import.meta.dirname, '../../../scripts/verify.sh')
    const folder = temporaryFolder()
    const files = [join(folder, 'first.jsonl'), join(folder, 'second.jsonl')] as const
    const cut = bytes.indexOf(10, bytes.length / 2) + 1
    writeFileSync(files[0], bytes.subarray(0, cut))
    writeFileSync(files[1], bytes.subarray(cut))
    const check = (...args: string[]): string =>
      spawnSync('bash', [script, ...args], { encoding: 'utf8' }).stdout
    expect(check(...files)).toBe(`OK ${size} head ${head}\n`)
    expect(check(...files.toReversed())).toMatch(/^BAD line 0: its prev_hash/)
    const empty = join(folder, 'empty.jsonl')
    writeFileSync(empty, '')
    expect(check(...files, empty)).toBe(`OK ${size} head ${head}\n`)
    expect(check(empty, empty)).toBe('')
    expect(check(...files, '--', empty)).toBe(`OK ${size} head ${head}\n`)
    expect(spawnSync('bash', [script, ...files, '--', empty]).status).toBe(2)
    expect(check(...files, '--', VECTOR)).toBe(`OK ${size} head ${head}\n`.repeat(2))
    expect(check(VECTOR, '--', ...files.toReversed())).toMatch(/^OK .*\nBAD line 0: its prev_hash/)
  },
)
