import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditRecord } from 'writ'
import { verifyLog } from 'writ/verify'
import type { Durability } from '../../src/sinks/durability.js'
import { bundle, runNode, start } from '../support/child.js'

let folder: string
let killable: string
let leaving: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-crash-'))
  killable = await bundle('test/crash/kill-child.ts', folder)
  leaving = await bundle('test/crash/exit-child.ts', folder)
}, 60_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

function recordsIn(path: string): AuditRecord[] {
  const text = readFileSync(path, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)
}

/** Runs the writer until it has acknowledged something, kills it at a moment of no meaning, and says what it acknowledged. */
async function killedWriter(path: string, durability: Durability, afterMs: number): Promise<string[]> {
  const child = start(killable, [path, JSON.stringify({ durability })])
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

test('thirty kills -9 of one log: no call that ran is missing, and every writer goes on where the last one was cut off', async () => {
  const path = join(folder, 'killed.jsonl')
  const ran: string[] = []
  for (let round = 0; round < 30; round++) {
    const durability = (['commit', 'commit', 'interval', 'os'] as const)[round % 4]!
    const acknowledged = await killedWriter(path, durability, (round * 7) % 60)
    expect(acknowledged.length).toBeGreaterThan(0)
    ran.push(...acknowledged)
    const { verdict, size } = await verifyLog(readFileSync(path))
    expect(['UNANCHORED', 'CRASH_DAMAGED']).toContain(verdict)
    const recorded = new Set(
      recordsIn(path)
        .slice(0, size)
        .filter(({ event }) => event === 'tool_call')
        .map(({ payload }) => payload['call_id']),
    )
    for (const callId of ran)
      if (!recorded.has(callId)) expect.fail(`round ${round}: ${callId} ran and is not on record`)
  }
  const { status } = await runNode(leaving, [path, 'commit', 'end'])
  expect(status).toBe(0)
  const all = recordsIn(path)
  expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: all.length })
  expect(all.filter(({ event }) => event === 'log_open')).toHaveLength(31)
  const torn = readdirSync(folder).filter((name) => name.startsWith('killed.jsonl.torn-'))
  expect(all.filter(({ event }) => event === 'log_recovered')).toHaveLength(torn.length)
}, 120_000)

test.each(
  (['commit', 'interval', 'os'] as const).flatMap((durability) =>
    (
      [
        ['exit', 3],
        ['throw', 1],
        ['end', 0],
      ] as const
    ).map(([way, status]) => [way, durability, status] as const),
  ),
)(
  'a process that leaves by %s, durability %s, loses no record that was queued',
  async (way, durability, status) => {
    const path = join(folder, `${way}-${durability}.jsonl`)
    const finished = await runNode(leaving, [path, durability, way])
    expect(finished.status).toBe(status)
    const all = recordsIn(path)
    expect(all.filter(({ event }) => event === 'llm_call')).toHaveLength(500)
    expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 502 })
  },
)
