import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { verifyLog } from 'writ/verify'
import { bundle, runNode } from '../support/child.js'
import { hasCommand } from '../support/commands.js'

let folder: string
let file: string
let leaving: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-lock-places-'))
  file = await bundle('test/crash/lock-place-child.ts', folder)
  leaving = await bundle('test/crash/exit-child.ts', folder)
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A process that does one thing after the other. */
interface Writer {
  readonly child: ChildProcess
  /** What it says to this. */
  tell(command: string): Promise<string>
  kill(): Promise<void>
}

const writers: Writer[] = []

afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.kill()
})

async function writer(
  where: 'here' | 'elsewhere',
  times: { silentMs?: number; beatMs?: number } = {},
  ...wrap: string[]
): Promise<Writer> {
  const [command = '', ...args] = [...wrap, process.execPath, file, where, JSON.stringify(times)]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  expect(await next()).toBe('ready')
  const made: Writer = {
    child,
    tell(line) {
      child.stdin.write(`${line}\n`)
      return next()
    },
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
  }
  writers.push(made)
  return made
}

function newLog(name: string): string {
  const path = join(folder, name, 'audit.jsonl')
  mkdirSync(join(path, '..'))
  return path
}

async function verdict(path: string): Promise<string> {
  return (await verifyLog(readFileSync(path))).verdict
}

describe('without sockets', () => {
  test('of three processes that race for a stale lock fifty times, one wins each time', async () => {
    const path = newLog('race')
    const racers = await Promise.all([1, 2, 3].map(() => writer('elsewhere', { silentMs: 60_000 })))
    for (let round = 0; round < 50; round++) {
      const holder = racers[round % 3] as Writer
      expect(await holder.tell(`open ${path}`)).toBe('open')
      const token = readFileSync(`${path}.lock`)
      expect(await holder.tell('close')).toBe('closed')
      // As after a SIGKILL, long ago.
      writeFileSync(`${path}.lock`, token)
      utimesSync(`${path}.lock`, 1, 1)
      const atMs = Date.now() + 15
      const said = await Promise.all(racers.map((racer) => racer.tell(`open ${path} ${atMs}`)))
      expect(said.filter((text) => text === 'open')).toHaveLength(1)
      for (const text of said) expect(text).toMatch(/^(open$|ERR_AUDIT_LOCKED)/)
      const winner = racers[said.indexOf('open')] as Writer
      expect(await winner.tell('write')).toBe('written')
      expect(await winner.tell('close')).toBe('closed')
    }
    expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
    expect(await verdict(path)).toBe('UNANCHORED')
  }, 60_000)

  test('a holder whose event loop is blocked keeps its log for less than the silence that counts', async () => {
    const path = newLog('blocked')
    const holder = await writer('elsewhere', { silentMs: 60_000, beatMs: 20 })
    expect(await holder.tell(`open ${path}`)).toBe('open')
    const awake = holder.tell('block 1500')
    await wait(1000)
    const other = await writer('elsewhere', { silentMs: 60_000 })
    const said = await other.tell(`open ${path}`)
    expect(said).toMatch(/^ERR_AUDIT_LOCKED/)
    expect(said).toContain(`process ${holder.child.pid} on far-away`)
    expect(await awake).toBe('awake')
    expect(await holder.tell('write')).toBe('written')
    expect(await holder.tell('close')).toBe('closed')
    expect(await other.tell(`open ${path}`)).toBe('open')
  })

  test('a holder that was blocked for longer wakes to a lost log, and adds nothing to it', async () => {
    const path = newLog('overtaken')
    const holder = await writer('elsewhere', { silentMs: 300, beatMs: 20 })
    expect(await holder.tell(`open ${path}`)).toBe('open')
    expect(await holder.tell('write')).toBe('written')
    const awake = holder.tell('block 3000')
    const other = await writer('elsewhere', { silentMs: 300, beatMs: 20 })
    const beganMs = Date.now()
    let said = ''
    while (said !== 'open' && Date.now() - beganMs < 10_000) said = await other.tell(`open ${path}`)
    expect(said).toBe('open')
    expect(await other.tell('write')).toBe('written')
    expect(await awake).toBe('awake')
    const log = readFileSync(path)
    const refused = await holder.tell('write')
    expect(refused).toMatch(/^ERR_AUDIT_UNAVAILABLE/)
    expect(refused).toContain('LOCK_TAKEN')
    expect(readFileSync(path)).toEqual(log)
    await holder.tell('close')
    expect(await other.tell('write')).toBe('written')
    expect(await other.tell('close')).toBe('closed')
    expect(await verdict(path)).toBe('UNANCHORED')
  })

  test('a live holder that beats keeps its log for many times the silence that counts', async () => {
    const path = newLog('beating')
    const holder = await writer('elsewhere', { silentMs: 1000, beatMs: 50 })
    expect(await holder.tell(`open ${path}`)).toBe('open')
    const other = await writer('elsewhere', { silentMs: 1000 })
    for (let round = 0; round < 15; round++) {
      expect(await other.tell(`open ${path}`)).toMatch(/^ERR_AUDIT_LOCKED/)
      await wait(200)
    }
    expect(await holder.tell('write')).toBe('written')
  })

  test('thirty kills at any moment of an opening: the log opens again, and its chain holds', async () => {
    const path = newLog('killed')
    const times = { silentMs: 100, beatMs: 20 }
    for (let round = 0; round < 30; round++) {
      const victim = await writer('elsewhere', times)
      void victim.tell(`open ${path}`)
      void victim.tell('write')
      await wait(round / 3)
      await victim.kill()
      await wait(150)
    }
    const last = await writer('elsewhere', times)
    expect(await last.tell(`open ${path}`)).toBe('open')
    expect(await last.tell('close')).toBe('closed')
    expect(await verdict(path)).toBe('UNANCHORED')
    // A probe of the file system's time may be left, until the next one.
    const left = readdirSync(join(path, '..')).filter((name) => name.includes('.lock'))
    expect(left.filter((name) => name !== 'audit.jsonl.lock.now')).toEqual([])
  }, 60_000)
})

