import { chmodSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type AuditRecord, AuditSink, AuditUnavailable, type SigningOptions } from 'writ'
import { signNote } from '../../../src/audit/note/sign-note.js'
import { fileSink } from '../../../src/sinks/file.js'
import { rejection, thrown } from '../../support/agents.js'
import { agentOn, fastFolder, rewritten, temporaryFolder } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { gate } from '../../support/tools.js'
import {
  allLines,
  checkpointOf,
  historyOf,
  KEY,
  OTHER_KEY,
  rootOf,
  sizeOf,
} from '../../support/written-logs.js'

const signing = (options: Partial<SigningOptions> = {}): SigningOptions => ({ key: KEY.encode(), ...options })

const recordsIn = (path: string): AuditRecord[] =>
  allLines(path).map((line) => JSON.parse(line) as AuditRecord)

/** A signed log with one session in it. */
async function signedLog(options: Partial<SigningOptions> = {}): Promise<string> {
  const path = join(temporaryFolder(), 'audit.jsonl')
  const agent = agentOn(AuditSink.file(path, { signing: signing(options) }))
  await agent.session('alice', (s) => s.callTool('act', {}))
  await agent.close()
  return path
}

describe('a log that is signed', () => {
  test('is covered as a whole when it is closed, and says by whom when it is opened', async () => {
    const path = await signedLog()
    const lines = allLines(path)
    expect(await checkpointOf(path)).toEqual({
      size: lines.length,
      root: rootOf(lines),
      origin: 'example.com/audit',
    })
    expect(recordsIn(path)[0]).toMatchObject({
      event: 'log_open',
      payload: { origin: 'example.com/audit', key: String(KEY.verifierKey) },
    })
    expect(readFileSync(path, 'utf8')).not.toContain('PRIVATE+KEY')
  })

  test('has a checkpoint before it has a record', () => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const sink = fileSink(path, { signing: signing() })
    sink.open({ dropped: () => undefined })
    expect(historyOf(path).map(sizeOf)).toEqual([0])
  })

  test('keeps every checkpoint, none of them for a size that has one, and all of one log', async () => {
    const path = await signedLog({ everyRecords: 1 })
    for (let run = 0; run < 3; run++) {
      const agent = agentOn(AuditSink.file(path, { signing: signing({ everyRecords: 1 }) }))
      await agent.session('bob', (s) => s.callTool('act', {}))
      await agent.close()
    }
    const lines = allLines(path)
    const notes = historyOf(path)
    const sizes = notes.map(sizeOf)
    expect(sizes).toEqual([...new Set(sizes)].sort((one, other) => one - other))
    for (const note of notes) {
      const root = Buffer.from(note.split('\n')[2] as string, 'base64').toString('hex')
      expect(root).toBe(rootOf(lines.slice(0, sizeOf(note))))
    }
    expect(notes.at(-1)).toBe(readFileSync(`${path}.checkpoint`, 'utf8'))
    for (const name of [`${path}.checkpoint`, `${path}.checkpoints`]) {
      expect(statSync(name).mode & 0o777).toBe(0o600)
    }
  })

  test('takes its origin from the options, with the process id', async () => {
    const path = await signedLog({ origin: 'example.com/audit/{pid}' })
    expect(readFileSync(`${path}.checkpoint`, 'utf8').split('\n')[0]).toBe(`example.com/audit/${process.pid}`)
  })

  test.each(['interval', 'os'] as const)(
    'is stored before it is signed with durability %s',
    async (durability) => {
      const path = join(temporaryFolder(), 'audit.jsonl')
      const disk = new Disk()
      const sink = fileSink(path, { durability, signing: signing({ everyRecords: 1 }) }, disk.io)
      const signed: [size: number, stored: number][] = []
      const { renameSync } = disk.io
      Object.assign(disk.io, {
        renameSync: (from: string, to: string) => {
          const size = sizeOf(readFileSync(from, 'utf8'))
          const lines = readFileSync(path, 'utf8').split('\n').slice(0, size)
          signed.push([Buffer.byteLength(lines.map((line) => `${line}\n`).join('')), disk.syncedBytes(path)])
          renameSync(from, to)
        },
      })
      const agent = agentOn(sink)
      await agent.session('alice', (s) => s.callTool('act', {}))
      await agent.close()
      expect(signed.length).toBeGreaterThan(1)
      for (const [bytes, stored] of signed) expect(stored).toBeGreaterThanOrEqual(bytes)
    },
  )

  test('is signed while it is written: after so many records, after so long, after a session', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const path = join(fastFolder(), 'audit.jsonl')
      const agent = agentOn(AuditSink.file(path, { signing: signing({ everyRecords: 20, everyMs: 5000 }) }))
      const sizes = (): number[] => historyOf(path).map(sizeOf)
      const s = agent.open('alice')
      await s.callTool('act', {})
      expect(sizes()).toEqual([0])
      await vi.advanceTimersByTimeAsync(5000)
      await vi.waitFor(() => expect(sizes()).toEqual([0, 4]))
      for (let call = 0; call < 10; call++) await s.callTool('act', {})
      await vi.waitFor(() => expect(sizes().at(-1)).toBeGreaterThanOrEqual(24))
      const before = sizes().length
      await s.close()
      await vi.advanceTimersByTimeAsync(1000)
      await vi.waitFor(() => expect(sizes().length).toBeGreaterThan(before))
      expect(sizes().at(-1)).toBe(allLines(path).length)
      await agent.close()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a signed log that is opened again is refused', () => {
  const open = (path: string, options: Partial<SigningOptions> = {}): unknown =>
    thrown(() => agentOn(AuditSink.file(path, { signing: signing(options) })))

  test('when it was cut at the end of a line', async () => {
    const path = await signedLog()
    const lines = allLines(path)
    writeFileSync(
      path,
      lines
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(''),
    )
    expect(open(path)).toMatchObject({
      code: 'ERR_AUDIT_DAMAGED',
      verdict: 'TRUNCATED',
      seq: lines.length - 1,
    })
  })

  test('when it was emptied or removed', async () => {
    const path = await signedLog()
    writeFileSync(path, '')
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_DAMAGED', verdict: 'TRUNCATED' })
    rmSync(path)
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_DAMAGED', verdict: 'TRUNCATED' })
  })

  test('when it was rewritten as a whole', async () => {
    const path = await signedLog()
    const lines = rewritten(allLines(path).map((line) => line.replace('alice', 'mallo')))
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_DAMAGED', verdict: 'REWRITTEN' })
  })

  test('when a record that was signed is damaged as if by a crash', async () => {
    const path = await signedLog()
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.subarray(0, -20))
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_DAMAGED', verdict: 'TAMPERED' })
    expect(readdirSync(join(path, '..')).filter((name) => name.includes('torn'))).toEqual([])
    expect(readFileSync(path)).toEqual(bytes.subarray(0, -20))
  })

  test('when its checkpoint is gone, unless it is to be adopted', async () => {
    const path = await signedLog()
    rmSync(`${path}.checkpoint`)
    expect(open(path)).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining('signing.adopt'),
    })
    const agent = agentOn(AuditSink.file(path, { signing: signing({ adopt: true }) }))
    await agent.close()
    expect((await checkpointOf(path)).size).toBe(allLines(path).length)
  })

  test.each([
    [
      'is of another key',
      () => signNote('example.com/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n', [OTHER_KEY]),
    ],
    [
      'is of another origin',
      () => signNote('example.com/other\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n', [KEY]),
    ],
    ['is no checkpoint', () => signNote('hello\n', [KEY])],
    ['is empty', () => ''],
    ['is cut', (note: string) => note.slice(0, -10)],
    ['was changed', (note: string) => note.replace(/\n\d+\n/, '\n1\n')],
    [
      'is a megabyte of signatures',
      (note: string) => note + note.slice(note.lastIndexOf('\n\n') + 2).repeat(10_000),
    ],
  ])('when its checkpoint %s', async (_, forge) => {
    const path = await signedLog()
    writeFileSync(`${path}.checkpoint`, forge(readFileSync(`${path}.checkpoint`, 'utf8')))
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_DAMAGED', verdict: 'UNTRUSTED' })
  })

  test('when its checkpoint is a symbolic link', async () => {
    const path = await signedLog()
    const elsewhere = `${path}.elsewhere`
    writeFileSync(elsewhere, readFileSync(`${path}.checkpoint`))
    rmSync(`${path}.checkpoint`)
    symlinkSync(elsewhere, `${path}.checkpoint`)
    expect(open(path)).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
  })

  test('when its checkpoint is of more than the log held, and leaves the lock free', async () => {
    const path = await signedLog()
    const whole = readFileSync(path)
    writeFileSync(path, '')
    expect(open(path)).toMatchObject({ verdict: 'TRUNCATED' })
    writeFileSync(path, whole)
    await agentOn(AuditSink.file(path, { signing: signing() })).close()
  })
})

