import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AuditRecord, AuditSink, WritError } from 'writ'
import { verifyLog } from 'writ/verify'
import type { Durability } from '../../../src/sinks/durability.js'
import { fileSink } from '../../../src/sinks/file.js'
import { agentOn, fastFolder, toolThat } from '../../support/audit-logs.js'
import { Disk, type DiskFaults } from '../../support/disk.js'

/** What came of a run on a disk with faults. */
interface Run {
  readonly disk: Disk
  readonly path: string
  /** The calls whose tool ran. */
  readonly effects: string[]
  /** Every error that a caller got. */
  readonly errors: unknown[]
}

/** Where the intent of a call ends in the file, or −1 when it is not there. */
function endOfIntent(path: string, callId: string): number {
  const text = readFileSync(path, 'latin1')
  const at = text.indexOf(`"event":"tool_call","payload":{"call_id":"${callId}"`)
  return at === -1 ? -1 : text.indexOf('\n', at) + 1
}

/** Two agents' worth of work on one log, asynchronous and synchronous. What fails is collected. */
async function work(faults: DiskFaults, durability: Durability): Promise<Run> {
  const disk = new Disk(faults)
  const path = join(fastFolder(), 'audit.jsonl')
  const effects: string[] = []
  const errors: unknown[] = []
  const act = toolThat((callId) => {
    effects.push(callId)
    const end = endOfIntent(path, callId)
    expect(end, `${callId} ran without its record`).toBeGreaterThan(0)
    if (durability === 'commit') {
      expect(disk.syncedBytes(path), `${callId} ran before its record was stored`).toBeGreaterThanOrEqual(end)
    }
  })
  for (let round = 0; round < 2; round++) {
    try {
      const agent = agentOn(fileSink(path, { durability: durability }, disk.io), act)
      const attempts = [
        agent.session('alice', (s) => Promise.all([s.callTool('act', {}), s.callTool('act', {})])),
        agent.session('bob', (s) => s.callTool('act', {})),
      ]
      for (const result of await Promise.allSettled(attempts)) {
        if (result.status === 'rejected') errors.push(result.reason)
      }
      await collect(errors, async () => agent.sessionSync('carol', (s) => s.callTool('act', {})))
      await collect(errors, () => agent.close())
    } catch (error) {
      errors.push(error)
    }
  }
  return { disk, path, effects, errors }
}

async function collect(errors: unknown[], action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    errors.push(error)
  }
}

/** What has to hold whatever the disk did. */
async function check({ path, effects, errors }: Run): Promise<void> {
  for (const error of errors) {
    expect(WritError.isInstance(error), String(error)).toBe(true)
    expect((error as WritError).code).toBe('ERR_AUDIT_UNAVAILABLE')
  }
  const left = readOrNothing(path)
  const { verdict, size } = await verifyLog(left)
  if (left.length > 0) expect(['UNANCHORED', 'CRASH_DAMAGED']).toContain(verdict)
  const calls = parse(left, size).filter(({ event }) => event === 'tool_call')
  const recorded = new Set(calls.map(({ payload }) => payload['call_id']))
  for (const callId of effects) expect(recorded).toContain(callId)

  // On a disk that works, the log goes on.
  const agent = agentOn(AuditSink.file(path))
  await agent.session('dora', (s) => s.callTool('act', {}))
  await agent.close()
  const whole = readFileSync(path)
  expect((await verifyLog(whole)).verdict).toBe('UNANCHORED')
  expect(whole.subarray(0, prefixOf(left, size).length)).toEqual(prefixOf(left, size))
}

function readOrNothing(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}

function prefixOf(bytes: Buffer, lines: number): Buffer {
  let end = 0
  for (let line = 0; line < lines; line++) end = bytes.indexOf('\n', end) + 1
  return bytes.subarray(0, end)
}

function parse(bytes: Buffer, lines: number): AuditRecord[] {
  const text = prefixOf(bytes, lines).toString('utf8').trimEnd()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as AuditRecord)
}

