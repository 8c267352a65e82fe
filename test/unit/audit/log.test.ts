import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  Agent,
  type AuditRecord,
  AuditSink,
  type CustomSink,
  ScopeKeyUnavailable,
  type SealedRecord,
} from 'writ'
import { fakeClock } from 'writ/testing'
import { verifyLog } from 'writ/verify'
import manifest from '../../../package.json' with { type: 'json' }
import { AuditLog } from '../../../src/audit/log.js'
import { MAX_LINE_BYTES } from '../../../src/audit/record.js'
import { fileSink } from '../../../src/sinks/file.js'
import { rejection, thrown } from '../../support/agents.js'
import { agentOn, bytesOf, chain, fileOf, temporaryFolder, toolThat } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { ScriptedSink } from '../../support/scripted-sink.js'
import { gate } from '../../support/tools.js'

const verdictOf = async (sink: ScriptedSink): Promise<string> => (await verifyLog(bytesOf(sink.text))).verdict

async function runOneSession(audit: AuditSink): Promise<void> {
  const agent = agentOn(audit)
  await agent.session('alice', (s) => s.callTool('act', {}))
  await agent.close()
}

describe('the primary', () => {
  test.each<[name: string, durable: boolean[], primary: number]>([
    ['the first durable sink', [false, true, true], 1],
    ['the first sink where none is durable', [false, false], 0],
    ['the only sink', [false], 0],
  ])('is %s', async (_, durable, primary) => {
    const sinks = durable.map((each, index) => new ScriptedSink({ name: `sink ${index}`, durable: each }))
    await runOneSession(AuditSink.composite(...sinks))
    // Only the primary is asked whether a record is down.
    expect(sinks.map(({ calls }) => calls.includes('flush'))).toEqual(
      sinks.map((_, index) => index === primary),
    )
  })

  test('is found in a composite within a composite', async () => {
    const sinks = [false, false, true, true].map(
      (durable, index) => new ScriptedSink({ name: `${index}`, durable }),
    )
    const [first, second, third, fourth] = sinks as [ScriptedSink, ScriptedSink, ScriptedSink, ScriptedSink]
    await runOneSession(
      AuditSink.composite(first, AuditSink.composite(second, AuditSink.composite(third)), fourth),
    )
    expect(sinks.map(({ calls }) => calls.includes('flush'))).toEqual([false, false, true, false])
    for (const sink of sinks) expect(sink.lines).toEqual(third.lines)
  })

  const failures: [name: string, script: () => ConstructorParameters<typeof ScriptedSink>[0]][] = [
    ['append throws', () => ({ append: afterOpening(() => fail()) })],
    [
      'append returns a promise that rejects',
      () => ({ append: afterOpening(() => Promise.reject(new RangeError('no'))) }),
    ],
    ['flush rejects', () => ({ flush: () => Promise.reject(new RangeError('no')) })],
    ['flush throws', () => ({ flush: () => fail() })],
    ['flush returns something else', () => ({ flush: () => 'done' as never })],
  ]

  test.each(failures)(
    '%s: ERR_AUDIT_UNAVAILABLE, the tool does not run, the session is dead, and so is the log',
    async (_, script) => {
      let ran = 0
      const sink = new ScriptedSink(script())
      const agent = agentOn(
        sink,
        toolThat(() => {
          ran += 1
        }),
      )
      const swallowed: unknown[] = []
      const error = await rejection(
        agent.session('alice', async (s) => {
          for (let attempt = 0; attempt < 2; attempt++) {
            await s.callTool('act', {}).catch((reason: unknown) => swallowed.push(reason))
          }
          return 'as if nothing had happened'
        }),
      )
      expect(error).toMatchObject({ name: 'AuditUnavailable', code: 'ERR_AUDIT_UNAVAILABLE' })
      for (const each of swallowed) expect(each).toBe(error)
      expect(ran).toBe(0)
      expect(await rejection(agent.session('bob', () => 1))).toBe(error)
      expect(thrown(() => agent.sessionSync('bob', () => 1))).toBe(error)
      expect(await rejection(agent.close())).toBe(error)
      expect(sink.calls.at(-1)).toBe('close')
      expect(ran).toBe(0)
    },
  )

  test('flushSync throws: a synchronous session runs no tool', () => {
    let ran = 0
    const agent = agentOn(
      new ScriptedSink({ flushSync: () => fail() }),
      toolThat(() => {
        ran += 1
      }),
    )
    const error = thrown(() => agent.sessionSync('alice', (s) => s.callTool('act', {})))
    expect(error).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', cause: new RangeError('no') })
    expect(ran).toBe(0)
  })

  test('losing a record that it had taken ends the log', async () => {
    const sink = new ScriptedSink({ name: 'leaky' })
    const agent = agentOn(sink)
    await agent.session('alice', () => 1)
    const cause = new RangeError('gone')
    sink.host?.dropped(3, cause)
    expect(await rejection(agent.session('bob', () => 1))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining('leaky lost 3 records'),
      cause,
    })
  })

  test('a close that fails is the failure of the close, by its code', async () => {
    const cause = new RangeError('no')
    const agent = agentOn(new ScriptedSink({ close: () => Promise.reject(cause) }))
    expect(await rejection(agent.close())).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', cause })
  })

  test.each(['drain', 'flush'] as const)(
    'a %s that fails while the log is closed fails the close',
    async (name) => {
      const cause = new RangeError('no')
      let isClosing = false
      const sink = new ScriptedSink({ [name]: () => (isClosing ? Promise.reject(cause) : undefined) })
      const agent = agentOn(sink)
      await agent.session('alice', () => 1)
      isClosing = true
      expect(await rejection(agent.close())).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', cause })
      expect(sink.calls.at(-1)).toBe('close')
    },
  )

  test('a sink that takes no first record leaves nothing open', () => {
    const side = new ScriptedSink()
    const sink = new ScriptedSink({ durable: true, append: () => fail() })
    expect(thrown(() => agentOn(AuditSink.composite(side, sink)))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
    })
    expect(sink.calls).toEqual(['open', 'close'])
    expect(side.calls).toEqual(['open', 'close'])
  })

  test('a failure while the log is being closed still closes every sink', async () => {
    const side = new ScriptedSink()
    let isClosing = false
    const sink = new ScriptedSink({ durable: true, append: () => (isClosing ? fail() : undefined) })
    const agent = agentOn(AuditSink.composite(sink, side))
    isClosing = true
    expect(await rejection(agent.close())).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(sink.calls.at(-1)).toBe('close')
    expect(side.calls.at(-1)).toBe('close')
  })
})

