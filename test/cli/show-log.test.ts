import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool, ScopeKeys } from 'writ'
import * as z from 'zod'
import { chain, fileOf } from '../support/audit-logs.js'
import {
  headOf,
  historyOf,
  keyOf,
  noteOver,
  segmentedLog,
  sessionMembers,
  timeOf,
} from '../support/signed-logs.js'
import { writ } from './test-io.js'

const key = String(keyOf().verifierKey)
const rotated = segmentedLog(
  Array.from({ length: 12 }, (_, seq) => ({ ts: timeOf(seq) })),
  [4, 9],
)
const files = Object.fromEntries(rotated.files.map((file) => [`d/${file.name}`, fileOf(file.lines)]))
const logs = { ...files, 'd/audit.jsonl.checkpoint': noteOver(rotated.lines, 10), 'd/audit.jsonl.lock': 'x' }
const nowMs = Date.UTC(2026, 0, 1, 3)
const rowsOf = (out: string): string[] => out.trimEnd().split('\n').slice(0, -1)

describe('writ show of a log in several files', () => {
  test.each(['d/audit.jsonl', 'd'])('%s: all records in order, and the verdict of verify', async (path) => {
    const shown = await writ(['show', path, '--key', key], { logs, nowMs, pieceBytes: 99 })
    expect(shown).toMatchObject({ status: 0, err: '' })
    expect(rowsOf(shown.out).map((row) => row.slice(0, 24))).toEqual(
      rotated.lines.map((_, seq) => timeOf(seq)),
    )
    const verified = await writ(['verify', 'd/audit.jsonl', '--key', key], { logs, nowMs })
    expect(shown.out.trimEnd().split('\n').at(-1)).toBe(`${verified.out.split('\n')[0]} [12 records]`)
    expect(shown.out).toContain('but for the last 2 records; the oldest of them is 2 h old')
  })

  test('filters look at all of them', async () => {
    const { out } = await writ(['show', 'd', '--since', timeOf(3), '--event', 'log_open'], { logs, nowMs })
    expect(rowsOf(out).map((row) => row.slice(0, 24))).toEqual([
      timeOf(4),
      timeOf(9),
      expect.stringContaining('-- finding: chec'),
    ])
  })

  test('--json gives the lines of all of them, unchanged', async () => {
    const { status, out, err } = await writ(['show', 'd', '--json', '--key', key], { logs, nowMs })
    expect(status).toBe(0)
    expect(out).toBe(rotated.lines.map((line) => `${line}\n`).join(''))
    expect(err).toMatch(/^VALID \(signed\): /)
  })

  test('says what is missing, which no record can show', async () => {
    const { 'd/audit.000000000000.jsonl': _, ...pruned } = logs as Record<string, string | Uint8Array>
    const without = await writ(['show', 'd', '--key', key], { logs: pruned })
    expect(without.status).toBe(0)
    expect(without.out).toContain('-- finding: segment_missing: the segment audit.000000000000.jsonl')
    const { 'd/audit.jsonl': __, ...cut } = logs as Record<string, string | Uint8Array>
    const gone = await writ(['show', 'd', '--key', key], { logs: cut })
    expect(gone.status).toBe(3)
    expect(gone.out).toContain(
      '-- finding: segment_missing: the file that is written to, d/audit.jsonl, is not there',
    )
    expect(gone.out).toMatch(/\nTRUNCATED: [^\n]*\n$/)
  })

  test('what cannot be checked any more is a finding, and nothing is called broken', async () => {
    const { 'd/audit.000000000000.jsonl': _, ...pruned } = logs as Record<string, string | Uint8Array>
    const old = {
      'd/audit.jsonl.checkpoints': historyOf([1, 2].map((size) => noteOver(rotated.lines, size))),
    }
    const { status, out } = await writ(['verify', 'd', '--key', key], { logs: { ...pruned, ...old } })
    expect(status).toBe(0)
    expect(out).toContain('finding  unchecked: 2 of them: the log that is left begins at record 4')
    expect(out).not.toContain('broken')
  })

  test('writ reveal finds a record in a finished segment', async () => {
    const args = ['--seq', '1', '--pointer', '/x', '--value', '1', '--keys', 'k']
    const { err } = await writ(['reveal', 'd/audit.jsonl', ...args], { logs })
    expect(err).toContain('record 1 commits to no value')
  })

  test('--head, --checkpoint and --require mean what they mean to verify', async () => {
    const { size, hash } = headOf(rotated.lines)
    const anchored = ['--head', `${size}:${hash}`, '--require', 'anchored']
    expect(await writ(['show', 'd', ...anchored], { logs })).toMatchObject({ status: 0 })
    expect(await writ(['show', 'd', '--key', key, '--require', 'anchored'], { logs })).toMatchObject({
      status: 1,
    })
    expect(await writ(['show', 'd', '--head', `${size}:${'0'.repeat(64)}`], { logs })).toMatchObject({
      status: 4,
    })
    expect(await writ(['show', 'd', '--key', 'missing'], { logs })).toMatchObject({ status: 64, out: '' })
  })

  test('of a folder of several, each under its name; the exit status is the worst', async () => {
    const lines = chain([{}, {}])
    const many = { ...logs, 'd/b.jsonl': fileOf(lines.slice(1)) }
    const shown = await writ(['show', 'd', '--key', key], { logs: many })
    expect(shown.status).toBe(2)
    const worseFirst = { ...logs, 'd/0.jsonl': fileOf(lines.slice(1)) }
    expect(await writ(['show', 'd', '--key', key], { logs: worseFirst })).toMatchObject({ status: 2 })
    expect(shown.out).toMatch(
      /^== d\/audit\.jsonl\n[\s\S]*\nVALID [^\n]*\n\n== d\/b\.jsonl\n[\s\S]*\nTAMPERED: /,
    )
    expect(await writ(['show', 'd', '--head', `1:${'0'.repeat(64)}`], { logs: many })).toMatchObject({
      status: 64,
    })
  })

  test('on a terminal, a log that is valid is not red', async () => {
    const { out } = await writ(['show', 'd', '--key', key], { logs, isTty: true, columns: 300 })
    expect(out.trimEnd().split('\n').at(-1)).toContain('\u001b[32mVALID')
  })
})

