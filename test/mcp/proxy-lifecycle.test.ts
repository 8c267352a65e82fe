import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AuditRecord } from 'writ'
import { verifyLog } from 'writ/verify'
import {
  faultOf,
  gone,
  isAlive,
  noted,
  ProxyBench,
  type RawClient,
  realServer,
  recordsIn,
  scriptedServer,
} from './proxy-bench.js'

const bench = new ProxyBench()
beforeAll(() => bench.build(), 60_000)
afterAll(() => bench.remove())

interface Running {
  readonly client: RawClient
  readonly log: string
  readonly trace: string
  /** The process of the server. */
  readonly server: number
}

async function running(name: string, env: Record<string, string> = {}): Promise<Running> {
  const { config, log } = bench.contract(name, { tools: { echo: true, hold: true, die: true, spawn: true } })
  const trace = bench.at(`${name}.trace`)
  const client = bench.start(['--config', config, '--', process.execPath, scriptedServer, trace], env)
  await client.hello()
  const server = Number((await noted(trace, /^pid (\d+)$/m))[1])
  return { client, log, trace, server }
}

/** Makes a call that the server has and does not answer. */
async function holds({ client, trace }: Running, id: number): Promise<void> {
  client.send({ id, method: 'tools/call', params: { name: 'hold', arguments: {} } })
  await noted(trace, /^tools\/call .* hold$/m)
}

/** What happened, without what an abandoned call did afterwards. */
const eventsOf = (records: readonly AuditRecord[]): string[] =>
  records.filter(({ payload }) => payload['late'] !== true).map(({ event }) => event)

async function findingsOf(log: string): Promise<{ verdict: string; kinds: string[] }> {
  const { verdict, findings } = await verifyLog(readFileSync(log))
  return { verdict, kinds: findings.map(({ kind }) => kind) }
}

describe('the client leaves', () => {
  test('in the middle of a call: the server is ended, the call and the session are on record', async () => {
    const run = await running('leaves')
    await holds(run, 1)
    expect(await run.client.leave()).toBe(0)
    expect(isAlive(run.server)).toBe(false)
    const records = recordsIn(run.log)
    expect(eventsOf(records)).toEqual([
      'log_open',
      'session_start',
      'tool_call',
      'tool_result',
      'session_end',
      'log_close',
    ])
    expect(records[3]?.payload).toMatchObject({ ok: false })
    expect((await findingsOf(run.log)).kinds).not.toContain('calls_in_doubt')
  })

  test('killed with SIGKILL: no process stays', async () => {
    const { config, log } = bench.contract('killed-client', { tools: { hold: true } })
    const trace = bench.at('killed-client.trace')
    const args = [bench.program, 'mcp', '--config', config, '--', process.execPath, scriptedServer, trace]
    // A client of its own, that nothing but its end tells the proxy of.
    const script = `
      const { spawn } = require('node:child_process')
      const proxy = spawn(process.execPath, ${JSON.stringify(args)}, { stdio: ['pipe', 'pipe', 'ignore'] })
      const send = (message) => proxy.stdin.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
      send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } } })
      proxy.stdout.once('data', () => {
        send({ method: 'notifications/initialized' })
        send({ id: 1, method: 'tools/call', params: { name: 'hold', arguments: {} } })
      })
      process.send(proxy.pid)`
    const client = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const proxy = await new Promise<number>((resolve) =>
      client.once('message', (pid) => resolve(Number(pid))),
    )
    await noted(trace, /^tools\/call .* hold$/m)
    const server = Number((await noted(trace, /^pid (\d+)$/m))[1])
    client.kill('SIGKILL')
    await Promise.all([gone(proxy), gone(server)])
    expect(eventsOf(recordsIn(log)).slice(-3)).toEqual(['tool_result', 'session_end', 'log_close'])
  })

  test('a server that ends neither with its input nor when it is told to is killed', async () => {
    const run = await running('stubborn', { STUBBORN: '1' })
    await run.client.leave()
    await noted(run.trace, /^end of input$/m)
    await noted(run.trace, /^sigterm$/m)
    expect(isAlive(run.server)).toBe(false)
  })

  test('what the server has started is ended with it', async () => {
    const run = await running('family')
    await run.client.call(1, 'spawn')
    const grandchild = Number((await noted(run.trace, /^grandchild (\d+)$/m))[1])
    expect(isAlive(grandchild)).toBe(true)
    await run.client.leave()
    await gone(grandchild)
  })
})

