import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type AuditRecord, AuditSink, type Clock, type FileSinkOptions } from 'writ'
import { verifyLog } from 'writ/verify'
import { fileSink } from '../../../src/sinks/file.js'
import { rejection, thrown } from '../../support/agents.js'
import { agentOn, rewritten, temporaryFolder, toolThat } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { allLines, checkpointOf, KEY, rootOf, segmentsOf } from '../../support/written-logs.js'

const MAX_BYTES = 65_536
/** So much that a dozen calls fill a file. */
const wordy = toolThat(
  () => 'done',
  () => 'x'.repeat(5000),
)

/** Follows `Date`, also where a test has put its own in its place. */
const CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

/** A log with so many calls in it, written in one go. */
async function write(
  path: string,
  calls: number,
  options: FileSinkOptions = {},
  user = 'alice',
): Promise<void> {
  const sink = AuditSink.file(path, { rotation: { maxBytes: MAX_BYTES }, ...options })
  const agent = agentOn(sink, wordy, { clock: CLOCK })
  await agent.session(user, async (s) => {
    for (let call = 0; call < calls; call++) await s.callTool('act', {})
  })
  await agent.close()
}

const newPath = (): string => join(temporaryFolder(), 'audit.jsonl')
const namesBeside = (path: string): string[] => readdirSync(dirname(path)).sort()
const bytesOfAll = (path: string): Buffer => Buffer.concat(segmentsOf(path).map((file) => readFileSync(file)))
const recordsOf = (file: string): AuditRecord[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)