describe('a sink beside the primary', () => {
  test('gets the very same bytes', async () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const memory = AuditSink.memory()
    const scripted = new ScriptedSink()
    const seen: SealedRecord[] = []
    const callback = AuditSink.callback((record) => void seen.push(record))
    await runOneSession(AuditSink.composite(memory, AuditSink.file(path), scripted, callback))
    expect(readFileSync(path, 'utf8')).toBe(memory.text())
    expect(scripted.text).toBe(memory.text())
    expect(seen.map(({ line }) => line)).toEqual(memory.lines)
    expect(memory.lines.length).toBe(6)
  })

  const losses: [name: string, script: ConstructorParameters<typeof ScriptedSink>[0], lost: number][] = [
    ['refuses every record', { append: () => fail() }, 7],
    ['cannot be opened', { open: () => fail() }, 7],
    ['returns promises that reject', { append: () => Promise.reject(new RangeError('no')) }, 7],
  ]

  test.each(losses)(
    'that %s stops nothing, and its losses are counted in the primary',
    async (_, script, lost) => {
      const clock = fakeClock()
      const primary = new ScriptedSink({ durable: true })
      const side = new ScriptedSink({ name: 'side', ...script })
      const agent = agentOn(AuditSink.composite(side, primary), undefined, { clock })
      await agent.session('alice', async (s) => {
        await s.callTool('act', {})
        await nextTurn()
      })
      await agent.close()
      const reports = primary.payloads('sink_dropped') as { sink: string; count: number; since: string }[]
      expect(reports.every(({ sink }) => sink === 'side')).toBe(true)
      expect(reports.every(({ since }) => since === '2026-01-01T00:00:00.000Z')).toBe(true)
      const counted = reports.reduce((sum, { count }) => sum + count, 0)
      // What is lost after the last report, the report itself among it, has no record any more.
      expect(counted).toBeGreaterThanOrEqual(lost)
      expect(counted).toBeLessThanOrEqual(primary.lines.length)
      expect(primary.events).toEqual(
        expect.arrayContaining(['tool_call', 'tool_result', 'session_end', 'log_close']),
      )
      expect(await verdictOf(primary)).toBe('UNANCHORED')
    },
  )

  test('that never answers holds nobody up but the close, and that not without bound', async () => {
    const never = gate().promise
    const primary = new ScriptedSink({ durable: true })
    const side = AuditSink.callback(() => never, { name: 'stuck', closeTimeoutMs: 10 })
    await runOneSession(AuditSink.composite(primary, side))
    const counted = (primary.payloads('sink_dropped') as { count: number }[]).reduce(
      (sum, { count }) => sum + count,
      0,
    )
    expect(counted).toBeGreaterThanOrEqual(5)
  })

  test('reports what it lost at most once a second, and at the end of a session', async () => {
    const clock = fakeClock()
    const primary = new ScriptedSink({ durable: true })
    const side = new ScriptedSink({ name: 'side', append: () => fail() })
    const agent = agentOn(AuditSink.composite(primary, side), undefined, { clock })
    await agent.session('alice', async (s) => {
      for (let call = 0; call < 10; call++) await s.callTool('act', {})
      expect(primary.payloads('sink_dropped')).toHaveLength(1)
      await clock.advance(1000)
      for (let call = 0; call < 10; call++) await s.callTool('act', {})
      expect(primary.payloads('sink_dropped')).toHaveLength(2)
    })
    expect(primary.payloads('sink_dropped')).toHaveLength(3)
    expect(primary.events.slice(-2)).toEqual(['sink_dropped', 'session_end'])
    await agent.close()
  })

  test('counts what it reports late, and a number that is none as one', async () => {
    const primary = new ScriptedSink({ durable: true })
    const side = new ScriptedSink({ name: 'side' })
    const agent = agentOn(AuditSink.composite(primary, side))
    side.host?.dropped(5)
    await agent.session('alice', () => 1)
    expect(primary.payloads('sink_dropped')).toMatchObject([{ sink: 'side', count: 5 }])
    for (const count of [Number.NaN, -2, 1.5, '3', undefined]) side.host?.dropped(count as number)
    await agent.session('alice', () => 1)
    expect(primary.payloads('sink_dropped')).toMatchObject([{ count: 5 }, { count: 5 }])
    await agent.close()
  })

  test('with another chain is not touched, and everything is counted', async () => {
    const folder = temporaryFolder()
    const other = join(folder, 'other.jsonl')
    await runOneSession(AuditSink.file(other))
    const before = readFileSync(other)
    const path = join(folder, 'audit.jsonl')
    await runOneSession(AuditSink.composite(AuditSink.file(path), AuditSink.file(other)))
    expect(readFileSync(other)).toEqual(before)
    const records = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditRecord)
    const counted = records
      .filter(({ event }) => event === 'sink_dropped')
      .reduce((sum, { payload }) => sum + (payload['count'] as number), 0)
    expect(counted).toBeGreaterThanOrEqual(7)
    expect((await verifyLog(readFileSync(path))).verdict).toBe('UNANCHORED')
  })

  test('that holds the same chain goes on with it', async () => {
    const folder = temporaryFolder()
    const paths = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')] as const
    for (let round = 0; round < 2; round++) {
      await runOneSession(AuditSink.composite(AuditSink.file(paths[0]), AuditSink.file(paths[1])))
    }
    expect(readFileSync(paths[1])).toEqual(readFileSync(paths[0]))
    expect((await verifyLog(readFileSync(paths[1]))).size).toBe(12)
  })

  test('may not write to the log from within, which would fork it', async () => {
    const primary = new ScriptedSink({ durable: true })
    let nested: unknown
    const agent = agentOn(
      AuditSink.composite(
        primary,
        AuditSink.callback((record) => {
          if (record.seq === 2) nested = thrown(() => agent.sessionSync('mallory', () => 1))
        }),
      ),
    )
    await agent.session('alice', (s) => s.callTool('act', {})).catch(() => undefined)
    await agent.close().catch(() => undefined)
    expect(nested).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(await verdictOf(primary)).toBe('UNANCHORED')
  })
})

