import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, runNode, start } from '../support/child.js'
import { bytesOf, missingCalls, recordsOf, verifySigned } from '../support/whole-log.js'
import { historyOf, KEY, segmentsOf, sizeOf } from '../support/written-logs.js'

const ROUNDS = 24
const SIGNED = {
  signing: { key: KEY.encode(), everyRecords: 40, everyMs: 20 },
  rotation: { maxBytes: 65_536 },
}

let folder: string
let killable: string
let full: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-kill-signed-'))
  killable = await bundle('test/crash/kill-child.ts', folder)
  full = await bundle('test/crash/full-child.ts', folder)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a writer until it has acknowledged a call, and kills it some time later. */
async function killedWriter(path: string, options: object, afterMs: number): Promise<string[]> {
  const child = start(killable, [path, JSON.stringify(options)])
  let acknowledged = ''
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const first = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged += chunk.toString()
      resolve()
    })
  })
  await Promise.race([first, closed])
  await wait(afterMs)
  child.kill('SIGKILL')
  await closed
  expect(complaint).toBe('')
  return acknowledged.split('\n').slice(0, -1)
}

test('kills -9 of a signed log of many files: no call is missing, and nothing is signed that is not there', async () => {
  const path = join(folder, 'signed.jsonl')
  const ran: string[] = []
  const rootAt = new Map<number, string>()
  for (let round = 0; round < ROUNDS; round++) {
    const durability = (['commit', 'interval', 'os'] as const)[round % 3]
    const acknowledged = await killedWriter(path, { ...SIGNED, durability }, (round * 17) % 130)
    expect(acknowledged.length).toBeGreaterThan(0)
    ran.push(...acknowledged)
    const report = await verifySigned(path)
    expect(['VALID', 'UNANCHORED', 'CRASH_DAMAGED']).toContain(report.verdict)
    expect(missingCalls(ran, recordsOf(bytesOf(path)).slice(0, report.size))).toEqual([])
    for (const note of historyOf(path)) {
      const [, , root = ''] = note.split('\n')
      expect(sizeOf(note)).toBeLessThanOrEqual(report.size)
      expect(rootAt.get(sizeOf(note)) ?? root).toBe(root)
      rootAt.set(sizeOf(note), root)
    }
  }
  const { stdout } = await runNode(full, [path, JSON.stringify(SIGNED), '1'])
  expect(stdout).toMatch(/\ndone\n$/)
  const records = recordsOf(bytesOf(path))
  expect(await verifySigned(path)).toMatchObject({ verdict: 'VALID', size: records.length })
  expect(missingCalls(ran, records)).toEqual([])
  // Otherwise the kills would have said nothing about files that are begun.
  expect(segmentsOf(path).length).toBeGreaterThan(3)
  expect(rootAt.size).toBeGreaterThan(ROUNDS)
}, 120_000)