describe.skipIf(!hasCommand('unshare', '-n', 'true'))('in two network namespaces (needs unshare -n)', () => {
  test('the second writer is refused, and told who the first is', async () => {
    const path = newLog('namespaces')
    const times = { silentMs: 1500, beatMs: 100 }
    const holder = await writer('here', times, 'unshare', '-n')
    expect(await holder.tell(`open ${path}`)).toBe('open')
    const outside = await writer('here', times)
    const refused = await outside.tell(`open ${path}`)
    expect(refused).toMatch(/^ERR_AUDIT_LOCKED/)
    expect(refused).toContain(`process ${holder.child.pid} on `)
    await holder.kill()
    // Outside, nothing tells that it is gone but its silence.
    expect(await outside.tell(`open ${path}`)).toMatch(/^ERR_AUDIT_LOCKED/)
    await wait(1700)
    expect(await outside.tell(`open ${path}`)).toBe('open')
    expect(await outside.tell('close')).toBe('closed')
    expect(await verdict(path)).toBe('UNANCHORED')
  })
})

describe.skipIf(process.platform !== 'linux')('in one network namespace', () => {
  test('what a killed writer leaves is taken at once', async () => {
    const path = newLog('namespace')
    for (let round = 0; round < 5; round++) {
      const holder = await writer('here')
      expect(await holder.tell(`open ${path}`)).toBe('open')
      expect(await holder.tell('write')).toBe('written')
      await holder.kill()
      expect(existsSync(`${path}.lock`)).toBe(true)
    }
    expect(await verdict(path)).toBe('UNANCHORED')
  })
})

test.each([
  ['exit', 3],
  ['throw', 1],
  ['end', 0],
])('a process that leaves by %s with its log open takes its lock file with it', async (way, status) => {
  const path = newLog(`leaves-${way}`)
  expect((await runNode(leaving, [path, 'os', way])).status).toBe(status)
  expect(readdirSync(join(path, '..'))).toEqual(['audit.jsonl'])
})