describe('nested sessions', () => {
  const ids = ['A', 'B', 'C'].map((end) => `01ARZ3NDEKTSV4RRFFQ69G5FA${end}`)
  const start = (index: number, parent?: number) => ({
    session: sessionMembers(ids[index] ?? ''),
    payload: JSON.stringify({
      depth: index,
      ...(parent === undefined ? {} : { parent_session: ids[parent] }),
    }),
  })
  const end = (index: number) => ({
    event: 'session_end',
    session: sessionMembers(ids[index] ?? ''),
    payload: '{"outcome":"completed","records":2}',
  })
  const log = fileOf(chain([start(0), start(1, 0), start(2, 1), end(2), end(1), end(0)]))

  test('are marked by how deep they are', async () => {
    const { out } = await writ(['show', 'log'], { logs: { log } })
    expect(rowsOf(out).map((row) => row.slice(61).match(/^(?:> )*/)?.[0])).toEqual([
      '',
      '> ',
      '> > ',
      '> > ',
      '> ',
      '',
    ])
    expect(out).toContain('> > nested in 9G5FAB; ')
  })

  test('also where a filter hides their beginning', async () => {
    const { out } = await writ(['show', 'log', '--event', 'session_end'], { logs: { log } })
    expect(rowsOf(out).map((row) => row.slice(61).match(/^(?:> )*/)?.[0])).toEqual(['> > ', '> ', ''])
  })

  test('of a depth that is none, or beyond all reason, take no room', async () => {
    for (const depth of ['1e9', '-1', '"x"', '[]', '1.5']) {
      const odd = fileOf(chain([{ session: sessionMembers(ids[0] ?? ''), payload: `{"depth":${depth}}` }]))
      const { status, out } = await writ(['show', 'log'], { logs: { log: odd } })
      expect(status).toBe(1)
      expect(out.match(/> /g)?.length ?? 0).toBeLessThanOrEqual(8)
    }
  })
})

test('commitments by name alone, and an approval with who gave it', async () => {
  const audit = AuditSink.memory()
  const agent = new Agent({
    identity: 'clerk/v1',
    budget: { toolCalls: 9 },
    audit,
    scopeKeys: ScopeKeys.memory(),
    approve: () => ({ approved: true, by: 'marta', reason: 'a good customer' }),
    tools: {
      charge: defineTool({
        inputSchema: z.object({ card: z.string(), cents: z.number() }),
        commit: ['/card', ''],
        approval: 'always',
        execute: () => 'charged',
      }),
    },
  })
  await agent.session('alice', (s) => s.callTool('charge', { card: '4242', cents: 5 }))
  const { out } = await writ(['show', 'log'], { logs: { log: fileOf([...audit.lines]) } })
  expect(out).toMatch(/tool call {8}#1 charge\(card, cents\); commits to \/card, the whole input/)
  expect(out).toMatch(/approval asked {3}#1 charge\(card, cents\): /)
  expect(out).toMatch(/approval {9}#1 approved by marta: a good customer after /)
  expect(out).not.toMatch(/[0-9a-f]{64}/)
})

test('every line of every help fits into 110 columns', async () => {
  for (const command of [[], ['verify'], ['show'], ['prove'], ['keygen'], ['reveal']]) {
    const { status, out } = await writ([...command, '--help'])
    expect(status).toBe(0)
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(110)
  }
})