describe('a log that goes on in new files', () => {
  test.each(['commit', 'interval', 'os'] as const)(
    'is one chain over all of them (%s)',
    async (durability) => {
      const path = newPath()
      await write(path, 40, { durability })
      await write(path, 20, { durability })
      const files = segmentsOf(path)
      expect(files.length).toBeGreaterThan(3)
      const report = await verifyLog(bytesOfAll(path))
      expect(report).toMatchObject({
        verdict: 'UNANCHORED',
        size: allLines(path).length,
        first: 0,
        fault: undefined,
      })
      expect(allLines(path).map((line) => JSON.parse(line).seq)).toEqual(
        allLines(path).map((_, index) => index),
      )
      let size = 0
      for (const [index, file] of files.entries()) {
        const records = recordsOf(file)
        if (index > 0) {
          const before = files[index - 1] as string
          const last = recordsOf(before).at(-1) as AuditRecord
          expect(records[0]).toMatchObject({
            seq: size,
            event: 'log_open',
            prev_hash: last.hash,
            payload: { previous: { file: basename(before), size, hash: last.hash } },
          })
          expect(basename(before)).toBe(
            `audit.${String(size - recordsOf(before).length).padStart(12, '0')}.jsonl`,
          )
          expect(readFileSync(before).length).toBeGreaterThanOrEqual(MAX_BYTES)
        }
        size += records.length
        expect((await verifyLog(readFileSync(file))).verdict).toBe('UNANCHORED')
      }
    },
  )

  test('is one tree, signed over all of them', async () => {
    const path = newPath()
    const signing = { key: KEY.encode(), everyRecords: 5 }
    await write(path, 40, { signing })
    await write(path, 20, { signing })
    const lines = allLines(path)
    expect(await checkpointOf(path)).toMatchObject({ size: lines.length, root: rootOf(lines) })
    const checkpoints = [readFileSync(`${path}.checkpoint`), readFileSync(`${path}.checkpoints`)]
    const keys = [KEY.verifierKey]
    expect(await verifyLog(bytesOfAll(path), { keys, checkpoints })).toMatchObject({
      verdict: 'VALID',
      assurance: 'signed',
      covered: lines.length,
    })
    // The last file alone, too: its tree goes on from the one that it says was there.
    expect(await verifyLog(readFileSync(path), { keys, checkpoints })).toMatchObject({ verdict: 'VALID' })
  })

  test('begins a new file when one is old enough and something is written', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const path = newPath()
      const agent = agentOn(AuditSink.file(path, { rotation: { maxAgeMs: 60_000 } }))
      await agent.session('alice', (s) => s.callTool('act', {}))
      vi.setSystemTime(Date.now() + 59_000)
      await agent.session('alice', (s) => s.callTool('act', {}))
      expect(segmentsOf(path)).toHaveLength(1)
      vi.setSystemTime(Date.now() + 1_000)
      await agent.session('alice', (s) => s.callTool('act', {}))
      await agent.close()
      expect(segmentsOf(path)).toHaveLength(2)
      expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')

      vi.setSystemTime(Date.now() + 60_000)
      const next = agentOn(AuditSink.file(path, { rotation: { maxAgeMs: 60_000 } }))
      await next.session('alice', (s) => s.callTool('act', {}))
      await next.close()
      expect(segmentsOf(path)).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  test('serves everybody who waits while it changes its file', async () => {
    const path = newPath()
    const agent = agentOn(AuditSink.file(path, { rotation: { maxBytes: MAX_BYTES } }), wordy)
    await agent.session('alice', async (s) => {
      for (let round = 0; round < 6; round++) {
        await Promise.all(Array.from({ length: 16 }, () => s.callTool('act', {})))
      }
    })
    await agent.close()
    expect(segmentsOf(path).length).toBeGreaterThan(4)
    const events = allLines(path).map((line) => (JSON.parse(line) as AuditRecord).event)
    expect(events.filter((event) => event === 'tool_result')).toHaveLength(96)
    expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
  })

  test('does not begin one for nothing: its last record is its last', async () => {
    const path = newPath()
    await write(path, 13)
    const files = segmentsOf(path)
    expect(recordsOf(path).at(-1)?.event).toBe('log_close')
    await write(path, 0)
    // A file that had grown too large when it was closed is finished by the next writer.
    expect(segmentsOf(path).length).toBeGreaterThanOrEqual(files.length)
    expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
  })

  test('keeps the lock of its name, and holds that of every new file', async () => {
    const path = newPath()
    const agent = agentOn(AuditSink.file(path, { rotation: { maxBytes: MAX_BYTES } }), wordy)
    await agent.session('alice', async (s) => {
      for (let call = 0; call < 20; call++) await s.callTool('act', {})
    })
    expect(segmentsOf(path).length).toBeGreaterThan(1)
    expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    await agent.close()
    await agentOn(AuditSink.file(path)).close()
    expect(namesBeside(path).filter((name) => name.includes('lock'))).toEqual([])
  })
})

describe('a log of several files that is opened again', () => {
  test('goes on from the newest finished one when the writer was stopped before it made the next', async () => {
    for (const options of [{}, { signing: { key: KEY.encode() } }]) {
      const path = newPath()
      await write(path, 20, options)
      const [first] = recordsOf(path)
      renameSync(path, join(dirname(path), `audit.${String(first?.seq).padStart(12, '0')}.jsonl`))
      const before = namesBeside(path).filter((name) => name.endsWith('.jsonl')).length
      await write(path, 2, options)
      expect(segmentsOf(path)).toHaveLength(before + 1)
      expect(await verifyLog(bytesOfAll(path))).toMatchObject({
        verdict: 'UNANCHORED',
        size: allLines(path).length,
      })
    }
  })

  test('goes on also without rotation, and when its file is empty', async () => {
    const path = newPath()
    await write(path, 20)
    const [first] = recordsOf(path)
    renameSync(path, join(dirname(path), `audit.${String(first?.seq).padStart(12, '0')}.jsonl`))
    writeFileSync(path, '')
    await agentOn(AuditSink.file(path)).close()
    expect(recordsOf(path)[0]?.payload).toHaveProperty('previous')
    expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
  })

  test('begins with what it goes on from also when that very record was cut', async () => {
    const path = newPath()
    await write(path, 20)
    const finished = segmentsOf(path).slice(0, -1)
    const whole = readFileSync(path, 'utf8')
    writeFileSync(path, whole.slice(0, 200))
    await write(path, 1)
    const [open, recovered] = recordsOf(path)
    expect(open).toMatchObject({
      event: 'log_open',
      payload: { previous: { file: basename(finished.at(-1) as string) } },
    })
    expect(recovered).toMatchObject({ event: 'log_recovered', payload: { offset: 0, bytes: 200 } })
    expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
  })

  test('is refused when the newest finished file, where it goes on from that, does not hold', async () => {
    const path = newPath()
    await write(path, 20)
    rmSync(path)
    const newest = segmentsOf(path).at(-2) as string
    const whole = readFileSync(newest)
    for (const damaged of [
      whole.subarray(0, -5),
      whole.subarray(0, 100),
      Buffer.from('hello\n'),
      Buffer.alloc(0),
    ]) {
      writeFileSync(newest, damaged)
      expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({ code: 'ERR_AUDIT_DAMAGED' })
      expect(readFileSync(newest)).toEqual(damaged)
    }
    writeFileSync(newest, whole)
    renameSync(newest, newest.replace(/\d{12}/, '000000000777'))
    expect(thrown(() => agentOn(AuditSink.file(path)))).toMatchObject({
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'TAMPERED',
    })
  })

  test('is refused when what was before its file was rewritten and an old checkpoint put back', async () => {
    const path = newPath()
    const signing = { key: KEY.encode() }
    await write(path, 2, { signing })
    const old = readFileSync(`${path}.checkpoint`)
    await write(path, 40, { signing })
    const lines = rewritten(readFileSync(path, 'utf8').trimEnd().split('\n'))
    expect(lines.length).toBeGreaterThan(0)
    writeFileSync(`${path}.checkpoint`, old)
    expect(thrown(() => agentOn(AuditSink.file(path, { signing })))).toMatchObject({
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'REWRITTEN',
    })
  })

  test('is refused when its own file is gone and the rest was signed for more', async () => {
    const path = newPath()
    const signing = { key: KEY.encode() }
    await write(path, 20, { signing })
    rmSync(path)
    expect(thrown(() => agentOn(AuditSink.file(path, { signing })))).toMatchObject({
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'TRUNCATED',
    })
  })

  test('is not signed from a tree that it does not tell', async () => {
    const path = newPath()
    await write(path, 20)
    const text = readFileSync(path, 'utf8').replace(/,"tree":\[[^\]]*\]/, '')
    writeFileSync(
      path,
      rewritten(text.trimEnd().split('\n'))
        .map((line) => `${line}\n`)
        .join(''),
    )
    // Rewritten lines begin anew at 0: only their first record may say otherwise.
    const error = thrown(() => agentOn(AuditSink.file(path, { signing: { key: KEY.encode(), adopt: true } })))
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_AUDIT_/) })
  })
})

