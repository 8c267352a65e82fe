import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { measure, report } from './harness.js'

const SERVER = join(process.cwd(), 'node_modules/@modelcontextprotocol/server-everything/dist/index.js')
/** Bundled beside this file by scripts/bench.mjs. */
const WRIT = fileURLToPath(new URL('./writ.mjs', import.meta.url))
const PARALLEL = 50

/** A call of a tool of a real MCP server, bare and behind `writ mcp`. */
export async function benchMcp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-bench-mcp-'))
  const proxied = (durability: string): Promise<Caller> => {
    const config = join(folder, `${durability}.json`)
    const audit = { file: join(folder, `${durability}.jsonl`), durability }
    const budget = { toolCalls: null, denials: null }
    writeFileSync(config, JSON.stringify({ tools: { echo: { message: { maxLength: 100 } } }, budget, audit }))
    return Caller.start([WRIT, 'mcp', '--config', config, '--', process.execPath, SERVER])
  }
  const bare = await Caller.start([SERVER])
  const durable = await proxied('commit')
  const buffered = await proxied('os')
  try {
    const measured = await measure([
      { name: 'bare server', run: () => bare.call() },
      { name: 'writ mcp, on disk before it runs', run: () => durable.call() },
      { name: 'writ mcp, log written by the OS', run: () => buffered.call() },
      { name: `bare server, ${PARALLEL} at once`, operations: PARALLEL, run: () => bare.calls() },
      { name: `writ mcp, on disk, ${PARALLEL} at once`, operations: PARALLEL, run: () => durable.calls() },
    ])
    report(
      'call of an MCP tool, over standard input and output',
      measured,
      'writ mcp, on disk before it runs',
      [{ against: 'bare server' }],
    )
    report(undefined, measured, 'writ mcp, log written by the OS', [{ against: 'bare server' }])
    report(undefined, measured, `writ mcp, on disk, ${PARALLEL} at once`, [
      { against: `bare server, ${PARALLEL} at once` },
    ])
  } finally {
    for (const caller of [bare, durable, buffered]) await caller.stop()
    rmSync(folder, { recursive: true })
  }
}

/** The least that a client is: it says hello and calls one tool. */
class Caller {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting = new Map<number, () => void>()
  #rest = ''
  #lastId = 0

  private constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() as string
      for (const line of lines)
        this.#take(JSON.parse(line) as { id?: number; result?: { isError?: boolean } })
    })
  }

  static async start(args: readonly string[]): Promise<Caller> {
    const caller = new Caller(args)
    await caller.#request('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    })
    caller.#send({ method: 'notifications/initialized' })
    await caller.#request('tools/list', {})
    return caller
  }

  call(): Promise<void> {
    return this.#request('tools/call', { name: 'echo', arguments: { message: 'late delivery' } })
  }

  async calls(): Promise<void> {
    await Promise.all(Array.from({ length: PARALLEL }, () => this.call()))
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin.end()
    await closed
  }

  #request(method: string, params: object): Promise<void> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#send({ id, method, params })
    })
  }

  #send(message: object): void {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  #take({ id, result }: { id?: number; result?: { isError?: boolean } }): void {
    if (id === undefined) return
    if (result === undefined || result.isError === true) throw new TypeError('the call was refused')
    this.#waiting.get(id)?.()
    this.#waiting.delete(id)
  }
}