describe('the server dies', () => {
  test.each<[how: string, end: (run: Running) => void, says: RegExp]>([
    [
      'by itself',
      ({ client }) =>
        client.send({ id: 9, method: 'tools/call', params: { name: 'die', arguments: { status: 3 } } }),
      /ended with status 3/,
    ],
    ['by SIGKILL', ({ server }) => process.kill(server, 'SIGKILL'), /ended by SIGKILL/],
  ])(
    '%s: calls in flight are answered with an error and recorded, and the proxy ends',
    async (how, end, says) => {
      const run = await running(`dies ${how}`)
      await holds(run, 1)
      end(run)
      const answer = await run.client.heard(({ id }) => id === 1)
      expect(faultOf(answer)).not.toBe('')
      expect(await run.client.closed).toBe(69)
      expect(run.client.stderr).toMatch(says)
      const records = recordsIn(run.log)
      const calls = records.filter(({ event }) => event === 'tool_call').length
      expect(eventsOf(records).filter((event) => event === 'tool_result')).toHaveLength(calls)
      expect(eventsOf(records).slice(-2)).toEqual(['session_end', 'log_close'])
      expect((await findingsOf(run.log)).verdict).toBe('UNANCHORED')
    },
  )
})

describe('the proxy is ended', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('by %s: as when the client leaves', async (signal) => {
    const run = await running(`told ${signal}`)
    await holds(run, 1)
    run.client.child.kill(signal)
    expect(await run.client.closed).toBe(0)
    await gone(run.server)
    expect(eventsOf(recordsIn(run.log)).slice(-3)).toEqual(['tool_result', 'session_end', 'log_close'])
  })

  test('by SIGKILL in the middle of a call: no server stays, and the log names the call in doubt', async () => {
    const run = await running('killed', { STUBBORN: '1' })
    await run.client.call(1, 'spawn')
    const grandchild = Number((await noted(run.trace, /^grandchild (\d+)$/m))[1])
    await holds(run, 2)
    run.client.child.kill('SIGKILL')
    await Promise.all([run.client.closed, gone(run.server), gone(grandchild)])
    const { verdict, kinds } = await findingsOf(run.log)
    expect(['UNANCHORED', 'CRASH_DAMAGED']).toContain(verdict)
    const open = recordsIn(run.log)
      .filter(({ event }) => event === 'tool_call')
      .at(-1)
    expect(open?.payload).toMatchObject({ tool: 'hold' })
    expect(kinds).toContain('calls_open')
    // The next proxy goes on with the log: from then on, nobody knows what became of the call.
    const again = bench.start(['--config', bench.at('killed.json'), '--', process.execPath, scriptedServer])
    await again.hello()
    expect(await again.leave()).toBe(0)
    expect(await findingsOf(run.log)).toMatchObject({
      verdict: 'UNANCHORED',
      kinds: expect.arrayContaining(['calls_in_doubt']),
    })
  })

  test.each(['filesystem', 'everything', 'memory'] as const)(
    'by SIGKILL: server-%s does not stay',
    async (name) => {
      const { config } = bench.contract(`orphan-${name}`, { tools: {} })
      const args = name === 'filesystem' ? [bench.folder] : []
      const command = ['--config', config, '--', process.execPath, realServer(name), ...args]
      const client = bench.start(command, { MEMORY_FILE_PATH: bench.at('memory.jsonl') })
      await client.hello()
      const [server] = childrenOf(client.child.pid as number)
      expect(isAlive(server as number)).toBe(true)
      client.child.kill('SIGKILL')
      await gone(server as number)
    },
  )
})

/** The processes that one has started, the oldest first. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