test('a file that is in the way of a finished one is not overwritten: the log ends', async () => {
  const path = newPath()
  writeFileSync(join(dirname(path), 'audit.000000000000.jsonl'), 'precious')
  const sink = AuditSink.file(path, { rotation: { maxBytes: MAX_BYTES } })
  // It is not the newest segment of anything: it does not hold.
  expect(thrown(() => agentOn(sink))).toMatchObject({ code: 'ERR_AUDIT_DAMAGED' })

  const other = newPath()
  const agent = agentOn(AuditSink.file(other, { rotation: { maxBytes: MAX_BYTES } }), wordy)
  writeFileSync(join(dirname(other), 'audit.000000000000.jsonl'), 'precious')
  const error = await rejection(
    agent.session('alice', async (s) => {
      for (let call = 0; call < 40; call++) await s.callTool('act', {})
    }),
  )
  expect(error).toMatchObject({
    code: 'ERR_AUDIT_UNAVAILABLE',
    message: expect.stringContaining('in the way'),
  })
  expect(readFileSync(join(dirname(other), 'audit.000000000000.jsonl'), 'utf8')).toBe('precious')
  expect((await verifyLog(readFileSync(other))).verdict).toBe('UNANCHORED')
  await rejection(agent.close())
})

describe('a disk that fails while a file is finished', () => {
  test.each(['EIO', 'ENOSPC'])(
    '%s at any call leaves one chain, which goes on',
    async (code) => {
      for (let failAt = 0, done = false; !done; failAt += 3) {
        const path = newPath()
        const disk = new Disk()
        const options = { rotation: { maxBytes: MAX_BYTES, keepSegments: 1 }, signing: { key: KEY.encode() } }
        const agent = agentOn(fileSink(path, options, disk.io), wordy)
        disk.breakNext(
          code,
          [
            'openSync',
            'renameSync',
            'fsyncSync',
            'fdatasyncSync',
            'lstatSync',
            'writeSync',
            'readdirSync',
            'unlinkSync',
          ],
          failAt,
        )
        try {
          await agent.session('alice', async (s) => {
            for (let call = 0; call < 15; call++) await s.callTool('act', {})
          })
          await agent.close()
          done = disk.counted <= failAt
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_AUDIT_/) })
          await rejection(agent.close())
        }
        await write(path, 1, options)
        expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
      }
    },
    60_000,
  )
})

