import { existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AuditLocked } from 'writ'
import { verifyLog } from 'writ/verify'
import { fileSink } from '../../../src/sinks/file.js'
import { FileClaim } from '../../../src/sinks/file-claim.js'
import type { FileIo } from '../../../src/sinks/file-open.js'
import { rejection, thrown } from '../../support/agents.js'
import { agentOn, temporaryFolder } from '../../support/audit-logs.js'
import { Disk } from '../../support/disk.js'
import { ELSEWHERE, seenFrom } from '../../support/lock-places.js'

let folder: string
let path: string
let lock: string
let io: FileIo

beforeEach(() => {
  folder = temporaryFolder()
  path = join(folder, 'audit.jsonl')
  lock = `${path}.lock`
  io = seenFrom(ELSEWHERE)
})

afterEach(() => {
  vi.useRealTimers()
})

function silentFor(seconds: number): void {
  const then = Date.now() / 1000 - seconds
  utimesSync(lock, then, then)
}

/** How long ago the holder was last heard of. */
function ageSeconds(): number {
  return (Date.now() - statSync(lock).mtimeMs) / 1000
}

/** A lock file of somebody else. */
function strangersToken(): string {
  const { id } = JSON.parse(readFileSync(lock, 'utf8')) as { id: string }
  return readFileSync(lock, 'utf8').replace(id, 'f'.repeat(32))
}

describe('a writer whose lock is', () => {
  const losses: [name: string, lose: () => void, says: string][] = [
    ['removed', () => rmSync(lock), 'LOCK_GONE'],
    [
      'replaced',
      () => {
        writeFileSync(`${lock}.other`, strangersToken())
        renameSync(`${lock}.other`, lock)
      },
      'LOCK_TAKEN',
    ],
    [
      'removed and made anew',
      () => {
        const token = strangersToken()
        rmSync(lock)
        writeFileSync(lock, token)
      },
      'LOCK_TAKEN',
    ],
  ]

  test.each(losses)(
    '%s stops before its next record, and leaves what it finds alone',
    async (_, lose, says) => {
      const agent = agentOn(fileSink(path, {}, io))
      await agent.session('alice', () => undefined)
      lose()
      const [log, token] = [readFileSync(path), existsSync(lock) ? readFileSync(lock) : undefined]
      const refused = (await rejection(agent.session('bob', () => undefined))) as Error
      expect(refused).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path })
      expect(refused.message).toContain(says)
      expect(await rejection(agent.session('bob', () => undefined))).toBe(refused)
      await agent.close().catch(() => undefined)
      expect(readFileSync(path)).toEqual(log)
      expect(existsSync(lock) ? readFileSync(lock) : undefined).toEqual(token)
      expect((await verifyLog(log)).verdict).toBe('UNANCHORED')
    },
  )

  test('overwritten in place is noticed at the next beat', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const agent = agentOn(fileSink(path, {}, io))
    writeFileSync(lock, strangersToken())
    vi.advanceTimersByTime(20_000)
    const log = readFileSync(path)
    expect(await rejection(agent.session('bob', () => undefined))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
    })
    await agent.close().catch(() => undefined)
    expect(readFileSync(path)).toEqual(log)
  })
})

