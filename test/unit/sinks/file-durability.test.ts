import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { AuditRecord } from 'writ'
import type { Durability } from '../../../src/sinks/durability.js'
import { fileSink } from '../../../src/sinks/file.js'
import { agentOn, temporaryFolder, toolThat } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { gate, turn } from '../../support/tools.js'
import { Host, records } from './records.js'

function opened(durability: Durability): { disk: Disk; path: string; sink: ReturnType<typeof fileSink> } {
  const disk = new Disk()
  const path = join(temporaryFolder(), 'audit.jsonl')
  const sink = fileSink(path, { durability }, disk.io)
  sink.open(new Host())
  disk.calls.length = 0
  return { disk, path, sink }
}

const recordsIn = (path: string): AuditRecord[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)

test('commit acknowledges after fdatasync, and not before', async () => {
  const { disk, path, sink } = opened('commit')
  const storing = gate()
  disk.syncGate = storing.promise
  let acknowledged = false
  sink.append(records(1)[0]!)
  const flushed = sink.flush()?.then(() => {
    acknowledged = true
    expect(disk.calls).toEqual(['lstatSync', 'lstatSync', 'writeSync', 'fdatasync', 'fdatasync done'])
    expect(disk.syncedBytes(path)).toBe(readFileSync(path).length)
  })
  await wait(20)
  expect(disk.calls).toEqual(['lstatSync', 'lstatSync', 'writeSync', 'fdatasync'])
  expect(acknowledged).toBe(false)
  storing.open()
  await flushed
  expect(acknowledged).toBe(true)
  expect(sink.flush()).toBeUndefined()
  await sink.close()
})

test('commit synchronises at once for those who cannot wait', async () => {
  const { disk, path, sink } = opened('commit')
  sink.append(records(1)[0]!)
  sink.flushSync()
  expect(disk.calls).toEqual(['lstatSync', 'lstatSync', 'writeSync', 'fdatasyncSync'])
  expect(disk.syncedBytes(path)).toBe(readFileSync(path).length)
  expect(sink.syncedSeq).toBe(0)
  await sink.close()
})

test('os hands over and never synchronises, not even when it opens and closes', async () => {
  const disk = new Disk()
  const path = join(temporaryFolder(), 'audit.jsonl')
  for (let round = 0; round < 2; round++) {
    const agent = agentOn(fileSink(path, { durability: 'os' }, disk.io))
    await agent.session('alice', (s) => s.callTool('act', {}))
    await agent.close()
  }
  for (const call of ['fsyncSync', 'fdatasync', 'fdatasyncSync']) expect(disk.calls).not.toContain(call)
  expect(new Set(recordsIn(path).map(({ synced }) => synced))).toEqual(new Set([-1]))
})

test('os has handed every record over when flush says so', async () => {
  const { path, sink } = opened('os')
  for (const record of records(3)) sink.append(record)
  await sink.flush()
  expect(recordsIn(path)).toHaveLength(3)
  sink.append(records(4)[3]!)
  sink.flushSync()
  expect(recordsIn(path)).toHaveLength(4)
  await sink.close()
})

test('interval acknowledges what the kernel has, and synchronises within 100 ms', async () => {
  const { disk, path, sink } = opened('interval')
  sink.append(records(1)[0]!)
  const beganMs = performance.now()
  await sink.flush()
  expect(disk.calls).toEqual(['lstatSync', 'lstatSync', 'writeSync'])
  expect(recordsIn(path)).toHaveLength(1)
  expect(sink.syncedSeq).toBe(-1)
  while ((sink.syncedSeq ?? -1) < 0 && performance.now() - beganMs < 2_000) await wait(5)
  // The rest is what the disk and a busy machine take.
  expect(performance.now() - beganMs).toBeGreaterThan(90)
  expect(performance.now() - beganMs).toBeLessThan(600)
  expect(disk.calls).toEqual(['lstatSync', 'lstatSync', 'writeSync', 'fdatasync', 'fdatasync done'])
  await wait(150)
  expect(disk.count('fdatasync')).toBe(1)
  await sink.close()
})

test('interval shares one synchronisation among everything within it, and synchronises at the end', async () => {
  const { disk, sink } = opened('interval')
  for (const record of records(20)) {
    sink.append(record)
    await sink.flush()
  }
  expect(disk.count('fdatasync')).toBe(0)
  await sink.close()
  expect(disk.count('fdatasyncSync')).toBe(1)
  await wait(150)
  expect(disk.count('fdatasync')).toBe(0)
})

test('one hundred calls at a time share the synchronisation of their intents', async () => {
  const disk = new Disk()
  const path = join(temporaryFolder(), 'audit.jsonl')
  let ran = 0
  const agent = agentOn(
    fileSink(path, {}, disk.io),
    toolThat(() => {
      ran += 1
    }),
  )
  await agent.session('alice', async (s) => {
    disk.calls.length = 0
    await Promise.all(Array.from({ length: 100 }, () => s.callTool('act', {})))
  })
  expect(ran).toBe(100)
  // One for the intents; one for the results and the end of the session, which follow.
  expect(disk.count('fdatasync')).toBeLessThanOrEqual(2)
  await agent.close()
})

