import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Agent, AuditLocked } from 'writ'
import { verifyLog } from 'writ/verify'
import { fileSink } from '../../../src/sinks/file.js'
import type { LockHost } from '../../../src/sinks/lock-host.js'
import { thrown } from '../../support/agents.js'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { ELSEWHERE, seenFrom } from '../../support/lock-places.js'

const SILENT_SECONDS = 300
/** Some kernel and network namespace. */
const SCOPE = '01234567-89ab-cdef-0123-456789abcdef net:[4026531840]'

let path: string
let lock: string

beforeEach(() => {
  path = join(temporaryFolder(), 'audit.jsonl')
  lock = `${path}.lock`
})

function open(place: Partial<LockHost> = ELSEWHERE): Agent {
  return agentOn(fileSink(path, {}, seenFrom(place)))
}

/** What a writer leaves behind that is killed: the log, and its lock file, last heard of so long ago. */
async function killedWriter(place: Partial<LockHost> = ELSEWHERE): Promise<Buffer> {
  const agent = open(place)
  await agent.session('alice', () => undefined)
  const token = readFileSync(lock)
  await agent.close()
  writeFileSync(lock, token)
  return token
}

function silentFor(seconds: number, file = lock): void {
  const then = Date.now() / 1000 - seconds
  utimesSync(file, then, then)
}

async function verdict(): Promise<string> {
  return (await verifyLog(readFileSync(path))).verdict
}

describe('the lock file of a log', () => {
  test('is there for its owner alone while the log is open, says who holds it, and is gone after', async () => {
    const agent = open()
    expect(lstatSync(lock).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ host: 'far-away', pid: process.pid })
    await agent.close()
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
  })

  test('refuses a second writer, who is told who the first is and what to do', async () => {
    const token = await killedWriter()
    const before = readFileSync(path)
    const refused = thrown(open) as AuditLocked
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED', path })
    expect(refused.holder).toMatch(
      new RegExp(`^process ${process.pid} on far-away, opened at 20.*Z, last seen at 20.*Z$`),
    )
    expect(refused.message).toContain(refused.holder)
    expect(refused.message).toContain('{pid}')
    expect(refused.message).toMatch(/wait (300|299|298) s or remove .*audit\.jsonl\.lock$/)
    expect(readFileSync(path)).toEqual(before)
    expect(readFileSync(lock)).toEqual(token)
    expect(existsSync(`${lock}.next`)).toBe(false)
  })

  test('is taken from a writer that has been silent for five minutes, not earlier, and the chain goes on', async () => {
    const token = await killedWriter()
    silentFor(SILENT_SECONDS - 20)
    expect(thrown(open)).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    silentFor(SILENT_SECONDS + 20)
    const agent = open()
    expect(readFileSync(lock)).not.toEqual(token)
    await agent.close()
    expect(await verdict()).toBe('UNANCHORED')
    expect(existsSync(lock)).toBe(false)
  })

  test('is not taken when it seems to come from the future', async () => {
    await killedWriter()
    silentFor(-86_400)
    expect(thrown(open)).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
  })
})

describe('within reach of the sockets of the holder', () => {
  const here = (takeSocket: LockHost['takeSocket']): Partial<LockHost> => ({ scope: SCOPE, takeSocket })
  const free = here(() => ({ release: () => undefined }))

  test('what a killed writer left is taken at once', async () => {
    await killedWriter(free)
    await open(free).close()
    expect(await verdict()).toBe('UNANCHORED')
  })

  test('a writer that was given another socket keeps its log while that is taken, however silent it is', async () => {
    const token = await killedWriter(free)
    const { identity } = JSON.parse(token.toString()) as { identity: string }
    // The same log, seen with another device number: through another mount.
    writeFileSync(
      lock,
      token.toString().replace(`"${identity}"`, `"1${identity}"`).slice(0, 511).concat('\n'),
    )
    silentFor(10 * SILENT_SECONDS)
    const asked: string[] = []
    const busy = here((name) => {
      asked.push(name)
      // Free when it is first looked at, before the log is opened; taken when the log is claimed.
      return name === `writ-log:1${identity}` && asked.length > 1 ? undefined : { release: () => undefined }
    })
    expect(thrown(() => open(busy))).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    expect(asked).toEqual([`writ-log:1${identity}`, `writ-log:${identity}`, `writ-log:1${identity}`])
    await open(free).close()
  })

  test('a log whose writer lives is refused before a file of it is made: its writer may be about to make it', async () => {
    await killedWriter(free)
    rmSync(path)
    expect(thrown(() => open(here(() => undefined)))).toMatchObject({
      code: 'ERR_AUDIT_LOCKED',
      holder: expect.stringContaining('last seen at'),
    })
    expect(existsSync(path)).toBe(false)
  })

  test('sockets of another namespace say nothing', async () => {
    await killedWriter(free)
    const other = { ...free, scope: SCOPE.replace('4026531840', '4026532000') }
    expect(thrown(() => open(other))).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    silentFor(SILENT_SECONDS + 20)
    await open(other).close()
  })

  test('whoever has the socket is refused with what the lock file says', async () => {
    const agent = open(free)
    await agent.session('alice', () => undefined)
    const token = readFileSync(lock)
    await agent.close()
    writeFileSync(lock, token)
    const refused = thrown(() => open(here(() => undefined))) as AuditLocked
    expect(refused.holder).toContain(`process ${process.pid} on `)
    expect(refused.message).not.toContain('remove')
    rmSync(lock)
    expect(thrown(() => open(here(() => undefined)))).toMatchObject({
      holder: 'another process or worker thread',
    })
  })
})

