import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle, runNode } from '../support/child.js'
import { bytesOf, missingCalls, recordsOf, verifySigned } from '../support/whole-log.js'
import { KEY, segmentsOf } from '../support/written-logs.js'

const TURNS = 12
const OPTIONS = { signing: { key: KEY.encode(), everyRecords: 30 }, rotation: { maxBytes: 65_536 } }

let folder: string
let racer: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-race-'))
  racer = await bundle('test/crash/race-child.ts', folder)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function asProcess(args: string[]): Promise<string> {
  const { stdout, stderr } = await runNode(racer, args)
  expect(stderr).toBe('')
  return stdout
}

async function asThread(args: string[]): Promise<string> {
  const worker = new Worker(racer, { argv: args, stdout: true, stderr: true })
  const [said, complaint] = await Promise.all([text(worker.stdout), text(worker.stderr)])
  expect(complaint).toBe('')
  return said
}

test('two processes and two threads race for one signed log of many files: one chain, one writer at a time', async () => {
  const path = join(folder, 'raced.jsonl')
  const args = [path, JSON.stringify(OPTIONS), String(TURNS)]
  const said = await Promise.all([asProcess(args), asProcess(args), asThread(args), asThread(args)])
  const racers = said.map((line) => JSON.parse(line) as { ran: string[]; refused: number })
  const records = recordsOf(bytesOf(path))
  expect(await verifySigned(path)).toMatchObject({ verdict: 'VALID', size: records.length })
  for (const { ran } of racers) expect(ran).toHaveLength(TURNS * 12)
  expect(
    missingCalls(
      racers.flatMap(({ ran }) => ran),
      records,
    ),
  ).toEqual([])
  // They did meet, and the log did go on in new files.
  expect(racers.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0)
  expect(segmentsOf(path).length).toBeGreaterThan(2)
  const opened = records.filter(({ event, payload }) => event === 'log_open' && !('previous' in payload))
  expect(opened).toHaveLength(4 * TURNS)
  expect(records.filter(({ event }) => event === 'log_close')).toHaveLength(4 * TURNS)
}, 60_000)