test('half an entry in the history, as a crash leaves it, is removed; what is not of our making stays', async () => {
  const path = await signedLog()
  const whole = readFileSync(`${path}.checkpoints`, 'utf8')
  const count = historyOf(path).length
  for (const cut of [1, 2, 10, 60, 100]) {
    writeFileSync(`${path}.checkpoints`, whole.slice(0, -cut))
    await agentOn(AuditSink.file(path, { signing: signing() })).close()
    const history = readFileSync(`${path}.checkpoints`, 'utf8')
    expect(whole.slice(0, -cut).startsWith(history.slice(0, 150))).toBe(true)
    for (const note of historyOf(path)) expect(note).toMatch(/^example\.com\/audit\n\d+\n\S{44}\n\n— /)
    expect(historyOf(path).length).toBeGreaterThanOrEqual(count - 1)
  }
  writeFileSync(`${path}.checkpoints`, 'x'.repeat(100_000))
  await agentOn(AuditSink.file(path, { signing: signing() })).close()
  expect(readFileSync(`${path}.checkpoints`, 'utf8').startsWith('x'.repeat(100_000))).toBe(true)
})

describe('the key', () => {
  test('is read from a file that is its owner’s alone', async () => {
    const folder = temporaryFolder()
    const key = join(folder, 'writ.key')
    writeFileSync(key, `${KEY.encode()}\n`, { mode: 0o600 })
    const path = join(folder, 'audit.jsonl')
    await agentOn(AuditSink.file(path, { signing: { key } })).close()
    expect((await checkpointOf(path)).size).toBe(2)
  })

  test.each([0o640, 0o604, 0o620, 0o606, 0o677])(
    'is refused when others may do something with it (%o)',
    (mode) => {
      const folder = temporaryFolder()
      const key = join(folder, 'writ.key')
      writeFileSync(key, KEY.encode())
      chmodSync(key, mode)
      const error = thrown(() => agentOn(AuditSink.file(join(folder, 'audit.jsonl'), { signing: { key } })))
      expect(error).toMatchObject({
        code: 'ERR_AUDIT_UNAVAILABLE',
        message: expect.stringContaining('chmod 600'),
      })
    },
  )

  test.each([
    ['nothing', undefined, /signing\.key: missing/],
    ['an empty text', '', /signing\.key: expected the path/],
    ['a number', 5, /signing\.key: expected the path/],
    ['half a key', KEY.encode().slice(0, -4), /signing key: expected/],
    ['a file that is not there', '/nowhere/at/all.key', /signing key \/nowhere\/at\/all\.key/],
    ['a folder', temporaryParent(), /signing key/],
  ])('is an error that tells nothing when it is %s', (_, key, message) => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const error = thrown(() => agentOn(AuditSink.file(path, { signing: { key } as never }))) as Error
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain(KEY.encode().slice(20, 60))
  })
})