describe('something else in its place', () => {
  const token = { writ_lock: 1, id: 'a'.repeat(32), host: 'h', pid: 1, opened: '2026-01-01T00:00:00.000Z' }
  const padded = (value: unknown): string => `${JSON.stringify(value).padEnd(511)}\n`
  const garbage: [string, string][] = [
    ['text', 'not a lock\n'],
    ['text of the right length', 'x'.repeat(512)],
    ['no UTF-8', '\ud800'.repeat(256)],
    ['null', padded(null)],
    ['an array', padded([])],
    ['another version', padded({ ...token, identity: '1:2', writ_lock: 2 })],
    ['a member missing', padded(token)],
    ['a pid that is none', padded({ ...token, identity: '1:2', pid: -1 })],
    ['a host that steers a terminal', padded({ ...token, identity: '1:2', host: '\u009b31m' })],
    ['a scope that is none', padded({ ...token, identity: '1:2', scope: 'here' })],
    ['a name that is no identity', padded({ ...token, identity: '/etc/passwd' })],
    ['a token and more', `${padded({ ...token, identity: '1:2' })}.`],
    ['NUL bytes, too many', '\0'.repeat(513)],
  ]

  test.each(garbage)('%s is left alone, however old, and nothing is opened', async (_, text) => {
    writeFileSync(lock, text)
    silentFor(100 * SILENT_SECONDS)
    const before = readFileSync(lock)
    const refused = thrown(open) as AuditLocked
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    expect(refused.message).toMatch(/no lock file of this version.*remove it$/)
    expect(readFileSync(lock)).toEqual(before)
    rmSync(lock)
    await open().close()
  })

  test.each(['', '\0'.repeat(512)])(
    'what a power cut left (%j) is a lock whose holder is unknown',
    async (text) => {
      writeFileSync(lock, text)
      expect(thrown(open)).toMatchObject({
        code: 'ERR_AUDIT_LOCKED',
        holder: 'another process or worker thread',
      })
      silentFor(SILENT_SECONDS + 20)
      await open().close()
    },
  )

  test('a file of a gibibyte is not read', () => {
    writeFileSync(lock, 'x')
    truncateSync(lock, 2 ** 30)
    const disk = new Disk()
    const refused = thrown(() => agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, disk.io))))
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    // A token's length, before the log is opened and when it is claimed.
    expect(disk.count('readSync')).toBe(2)
    expect(statSync(lock).size).toBe(2 ** 30)
  })

  const ends = ['.lock', '.lock.next'] as const
  test.each(ends)('a symbolic link as %s is refused and not followed', (end) => {
    const target = `${path}.target`
    writeFileSync(target, 'precious')
    for (const to of [target, `${path}.nowhere`]) {
      symlinkSync(to, `${path}${end}`)
      const refused = thrown(open) as Error
      expect(refused).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
      expect(refused.message).toContain('no regular file')
      expect(lstatSync(`${path}${end}`).isSymbolicLink()).toBe(true)
      rmSync(`${path}${end}`)
    }
    expect(readFileSync(target, 'utf8')).toBe('precious')
    expect(existsSync(`${path}.nowhere`)).toBe(false)
  })

  test.each(ends)('a folder as %s is refused', (end) => {
    mkdirSync(`${path}${end}`)
    expect(thrown(open)).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
  })

  test.skipIf(process.platform === 'win32').each(ends)(
    'a pipe as %s is refused, and nobody waits for it',
    (end) => {
      execFileSync('mkfifo', [`${path}${end}`])
      expect(thrown(open)).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
    },
  )
})