describe('the end of a log', () => {
  test('is log_close, with the number of records, after every other record', async () => {
    const primary = new ScriptedSink({ durable: true })
    const side = new ScriptedSink()
    await runOneSession(AuditSink.composite(primary, side))
    expect(primary.events.at(-1)).toBe('log_close')
    expect(primary.payloads('log_close')).toEqual([{ records: primary.lines.length }])
    expect(side.lines).toEqual(primary.lines)
    expect(side.calls).toEqual(['open', 'drain', 'close'])
    expect(primary.calls.slice(-2)).toEqual(['flush', 'close'])
  })

  test('is preceded by what the other sinks lost while they were drained', async () => {
    const primary = new ScriptedSink({ durable: true })
    const side: ScriptedSink = new ScriptedSink({ drain: async () => side.host?.dropped(4) })
    await runOneSession(AuditSink.composite(primary, side))
    expect(primary.events.slice(-2)).toEqual(['sink_dropped', 'log_close'])
  })

  test('is followed by one record only: what another sink lost while it was closed', async () => {
    const primary = new ScriptedSink({ durable: true })
    const side: ScriptedSink = new ScriptedSink({ close: async () => side.host?.dropped(2) })
    await runOneSession(AuditSink.composite(primary, side))
    expect(primary.events.slice(-2)).toEqual(['log_close', 'sink_dropped'])
    expect(primary.payloads('sink_dropped')).toMatchObject([{ count: 2 }])
    expect(await verdictOf(primary)).toBe('UNANCHORED')
  })

  test('takes no record that comes later', async () => {
    const primary = new ScriptedSink({ durable: true })
    const closing = gate()
    const side = new ScriptedSink({ close: () => closing.promise })
    const log = AuditLog.of(AuditSink.composite(primary, side), fakeClock())
    const released = log.release()
    await nextTurn()
    expect(primary.events.at(-1)).toBe('log_close')
    expect(thrown(() => log.append('tool_result', '{}'))).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    closing.open()
    await released
    expect(primary.events.at(-1)).toBe('log_close')
  })
})