function temporaryParent(): string {
  return join(import.meta.dirname, '.')
}

test.each([
  [{ everyRecords: 0 }, 'signing.everyRecords: expected at least 1'],
  [{ everyMs: 1 }, 'signing.everyMs: expected at least 10'],
  [{ everyMs: 2 ** 31 }, 'signing.everyMs'],
  [{ anchor: 'x' }, 'signing.anchor: expected a function'],
  [{ anchorTimeoutMs: 0 }, 'signing.anchorTimeoutMs'],
  [{ heartbeatMs: 10 }, 'signing.heartbeatMs'],
  [{ origin: 'a\nb' }, 'signing.origin'],
  [{ adopt: 1 }, 'signing.adopt'],
  [{ every: 1 }, 'unknown option every'],
])('an option that is not usable is an error: %j', (option, message) => {
  const path = join(temporaryFolder(), 'audit.jsonl')
  expect(() => AuditSink.file(path, { signing: signing(option as never) })).toThrow(message)
})

describe('a disk that fails', () => {
  const CALLS = [
    'openSync',
    'writeSync',
    'fsyncSync',
    'fsync',
    'renameSync',
    'fdatasync',
    'fdatasyncSync',
    'ftruncateSync',
    'lstatSync',
    'readSync',
    'fstatSync',
    'closeSync',
  ]

  test.each(['EIO', 'ENOSPC'])(
    '%s at any call ends the log with an error, and signs nothing that is not there',
    async (code) => {
      for (let failAt = 0, done = false; !done; failAt++) {
        const path = join(fastFolder(), 'audit.jsonl')
        const disk = new Disk({ failAt, among: CALLS, code })
        const sink = fileSink(path, { signing: signing({ everyRecords: 2 }) }, disk.io)
        try {
          const agent = agentOn(sink)
          await agent.session('alice', async (s) => {
            for (let call = 0; call < 3; call++) await s.callTool('act', {})
          })
          await agent.close()
          done = disk.counted <= failAt
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_AUDIT_/) })
        }
        const lines = existing(path)
        for (const note of historyOf(path)) {
          expect(sizeOf(note)).toBeLessThanOrEqual(lines.length)
          const root = Buffer.from(note.split('\n')[2] as string, 'base64').toString('hex')
          expect(root).toBe(rootOf(lines.slice(0, sizeOf(note))))
        }
      }
    },
  )
})