describe('finished files that are not kept', () => {
  test('are removed whole, oldest first, after the log has said so', async () => {
    const path = newPath()
    const options = {
      rotation: { maxBytes: MAX_BYTES, keepSegments: 2 },
      signing: { key: KEY.encode() },
    }
    const disk = new Disk()
    const { unlinkSync } = disk.io
    const said: boolean[] = []
    Object.assign(disk.io, {
      unlinkSync: (name: string) => {
        if (name.endsWith('.jsonl')) {
          const text = readFileSync(path, 'utf8').slice(0, disk.syncedBytes(path))
          said.push(text.includes(`"file":"${basename(name)}","first_seq"`))
        }
        unlinkSync(name)
      },
    })
    const agent = agentOn(fileSink(path, options, disk.io), wordy)
    await agent.session('alice', async (s) => {
      for (let call = 0; call < 80; call++) await s.callTool('act', {})
    })
    await agent.close()
    expect(said.length).toBeGreaterThan(2)
    expect(new Set(said)).toEqual(new Set([true]))
    expect(segmentsOf(path)).toHaveLength(3)

    const checkpoints = [readFileSync(`${path}.checkpoint`)]
    const report = await verifyLog(bytesOfAll(path), { keys: [KEY.verifierKey], checkpoints })
    expect(report).toMatchObject({ verdict: 'VALID', covered: report.size })
    expect(report.first).toBeGreaterThan(0)
    const pruned = allLines(path)
      .map((line) => JSON.parse(line) as AuditRecord)
      .filter(({ event }) => event === 'log_pruned')
    expect(pruned.at(-1)?.payload).toMatchObject({
      reason: 'max_segments',
      segments: [
        {
          file: expect.stringMatching(/^audit\.\d{12}\.jsonl$/),
          hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      ],
    })
  })

  test('are those whose last record is older than they are kept', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const path = newPath()
      const rotation = { maxBytes: MAX_BYTES, keepMs: 86_400_000 }
      await write(path, 30, { rotation })
      const old = segmentsOf(path).length
      expect(old).toBeGreaterThan(2)
      vi.setSystemTime(Date.now() + 86_400_000 + 60_000)
      await write(path, 30, { rotation })
      const pruned = allLines(path)
        .map((line) => JSON.parse(line) as AuditRecord)
        .filter(({ event }) => event === 'log_pruned')
      expect(pruned[0]?.payload).toMatchObject({ reason: 'max_age_ms' })
      const segments = pruned.flatMap(
        ({ payload }) => (payload as { segments: { first_seq: number; records: number }[] }).segments,
      )
      expect(segments[0]?.first_seq).toBe(0)
      for (const [index, { first_seq }] of segments.entries()) {
        const before = segments[index - 1]
        if (before !== undefined) expect(first_seq).toBe(before.first_seq + before.records)
      }
      expect((await verifyLog(bytesOfAll(path))).verdict).toBe('UNANCHORED')
    } finally {
      vi.useRealTimers()
    }
  })

  test('do not include one that is no log, nor any after it, nor files of other logs', async () => {
    const path = newPath()
    await write(path, 60)
    const [, second] = segmentsOf(path) as [string, string]
    writeFileSync(second, 'evidence')
    const others = [
      'other.000000000000.jsonl',
      'audit.000.jsonl',
      'audit.000000000000.txt',
      'audit.jsonl.torn-5',
    ]
    for (const name of others) writeFileSync(join(dirname(path), name), 'x')
    mkdirSync(join(dirname(path), 'audit.999999999999999.jsonl'))
    await write(path, 30, { rotation: { maxBytes: MAX_BYTES, keepSegments: 1 } })
    expect(namesBeside(path)).toEqual(expect.arrayContaining([...others, basename(second)]))
    expect(namesBeside(path)).not.toContain('audit.000000000000.jsonl')
    expect(readFileSync(second, 'utf8')).toBe('evidence')
  })

  test('does not remove the log of another writer whose name looks like one, nor stop for a link', async () => {
    for (const plant of ['log', 'link'] as const) {
      const path = newPath()
      await write(path, 30, { rotation: { maxBytes: MAX_BYTES } })
      const before = namesBeside(path)
      const foreign = join(dirname(path), 'audit.000000000001.jsonl')
      if (plant === 'log') await write(foreign, 1, {})
      else symlinkSync('/dev/null', foreign)
      await write(path, 30, { rotation: { maxBytes: MAX_BYTES, keepSegments: 1 } })
      expect(namesBeside(path)).toEqual(expect.arrayContaining([...before, basename(foreign)]))
    }
  })
})