describe('an opening that was cut off', () => {
  test('holds others up for as long as a silent writer', async () => {
    writeFileSync(`${lock}.next`, await killedWriter())
    rmSync(lock)
    const refused = thrown(open) as Error
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED' })
    expect(refused.message).toContain(`${lock}.next`)
    silentFor(SILENT_SECONDS + 20, `${lock}.next`)
    writeFileSync(`${lock}.now`, '')
    silentFor(10 * SILENT_SECONDS, `${lock}.now`)
    await open().close()
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
  })

  test('is judged by one writer at a time: another that comes at the same moment is refused', async () => {
    writeFileSync(`${lock}.next`, await killedWriter())
    rmSync(lock)
    silentFor(SILENT_SECONDS + 20, `${lock}.next`)
    const { io } = new Disk()
    const openSync: typeof io.openSync = (name, flags, mode) => {
      if (name === `${lock}.now`) writeFileSync(name, 'of the other writer')
      return io.openSync(name, flags, mode)
    }
    const refused = thrown(() => agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, { ...io, openSync }))))
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED', path })
    expect(readFileSync(`${lock}.now`, 'utf8')).toBe('of the other writer')
    await open().close()
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
  })

  test('holds nobody up within reach of its socket', async () => {
    const here = { scope: SCOPE, takeSocket: () => ({ release: () => undefined }) }
    writeFileSync(`${lock}.next`, await killedWriter(here))
    await open(here).close()
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
  })
})

describe('another writer that takes this opening for one that was cut off', () => {
  const stranger = `{"writ_lock":1}`
  const meanwhile: [string, (next: string) => void][] = [
    ['and is not done', (next) => rmSync(next)],
    [
      'and puts its own in place first',
      (next) => {
        rmSync(next)
        writeFileSync(lock, stranger)
      },
    ],
    ['and whose file is renamed', (next) => writeFileSync(next, stranger)],
  ]

  test.each(meanwhile)('%s has the log', (_, intervene) => {
    const { io } = new Disk()
    const renameSync: typeof io.renameSync = (from, to) => {
      intervene(String(from))
      io.renameSync(from, to)
    }
    const refused = thrown(() => agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, { ...io, renameSync }))))
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_LOCKED', path })
    if (existsSync(lock)) expect(readFileSync(lock, 'utf8')).toBe(stranger)
  })
})

describe('a lock file that cannot be made', () => {
  test.each(['EACCES', 'EPERM', 'EROFS'])('%s: nothing is opened, and it says why', (code) => {
    const disk = new Disk({ failAt: 1, among: ['openSync'], code })
    const refused = thrown(() => agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, disk.io)))) as Error
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
    expect(refused.message).toContain(`its lock file ${lock} cannot be made`)
    expect(refused.message).toContain(`let this process make files in that folder (${code})`)
    expect(readFileSync(path, 'utf8')).toBe('')
  })

  test.each([0, 100])('a disk that takes %s bytes of it leaves nothing of it', async (freeBytes) => {
    const disk = new Disk({ freeBytes })
    const refused = thrown(() => agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, disk.io)))) as Error
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
    expect(refused.message).toContain('the disk is full')
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
  })

  test('an error of any call while it opens or closes is an unavailable log, and the next writer goes on', async () => {
    const here = { scope: SCOPE, takeSocket: () => ({ release: () => undefined }) }
    for (const leftover of [false, true]) {
      for (let failAt = 0, isOver = false; !isOver; failAt++) {
        if (leftover) await killedWriter(here)
        const disk = new Disk({ failAt, code: 'EIO' })
        const failed = await attempt(async () => {
          const agent = agentOn(fileSink(path, {}, seenFrom(here, disk.io)))
          await agent.close()
        })
        if (failed !== undefined) expect(failed).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
        isOver = disk.counted <= failAt
        await open(here).close()
        expect(['UNANCHORED']).toContain(await verdict())
        rmSync(path)
      }
    }
  })
})

async function attempt(action: () => Promise<void>): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return error
  }
  return undefined
}