function existing(path: string): string[] {
  try {
    return allLines(path)
  } catch {
    return []
  }
}

describe('an anchor', () => {
  test('is given every checkpoint that is stored, the last before the log is closed', async () => {
    const anchored: string[] = []
    const path = await signedLog({ everyRecords: 1, anchor: (note) => void anchored.push(note) })
    expect(anchored.at(-1)).toBe(readFileSync(`${path}.checkpoint`, 'utf8'))
    const history = historyOf(path)
    for (const note of anchored) expect(history).toContain(note)
  })

  test('that is slow gets the newest when it is ready, and never two at a time', async () => {
    const first = gate()
    const anchored: number[] = []
    let running = 0
    const path = join(temporaryFolder(), 'audit.jsonl')
    const agent = agentOn(
      AuditSink.file(path, {
        signing: signing({
          everyRecords: 1,
          anchor: async (note) => {
            running += 1
            expect(running).toBe(1)
            anchored.push(sizeOf(note))
            if (anchored.length === 1) await first.promise
            running -= 1
          },
        }),
      }),
    )
    await agent.session('alice', async (s) => {
      for (let call = 0; call < 20; call++) await s.callTool('act', {})
    })
    await vi.waitFor(() => expect(historyOf(path).length).toBeGreaterThan(5))
    expect(anchored).toHaveLength(1)
    first.open()
    await agent.close()
    expect(anchored.at(-1)).toBe(allLines(path).length)
    expect(anchored.length).toBeLessThan(historyOf(path).length)
  })

  test.each([
    [
      'throws',
      () => {
        throw new TypeError('secret-message')
      },
    ],
    ['rejects', () => Promise.reject(Object.assign(new RangeError('secret-message'), { code: 'E_LOST' }))],
    ['never answers', () => new Promise<void>(() => undefined)],
  ])('that %s is in the log by name, and makes close() reject', async (_, anchor) => {
    const path = join(temporaryFolder(), 'audit.jsonl')
    const agent = agentOn(
      AuditSink.file(path, { signing: signing({ everyRecords: 1, anchor, anchorTimeoutMs: 20 }) }),
    )
    await agent.session('alice', (s) => s.callTool('act', {}))
    await vi.waitFor(() => expect(recordsIn(path).some(({ event }) => event === 'anchor_failed')).toBe(true))
    const error = await rejection(agent.close())
    expect(error).toBeInstanceOf(AuditUnavailable)
    expect((error as Error).message).toContain('not anchored')
    const failed = recordsIn(path).filter(({ event }) => event === 'anchor_failed')
    expect(failed).toHaveLength(1)
    expect(failed[0]?.payload).toMatchObject({
      size: expect.any(Number),
      count: 1,
      error: { name: expect.any(String) },
    })
    expect(readFileSync(path, 'utf8')).not.toContain('secret-message')
    expect(recordsIn(path).at(-1)?.event).toBe('log_close')
  })

  test('hears of the newest checkpoint again when the log is silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const anchored: number[] = []
      const path = join(fastFolder(), 'audit.jsonl')
      const anchor = (note: string): void => void anchored.push(sizeOf(note))
      const agent = agentOn(AuditSink.file(path, { signing: signing({ anchor, heartbeatMs: 60_000 }) }))
      await vi.advanceTimersByTimeAsync(10_000)
      await vi.waitFor(() => expect(anchored.at(-1)).toBe(1))
      const before = anchored.length
      await vi.advanceTimersByTimeAsync(60_000)
      await vi.waitFor(() => expect(anchored.length).toBe(before + 1))
      expect(anchored.at(-1)).toBe(1)
      await agent.close()
    } finally {
      vi.useRealTimers()
    }
  })
})
