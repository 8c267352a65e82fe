import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Agent, AuditLocked, AuditSink } from 'writ'
import { verifyLog } from 'writ/verify'

const CHILD = join(import.meta.dirname, 'lock-child.ts')
const LOCKED = `ERR_AUDIT_LOCKED process ${process.pid} on `

let folder: string
let path: string
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-lock-'))
  path = join(folder, 'audit.jsonl')
})

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child)
  rmSync(folder, { recursive: true })
})

/** Starts another process on the log; resolves with what it says. */
async function start(...args: string[]): Promise<{ said: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  return { said: chunk.toString().trim(), child }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function agent(): Agent {
  return new Agent({ identity: 'lock-test', budget: { toolCalls: 1 }, audit: AuditSink.file(path) })
}

describe.skipIf(process.platform !== 'linux')('one writer on this machine', () => {
  test('a second process is refused while the first holds the log, and nothing is written by it', async () => {
    const holder = agent()
    // Everything that is appended is with the kernel after the first turn of the event loop.
    await new Promise(setImmediate)
    const before = await size()
    expect((await start()).said).toContain(LOCKED)
    expect(await size()).toBe(before)
    await holder.close()
  })

  test('a worker thread of the same process is refused', async () => {
    const holder = agent()
    const worker = new Worker(
      `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(CHILD)}) })`,
      { eval: true, argv: [path] },
    )
    const [said] = (await once(worker, 'message')) as [string]
    await worker.terminate()
    expect(said).toContain(LOCKED)
    await holder.close()
  })

  test('the log is free the moment its holder is killed, and the chain goes on', async () => {
    const { said, child } = await start()
    expect(said).toBe('open')
    expect(agent).toThrow(AuditLocked)
    await kill(child)
    await agent().close()
    expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 3 })
  })

  test('a holder whose event loop is blocked keeps it', async () => {
    const { said, child } = await start('block')
    expect(said).toBe('open')
    expect(agent).toThrow(
      expect.objectContaining({
        code: 'ERR_AUDIT_LOCKED',
        holder: expect.stringContaining(`process ${child.pid} on `),
      }),
    )
  })

  test('closing gives it back at once', async () => {
    for (let round = 0; round < 3; round++) await agent().close()
    expect((await start()).said).toBe('open')
  })
})

async function size(): Promise<number> {
  return (await verifyLog(readFileSync(path))).size
}