test('who asks while a synchronisation is under way waits for the next', async () => {
  const { disk, sink } = opened('commit')
  const storing = gate()
  disk.syncGate = storing.promise
  const [first, second, third] = records(3)
  const order: string[] = []
  sink.append(first!)
  const one = sink.flush()?.then(() => order.push('first'))
  await wait(5)
  sink.append(second!)
  const two = sink.flush()?.then(() => {
    order.push('second')
    expect(disk.count('fdatasync done')).toBe(2)
  })
  sink.append(third!)
  const three = sink.flush()?.then(() => order.push('third'))
  await wait(5)
  expect(disk.count('fdatasync')).toBe(1)
  storing.open()
  await Promise.all([one, two, three])
  expect(order).toEqual(['first', 'second', 'third'])
  expect(disk.count('fdatasync')).toBe(2)
  await sink.close()
})

test.each<[disk: string, syncMs: number, isEarly: boolean]>([
  ['quick', 2, true],
  ['slow', 2.1, false],
])(
  'of more than one buffer at once, the first is on its way at once to a disk that is %s',
  async (_, syncMs, isEarly) => {
    let nowMs = 0
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    onTestFinished(() => void vi.restoreAllMocks())
    const { disk, path, sink } = opened('commit')
    const all = records(400)
    expect(all.reduce((sum, { line }) => sum + line.length, 0)).toBeGreaterThan(100_000)
    disk.beforeSynced = () => {
      nowMs += syncMs
    }
    sink.append(all[0]!)
    await sink.flush()
    disk.beforeSynced = undefined
    disk.calls.length = 0

    const acknowledged: Promise<unknown>[] = []
    const early: boolean[] = []
    let end = Buffer.byteLength(all[0]!.line) + 1
    for (const record of all.slice(1)) {
      if (acknowledged.length === 1) nowMs += 1
      sink.append(record)
      end += Buffer.byteLength(record.line) + 1
      const needed = end
      acknowledged.push(
        sink.flush()!.then(() => expect(disk.syncedBytes(path)).toBeGreaterThanOrEqual(needed)),
      )
      early.push(disk.count('fdatasync') > 0)
    }
    expect(early.filter(Boolean).length > 0).toBe(isEarly)
    expect(early[100]).toBe(false)
    await Promise.all(acknowledged)
    expect(disk.count('fdatasync')).toBe(isEarly ? 2 : 1)
    expect(sink.syncedSeq).toBe(399)
    await sink.close()
  },
)

test('a first buffer waits for all that there is, as long as nobody knows how quick the disk is', async () => {
  const { disk, sink } = opened('commit')
  const acknowledged = records(400).map((record) => {
    sink.append(record)
    return sink.flush()
  })
  expect(disk.count('writeSync')).toBeGreaterThan(0)
  expect(disk.count('fdatasync')).toBe(0)
  await Promise.all(acknowledged)
  expect(disk.count('fdatasync')).toBe(1)
  await sink.close()
})

test('interval does not hurry, however quick the disk is', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.spyOn(performance, 'now').mockImplementation(() => 0)
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
  const { disk, sink } = opened('interval')
  const [first, ...others] = records(400)
  sink.append(first!)
  await sink.flush()
  vi.advanceTimersByTime(100)
  while (sink.syncedSeq !== 0) await turn()
  disk.calls.length = 0
  for (const record of others) {
    sink.append(record)
    void sink.flush()
  }
  expect(disk.count('writeSync')).toBeGreaterThan(0)
  expect(disk.count('fdatasync')).toBe(0)
  await sink.close()
})

test('synced says in every line what was stored when it was formed', async () => {
  const disk = new Disk()
  const path = join(temporaryFolder(), 'audit.jsonl')
  const agent = agentOn(fileSink(path, {}, disk.io))
  await agent.session('alice', async (s) => {
    await s.callTool('act', {})
    await s.callTool('act', {})
  })
  await agent.close()
  const again = agentOn(fileSink(path, {}, disk.io))
  await again.close()
  expect(recordsIn(path).map(({ event, synced }) => [event, synced])).toEqual([
    ['log_open', -1],
    ['session_start', -1],
    ['tool_call', -1],
    ['tool_result', 2],
    ['tool_call', 2],
    ['tool_result', 4],
    ['session_end', 4],
    ['log_close', 6],
    ['log_open', 7],
    ['log_close', 7],
  ])
})

test('a new log makes its own name last as well', () => {
  const disk = new Disk()
  const sink = fileSink(join(temporaryFolder(), 'audit.jsonl'), {}, disk.io)
  sink.open(new Host())
  const calls = disk.calls.filter((name) => name !== 'readSync')
  expect(calls.indexOf('fsyncSync')).toBe(calls.length - 4)
  expect(calls.slice(-4)).toEqual(['fsyncSync', 'openSync', 'fsyncSync', 'closeSync'])
  return sink.close()
})