describe('the heartbeat', () => {
  test('is one timer for all logs, comes every 20 seconds, and ends with the last log', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const agents = ['a', 'b', 'c'].map((name) => agentOn(fileSink(`${path}.${name}`, {}, io)))
    expect(vi.getTimerCount()).toBe(1)
    for (const name of ['a', 'b', 'c']) {
      lock = `${path}.${name}.lock`
      silentFor(3600)
      vi.advanceTimersByTime(19_999)
      expect(ageSeconds()).toBeGreaterThan(3000)
      vi.advanceTimersByTime(1)
      // The clock of the file system goes on by itself.
      expect(ageSeconds()).toBeLessThan(200)
    }
    await Promise.all(agents.map((agent) => agent.close()))
    expect(vi.getTimerCount()).toBe(0)
  })

  test('comes with the records of a program that leaves timers no time', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const agent = agentOn(fileSink(path, {}, io))
    silentFor(3600)
    agent.sessionSync('alice', () => undefined)
    expect(ageSeconds()).toBeGreaterThan(3000)
    vi.setSystemTime(Date.now() + 20_000)
    agent.sessionSync('alice', () => undefined)
    expect(ageSeconds()).toBeLessThan(200)
    await agent.close()
  })

  test.each([
    ['with a record', () => undefined],
    ['with its timer', () => vi.advanceTimersByTime(20_000)],
  ])('a writer that wakes %s while another is about to take over stops', async (_, wake) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const agent = agentOn(fileSink(path, {}, io))
    agent.sessionSync('alice', () => undefined)
    writeFileSync(`${lock}.next`, '')
    vi.setSystemTime(Date.now() + 100_000)
    agent.sessionSync('alice', () => 'after so short a silence, nobody can be about to')
    const log = readFileSync(path)
    vi.setSystemTime(Date.now() + 200_000)
    wake()
    expect(thrown(() => agent.sessionSync('alice', () => undefined))).toMatchObject({
      code: 'ERR_AUDIT_UNAVAILABLE',
    })
    expect(readFileSync(path)).toEqual(log)
    await agent.close().catch(() => undefined)
  })

  test('a writer that cannot renew its lock stops long before others count it as gone', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    const disk = new Disk()
    const agent = agentOn(fileSink(path, {}, seenFrom(ELSEWHERE, disk.io)))
    vi.setSystemTime(Date.now() + 140_000)
    disk.breakNext('EIO', ['openSync'])
    agent.sessionSync('alice', () => 'not yet')
    vi.setSystemTime(Date.now() + 20_000)
    disk.breakNext('EIO', ['openSync'])
    const refused = thrown(() => agent.sessionSync('alice', () => undefined)) as Error
    expect(refused).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
    expect(refused.message).toContain('could not be renewed')
    await agent.close().catch(() => undefined)
  })
})

describe('a claim that follows its log into another file', () => {
  const file = { path: '/log', flushOnExit: (): void => undefined }

  /** A place with sockets, and a protocol of them. */
  function sockets(taken: readonly string[] = []): { io: FileIo; calls: string[] } {
    const calls: string[] = []
    const takeSocket = (name: string): { release(): void } | undefined => {
      calls.push(`take ${name}`)
      if (taken.includes(name)) return undefined
      return { release: () => void calls.push(`release ${name}`) }
    }
    return { io: seenFrom({ takeSocket }), calls }
  }

  test('holds the new one, and says so in its lock file, before it gives up the old one', () => {
    const { io, calls } = sockets()
    const claim = new FileClaim(io, file, '1:1', path)
    claim.follow('1:2')
    expect(claim.identity).toBe('1:2')
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ identity: '1:2' })
    expect(claim.check()).toBeUndefined()
    claim.follow('1:2')
    claim.release()
    const [one, two] = ['writ-log:1:1', 'writ-log:1:2']
    expect(calls).toEqual([`take ${one}`, `take ${two}`, `release ${one}`, `release ${two}`])
    expect(existsSync(lock)).toBe(false)
  })

  test('stays where it was when the new one has a writer, here or elsewhere', () => {
    const { io, calls } = sockets(['writ-log:1:2'])
    const claim = new FileClaim(io, file, '1:1', path)
    const other = new FileClaim(io, file, '1:3', `${path}.other`)
    expect(() => claim.follow('1:2')).toThrow(AuditLocked)
    expect(() => claim.follow('1:3')).toThrow(AuditLocked)
    expect(claim.identity).toBe('1:1')
    expect(claim.check()).toBeUndefined()
    expect(calls).not.toContain('release writ-log:1:1')
    other.release()
    claim.release()
    // Nothing was left on the list.
    new FileClaim(sockets().io, file, '1:2', path).release()
  })

  test('does not follow when its lock is lost', () => {
    const { io, calls } = sockets()
    const claim = new FileClaim(io, file, '1:1', path)
    rmSync(lock)
    expect(thrown(() => claim.follow('1:2'))).toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE', path: '/log' })
    expect(calls).toContain('release writ-log:1:2')
    expect(claim.identity).toBe('1:1')
    claim.release()
    claim.release()
    expect(existsSync(lock)).toBe(false)
  })
})