describe('a line', () => {
  const members = [
    'v',
    'seq',
    'synced',
    'ts',
    'log_id',
    'session_id',
    'agent_identity',
    'invoking_user',
    'principal',
  ]

  test('has its members in their order, the hash last', async () => {
    const sink = AuditSink.memory()
    await runOneSession(sink)
    for (const record of sink.records) {
      const own = record.session_id === undefined ? [] : members.slice(5)
      const budget = record.session_id === undefined ? [] : ['budget']
      expect(Object.keys(record)).toEqual([
        ...members.slice(0, 5),
        ...own,
        'event',
        'payload',
        ...budget,
        'prev_hash',
        'hash',
      ])
    }
  })

  test.each([
    ['a text', 'x'.repeat(100_000)],
    ['a text of three bytes a character', '東'.repeat(30_000)],
    [
      'many members',
      Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`member${index}`, index])),
    ],
    ['a deep array', nested(5_000)],
  ])('that would be too long with %s is written without it, and says so', async (_, huge) => {
    const sink = AuditSink.memory()
    const agent = agentOn(
      sink,
      toolThat(
        () => 1,
        () => ({ huge }),
      ),
    )
    await agent.session('alice', (s) => s.callTool('act', {}))
    await agent.close()
    for (const line of sink.lines) expect(Buffer.byteLength(line) + 1).toBeLessThanOrEqual(MAX_LINE_BYTES)
    const call = sink.records.find(({ event }) => event === 'tool_call')
    expect(call?.payload).toMatchObject({ tool: 'act', enforcement: 'enforced' })
    expect(JSON.stringify(call?.payload['args'])).toContain('$omitted')
    expect((await verifyLog(bytesOf(sink.text()))).verdict).toBe('UNANCHORED')
  })

  test('of exactly the greatest length is written whole; one byte more is not', () => {
    const sink = new ScriptedSink()
    const log = AuditLog.of(sink, fakeClock())
    const lengthOf = (task: string): number => {
      log.append('session_start', `{"task":"${task}"}`)
      return Buffer.byteLength(sink.lines.at(-1) ?? '') + 1
    }
    const fits = MAX_LINE_BYTES - lengthOf('')
    expect(lengthOf('x'.repeat(fits))).toBe(MAX_LINE_BYTES)
    expect(lengthOf('東'.repeat(Math.floor(fits / 3)))).toBeGreaterThan(MAX_LINE_BYTES - 4)
    expect(lengthOf('x'.repeat(fits + 1))).toBeLessThan(500)
    expect(sink.lines.at(-1)).toContain('"task":{"$omitted":"too_large"}')
  })

  test.each([
    [0, [-1, 0, 0]],
    [1, [-1, 0, 1]],
    [99, [-1, 0, 1]],
    [-7, [-1, -1, -1]],
    [Number.NaN, [-1, -1, -1]],
    [undefined, [-1, -1, -1]],
  ])('says what the sink has stored, where that can be: %s', (claim, synced) => {
    const sink = new ScriptedSink()
    Object.defineProperty(sink, 'syncedSeq', { value: claim })
    const log = AuditLog.of(sink, fakeClock())
    log.append('charge', '{}')
    log.append('charge', '{}')
    expect(sink.lines.map((line) => (JSON.parse(line) as { synced: unknown }).synced)).toEqual(synced)
  })

  test('claims no more to be stored than there is, whatever the sink says', async () => {
    for (const claim of [Number.NaN, 99, 2 ** 60, -7, 0.5, '3' as never]) {
      const sink = new ScriptedSink({ durable: true, syncedSeq: () => claim })
      await runOneSession(sink)
      expect(await verdictOf(sink)).toBe('UNANCHORED')
    }
  })
})