describe.each<Durability>(['commit', 'interval', 'os'])('durability %s', (durability) => {
  test('on a disk without faults nothing fails', async () => {
    const run = await work({}, durability)
    expect(run.errors).toEqual([])
    expect(run.effects).toHaveLength(8)
    await check(run)
  })

  test.each(['EIO', 'ENOSPC', 'EFBIG'])(
    'whichever call fails with %s, no tool runs without its record and the log holds together',
    async (code) => {
      const { disk } = await work({}, durability)
      expect(disk.counted).toBeGreaterThan(20)
      let failed = 0
      for (let failAt = 0; failAt < disk.counted; failAt++) {
        const run = await work({ failAt, code }, durability)
        if (run.errors.length > 0) failed += 1
        await check(run)
      }
      expect(failed).toBeGreaterThan(10)
    },
    120_000,
  )

  test.each([0, 1, 100, 700, 1_500, 3_000, 6_000])('with room for %i bytes', async (freeBytes) => {
    const run = await work({ freeBytes }, durability)
    expect(run.errors.length).toBeGreaterThan(0)
    expect((run.errors[0] as Error).message).toContain('the disk is full (ENOSPC)')
    expect(readOrNothing(run.path).length).toBeLessThanOrEqual(freeBytes)
    expect((await verifyLog(readOrNothing(run.path))).verdict).not.toBe('CRASH_DAMAGED')
    await check(run)
  })
})

test('writes of one byte at a time lose nothing', async () => {
  const run = await work({ writeBytes: 1 }, 'commit')
  expect(run.errors).toEqual([])
  expect(run.effects).toHaveLength(8)
  await check(run)
  expect(run.disk.count('writeSync')).toBeGreaterThan(10_000)
})

test('a write that takes nothing is a failure, not an endless loop', async () => {
  const run = await work({ writeBytes: 0 }, 'commit')
  expect(run.effects).toEqual([])
  expect((run.errors[0] as Error).message).toContain('takes no more bytes')
})

describe('a failure is final', () => {
  test.each([
    ['writeSync', 'EIO'],
    ['fdatasync', 'EIO'],
    ['writeSync', 'EFBIG'],
  ])(
    '%s failing once with %s: the same error ever after, and nothing more is written',
    async (call, code) => {
      const disk = new Disk()
      const path = join(fastFolder(), 'audit.jsonl')
      let effects = 0
      const agent = agentOn(
        fileSink(path, { durability: 'commit' }, disk.io),
        toolThat(() => {
          effects += 1
        }),
      )
      await agent.session('alice', (s) => s.callTool('act', {}))
      disk.breakNext(code, [call])
      const first = await agent
        .session('alice', (s) => s.callTool('act', {}))
        .catch((error: unknown) => error)
      expect(first).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path, cause: { code } })
      const length = readFileSync(path).length
      for (let attempt = 0; attempt < 3; attempt++) {
        expect(
          await agent.session('bob', (s) => s.callTool('act', {})).catch((error: unknown) => error),
        ).toBe(first)
      }
      expect(() => agent.sessionSync('bob', (s) => s.callTool('act', {}))).toThrow(first as Error)
      await expect(agent.close()).rejects.toBe(first)
      expect(effects).toBe(1)
      expect(readFileSync(path)).toHaveLength(length)
      expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
    },
  )
})

test('a sink that has failed is no longer in the way of another one on the same file', async () => {
  const disk = new Disk()
  const path = join(fastFolder(), 'audit.jsonl')
  const agent = agentOn(fileSink(path, { durability: 'commit' }, disk.io))
  disk.breakNext('EIO', ['fdatasync'])
  await expect(agent.session('alice', () => undefined)).rejects.toMatchObject({
    code: 'ERR_AUDIT_UNAVAILABLE',
  })
  await agent.close().catch(() => undefined)
  const next = agentOn(AuditSink.file(path))
  await next.session('alice', () => undefined)
  await next.close()
  expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
})