test('a sink that stands beside the primary cannot rotate: its log would not say where it goes on', () => {
  const folder = temporaryFolder()
  const audit = AuditSink.composite(
    AuditSink.file(join(folder, 'primary.jsonl')),
    AuditSink.file(join(folder, 'side.jsonl'), { rotation: { maxBytes: MAX_BYTES } }),
  )
  expect(() => agentOn(audit)).toThrow('file:side.jsonl has rotation')
  expect(readdirSync(folder)).toEqual([])
})

test('a name that its finished files could not be told by is refused', () => {
  const path = join(temporaryFolder(), 'audit.1763700000000')
  expect(() => AuditSink.file(path, { rotation: { maxBytes: MAX_BYTES } })).toThrow(RangeError)
  AuditSink.file(path)
})

test.each([
  [{}, 'rotation: expected maxBytes or maxAgeMs'],
  [{ keepSegments: 3 }, 'rotation: expected maxBytes or maxAgeMs'],
  [{ maxBytes: 1000 }, 'rotation.maxBytes: expected at least 65536'],
  [{ maxBytes: '1 MB' }, 'rotation.maxBytes: expected a number'],
  [{ maxAgeMs: 0 }, 'rotation.maxAgeMs: expected at least 1000'],
  [{ maxBytes: 65_536, keepSegments: 0 }, 'rotation.keepSegments: expected at least 1'],
  [{ maxBytes: 65_536, keepMs: Number.NaN }, 'rotation.keepMs'],
  [{ maxBytes: 65_536, every: 1 }, 'unknown option every'],
])('an option that is not usable is an error: %j', (rotation, message) => {
  expect(() => AuditSink.file(newPath(), { rotation: rotation as never })).toThrow(message)
})