test('a chain that a sink holds is continued: same log id, next seq, its hash', async () => {
  const lines = chain([{}, {}, {}])
  const last = JSON.parse(lines[2] ?? '') as AuditRecord
  const sink = new ScriptedSink({ open: () => ({ logId: last.log_id, size: 3, hash: last.hash }) })
  await runOneSession(sink)
  const report = await verifyLog(fileOf([...lines, ...sink.lines]))
  expect(report).toMatchObject({ verdict: 'UNANCHORED', size: 9, logId: last.log_id })
})

describe('a sink that has something to say when it opens', () => {
  const lines = chain([{}, {}, {}])
  const { log_id: logId, hash } = JSON.parse(lines[2] ?? '') as AuditRecord
  const recovered = { offset: 9, bytes: 120, sha256: 'ab' }
  const previous = { file: 'audit.000000000000.jsonl', size: 3, hash }

  test.each<[name: string, head: object, events: string[]]>([
    ['nothing', {}, ['log_open', 'session_start']],
    ['a recovery', { recovered }, ['log_recovered', 'log_open']],
    ['a recovery, and a key', { recovered, announce: { key: 'k' } }, ['log_recovered', 'log_open']],
    ['a recovery in a new file', { recovered, announce: { previous } }, ['log_open', 'log_recovered']],
    ['a new file', { announce: { previous } }, ['log_open', 'session_start']],
  ])('%s', async (_, head, events) => {
    const sink = new ScriptedSink({ open: () => ({ logId, size: 3, hash, ...head }) })
    await runOneSession(sink)
    expect(sink.events.slice(0, 2)).toEqual(events)
    expect(sink.payloads('log_open')).toMatchObject([
      { writer: expect.any(String), ...('announce' in head ? (head.announce as object) : {}) },
    ])
    expect(sink.payloads('log_recovered')).toEqual('recovered' in head ? [recovered] : [])
    for (const line of sink.lines.slice(0, 1)) expect(JSON.parse(line)).not.toHaveProperty('session_id')
    expect((await verifyLog(fileOf([...lines, ...sink.lines]))).verdict).toBe('UNANCHORED')
  })

  test('nothing: then it is who writes, and where', async () => {
    const sink = new ScriptedSink()
    await agentOn(sink).close()
    expect(sink.payloads('log_open')).toEqual([
      {
        writer: 'writ',
        version: manifest.version,
        host: hostname(),
        pid: process.pid,
        node: process.version,
      },
    ])
    expect(JSON.parse(sink.lines[0] ?? '')).toMatchObject({ seq: 0, prev_hash: '0'.repeat(64) })
  })

  test('or later, of its own work', async () => {
    const sink = new ScriptedSink()
    const agent = agentOn(sink)
    sink.host?.record?.('anchor_failed', { size: 1 })
    sink.host?.record?.('log_open', { previous })
    await agent.close()
    expect(sink.events).toEqual(['log_open', 'anchor_failed', 'log_open', 'log_close'])
    expect(sink.payloads('anchor_failed')).toEqual([{ size: 1 }])
    expect(sink.payloads('log_open')[1]).toMatchObject({ writer: expect.any(String), previous })
    expect(await verdictOf(sink)).toBe('UNANCHORED')
  })
})

