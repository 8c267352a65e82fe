import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type AuditRecord, AuditSink } from 'writ'
import { sinkSuite } from 'writ/testing'
import { verifyLog } from 'writ/verify'
import type { Durability } from '../../../src/sinks/durability.js'
import { fileSink } from '../../../src/sinks/file.js'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { gate } from '../../support/tools.js'
import { Host, records } from './records.js'

const DURABILITIES: readonly Durability[] = ['commit', 'interval', 'os']

const recordsIn = (path: string): AuditRecord[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)

for (const durability of DURABILITIES) {
  const suite = sinkSuite(() => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    return {
      sink: AuditSink.file(path, { durability }) as ReturnType<typeof fileSink>,
      lines: () => readFileSync(path, 'utf8').split('\n').slice(0, -1),
      reopen: () => fileSink(path, { durability }),
    }
  })
  test.each(suite.map(({ name, run }) => [name, run] as const))(`durability ${durability}: %s`, (_, run) =>
    run(),
  )
}

test('a chain goes on across restarts: one log id, no gap, UNANCHORED', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  for (const user of ['alice', 'bob', 'carol']) {
    const agent = agentOn(AuditSink.file(path))
    await agent.session(user, (s) => s.callTool('act', {}))
    await agent.close()
  }
  const all = recordsIn(path)
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index))
  expect(new Set(all.map(({ log_id }) => log_id)).size).toBe(1)
  const events = ['log_open', 'session_start', 'tool_call', 'tool_result', 'session_end', 'log_close']
  expect(all.map(({ event }) => event)).toEqual([...events, ...events, ...events])
  const report = await verifyLog(readFileSync(path))
  expect(report).toMatchObject({
    verdict: 'UNANCHORED',
    size: 18,
    head: all.at(-1)?.hash,
    logId: all[0]?.log_id,
  })
})

test('two agents that share a sink write one chain, and the last one to close closes it', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const sink = AuditSink.file(path)
  const first = agentOn(sink)
  const second = agentOn(sink)
  await Promise.all([
    first.session('alice', (s) => s.callTool('act', {})),
    second.session('bob', (s) => s.callTool('act', {})),
  ])
  await first.close()
  expect(recordsIn(path).map(({ event }) => event)).not.toContain('log_close')
  await second.session('carol', () => 'still works')
  await second.close()
  const all = recordsIn(path)
  expect(all.filter(({ event }) => event === 'log_open')).toHaveLength(1)
  expect(all.at(-1)).toMatchObject({ event: 'log_close', payload: { records: all.length } })
  expect(new Set(all.flatMap(({ invoking_user }) => invoking_user ?? []))).toEqual(
    new Set(['alice', 'bob', 'carol']),
  )
  expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
})

test('the same sink opens again after its log was closed', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const sink = AuditSink.file(path)
  for (let round = 0; round < 3; round++) {
    const agent = agentOn(sink)
    await agent.session('alice', () => undefined)
    await agent.close()
  }
  expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 12 })
})

test('what a failed log had left unwritten does not turn up in the one that goes on after it', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const disk = new Disk()
  const sink = fileSink(path, {}, disk.io)
  const [first, second, third] = records(3)
  sink.open(new Host())
  disk.breakNext('EIO', ['fdatasync'])
  disk.beforeSynced = () => sink.append(second!)
  sink.append(first!)
  await expect(sink.flush()).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
  await sink.close()

  disk.beforeSynced = undefined
  expect(sink.open(new Host())).toMatchObject({ size: 1, hash: first!.hash })
  sink.append(second!)
  sink.append(third!)
  await sink.flush()
  await sink.close()
  expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 3 })
})

test('with interval, a sink that was opened again still synchronises', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const disk = new Disk()
  const sink = fileSink(path, { durability: 'interval' }, disk.io)
  const [first, second] = records(2)
  sink.open(new Host())
  sink.append(first!)
  await sink.flush()
  await sink.close()
  sink.open(new Host())
  sink.append(second!)
  await sink.flush()
  expect(sink.syncedSeq).toBe(0)
  await wait(250)
  expect(sink.syncedSeq).toBe(1)
  await sink.close()
})

test('close waits for the synchronisation that the end of another one starts', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const disk = new Disk()
  const storing = gate()
  disk.syncGate = storing.promise
  const sink = fileSink(path, {}, disk.io)
  const [first, second] = records(2)
  sink.open(new Host())
  sink.append(first!)
  const one = sink.flush()
  await Promise.resolve()
  sink.append(second!)
  const two = sink.flush()
  const closed = sink.close()
  storing.open()
  await expect(Promise.all([one, two, closed])).resolves.toBeDefined()
  const lastClose = disk.calls.lastIndexOf('closeSync')
  expect(disk.calls.lastIndexOf('fdatasync done')).toBeLessThan(lastClose)
  expect(disk.count('fdatasync')).toBe(2)
})

test('a close that fails says so and gives the file up all the same', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const disk = new Disk()
  const agent = agentOn(fileSink(path, {}, disk.io))
  await agent.session('alice', () => undefined)
  disk.breakNext('EIO', ['closeSync'])
  await expect(agent.close()).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
  const next = agentOn(AuditSink.file(path))
  await next.close()
  expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
})

test('closing twice is closing once', async () => {
  const sink = fileSink(join(temporaryFolder(), 'audit.jsonl'))
  sink.open(new Host())
  sink.append(records(1)[0]!)
  await Promise.all([sink.close(), sink.close()])
  await sink.close()
})

test('the file is for its owner alone', async () => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const before = process.umask(0)
  try {
    await agentOn(AuditSink.file(path)).close()
  } finally {
    process.umask(before)
  }
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('{pid} in the path becomes the process id', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, String(process.pid)))
  await agentOn(AuditSink.file(join(folder, '{pid}', 'audit-{pid}.jsonl'))).close()
  expect(recordsIn(join(folder, `${process.pid}/audit-${process.pid}.jsonl`))).toHaveLength(2)
})

test('takes records in their order alone', async () => {
  const sink = fileSink(join(temporaryFolder(), 'audit.jsonl'))
  const [first, second] = records(2)
  expect(() => sink.append(first!)).toThrow('not open')
  sink.open(new Host())
  expect(() => sink.append(second!)).toThrow('ends before record 0')
  sink.append(first!)
  expect(() => sink.append(first!)).toThrow('ends before record 1')
  expect(() => sink.open(new Host())).toThrow('open already')
  await sink.close()
})

test.each([
  ['an unknown option', () => AuditSink.file('x', { durable: 'commit' } as never), TypeError, 'durable'],
  [
    'an unknown durability',
    () => AuditSink.file('x', { durability: 'always' } as never),
    RangeError,
    'commit',
  ],
  ['options that are none', () => AuditSink.file('x', 'commit' as never), TypeError, 'options'],
  ['an empty path', () => AuditSink.file(''), TypeError, 'path'],
  ['a NUL in the path', () => AuditSink.file('a\0b'), TypeError, 'path'],
  ['a path that is no string', () => AuditSink.file(7 as never), TypeError, 'path'],
])('refuses %s', (_, make, type, said) => {
  expect(make).toThrow(type)
  expect(make).toThrow(said)
})