describe('a log that has failed', () => {
  test.each<[name: string, cause: unknown, message: string, path: string | undefined]>([
    ['an error', new RangeError('no'), 'no', undefined],
    ['an error of a file', new ScopeKeyUnavailable('/a', 'no'), 'no', '/a'],
    ['no error', 'no', 'a sink failed', undefined],
    ['nothing', undefined, 'a sink failed', undefined],
  ])('says why, where it was told: %s', (_, cause, message, path) => {
    const throwing = () => {
      throw cause
    }
    const failure = thrown(() => AuditLog.of(new ScriptedSink({ append: throwing }), fakeClock()))
    expect(failure).toMatchObject({ message: expect.stringContaining(message), cause, path })
  })

  test('asks its primary for nothing more', async () => {
    const sink = new ScriptedSink({ durable: true, flushSync: () => fail() })
    const log = AuditLog.of(sink, fakeClock())
    const failure = thrown(() => log.flushSync())
    expect(log.failure).toBe(failure)
    const { length } = sink.calls
    expect(thrown(() => log.flushSync())).toBe(failure)
    expect(await rejection(log.flush() as Promise<void>)).toBe(failure)
    expect(thrown(() => log.append('charge', '{}'))).toBe(failure)
    expect(sink.calls).toHaveLength(length)
    expect(await rejection(log.release())).toBe(failure)
  })

  test('says why: it is closed, or its sink is not as it has to be', async () => {
    const logOn = (script: ConstructorParameters<typeof ScriptedSink>[0]): AuditLog =>
      AuditLog.of(new ScriptedSink({ name: 'odd', ...script }), fakeClock())
    const append = logOn({ append: ({ seq }) => (seq === 1 ? Promise.resolve() : undefined) })
    expect(thrown(() => append.append('charge', '{}'))).toMatchObject({
      message: expect.stringContaining('sink odd: append must be synchronous'),
    })
    expect(await rejection(logOn({ flush: () => 1 as never }).flush() as Promise<void>)).toMatchObject({
      message: expect.stringContaining('sink odd: flush must return a promise or undefined'),
    })
    const nested: AuditLog = logOn({
      append: ({ seq }) => (seq === 1 ? nested.append('charge', '{}') : undefined),
    })
    expect(thrown(() => nested.append('charge', '{}'))).toMatchObject({
      message: expect.stringContaining('may not write to the log'),
    })
    const closed = logOn({})
    await closed.release()
    for (const failure of [thrown(() => closed.append('charge', '{}')), closed.failure]) {
      expect(failure).toMatchObject({ message: expect.stringContaining('the log is closed') })
    }
  })
})

test('the disk says what failed, and where', async () => {
  const disk = new Disk({ freeBytes: 900 })
  const path = join(temporaryFolder(), 'audit.jsonl')
  const agent = agentOn(fileSink(path, { durability: 'commit' }, disk.io))
  expect(await rejection(agent.session('alice', (s) => s.callTool('act', {})))).toMatchObject({
    code: 'ERR_AUDIT_UNAVAILABLE',
    path,
    message: expect.stringContaining('the disk is full'),
  })
})

/** Fails from the second record on: the first one opens the log. */
function afterOpening(action: () => unknown): (record: SealedRecord) => unknown {
  return ({ seq }) => (seq < 2 ? undefined : action())
}

function fail(): never {
  throw new RangeError('no')
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

test('a primary that throws anything at all when it is opened is an unavailable log', () => {
  const boom = new Error('boom')
  const sink: CustomSink = {
    name: 'broken',
    durable: false,
    open: () => {
      throw boom
    },
    append: () => undefined,
    flush: () => undefined,
    flushSync: () => undefined,
    close: async () => undefined,
  }
  expect(() => new Agent({ identity: 'a', budget: { toolCalls: 1 }, audit: sink })).toThrow(
    expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE', cause: boom }),
  )
})
