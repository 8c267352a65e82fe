import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { AuditRecord } from 'writ'
import { bundle } from '../support/child.js'

const root = join(import.meta.dirname, '../..')

/** A server of npm that nobody here wrote. */
export const realServer = (name: 'filesystem' | 'everything' | 'memory'): string =>
  join(root, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`)

/** The server of these tests, which does what it is told. */
export const scriptedServer: string = join(import.meta.dirname, 'scripted-server-child.mjs')

/** A message as tests look at it. */
export interface Message {
  readonly jsonrpc?: '2.0'
  readonly id?: unknown
  readonly method?: string
  readonly params?: {
    readonly name?: string
    readonly arguments?: unknown
    readonly protocolVersion?: string
    readonly progressToken?: unknown
    readonly progress?: number
    readonly _meta?: { readonly progressToken?: unknown }
  }
  readonly result?: {
    readonly content?: readonly { readonly type: string; readonly text: string }[]
    readonly isError?: boolean
    readonly tools?: readonly { readonly name: string }[]
    readonly [member: string]: unknown
  }
  readonly error?: { readonly code: number; readonly message: string }
}

/** Why a request was refused, whichever way that is said; empty where it was not. */
export function faultOf({ error, result }: Message): string {
  return error?.message ?? (result?.isError === true ? (result.content?.[0]?.text ?? '') : '')
}

/** The program, in a folder with a contract: what a client of the proxy starts. */
export class ProxyBench {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'writ-mcp-'))
  #program = ''

  async build(): Promise<void> {
    this.#program = await bundle('src/cli/main.ts', this.folder)
  }

  /** The program, and what comes before the arguments of `writ`. */
  get program(): string {
    return this.#program
  }

  at(name: string): string {
    return join(this.folder, name)
  }

  /** Writes a contract with a log of its own. @returns its path, and the log's. */
  contract(name: string, contract: object): { config: string; log: string } {
    const log = this.at(`${name}.jsonl`)
    const config = this.at(`${name}.json`)
    writeFileSync(config, JSON.stringify({ audit: log, ...contract }))
    return { config, log }
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): RawClient {
    const child = spawn(process.execPath, [this.#program, 'mcp', ...args], {
      env: { ...process.env, ...env },
    })
    return new RawClient(child)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A client that sends what it likes. */
export class RawClient {
  readonly child: ChildProcessWithoutNullStreams
  readonly messages: Message[] = []
  readonly closed: Promise<number | null>
  stderr = ''
  #rest = ''
  #isClosed = false
  readonly #heard = new Set<() => void>()

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child
    child.stdin.on('error', () => undefined)
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
      this.#wake()
    })
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split('\n')
      this.#rest = lines.pop() as string
      this.messages.push(...lines.map((line) => JSON.parse(line) as Message))
      this.#wake()
    })
    this.closed = once(child, 'close').then(([status]) => {
      this.#isClosed = true
      this.#wake()
      return status as number | null
    })
  }

  write(text: string | Uint8Array): void {
    this.child.stdin.write(text)
  }

  send(message: Message): void {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  /** The first message that `wanted` is true of. */
  async heard(wanted: (message: Message) => boolean): Promise<Message> {
    await this.until(() => this.messages.some(wanted))
    return this.messages.find(wanted) as Message
  }

  async until(met: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!met() && !this.#isClosed) return
        this.#heard.delete(look)
        if (met()) resolve()
        else reject(new TypeError(`the proxy has ended: ${this.stderr}`))
      }
      this.#heard.add(look)
      look()
    })
  }

  async request(id: string | number, method: string, params: object = {}): Promise<Message> {
    this.send({ id, method, params })
    return this.heard((message) => message.id === id && !('method' in message))
  }

  call(id: string | number, name: string, args: object = {}, meta?: object): Promise<Message> {
    return this.request(id, 'tools/call', {
      name,
      arguments: args,
      ...(meta === undefined ? {} : { _meta: meta }),
    })
  }

  /** Says hello, as a client of 2025-06-18. */
  async hello(): Promise<Message> {
    const answer = await this.request('hello', 'initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    })
    this.send({ method: 'notifications/initialized' })
    return answer
  }

  async leave(): Promise<number | null> {
    this.child.stdin.end()
    return this.closed
  }

  #wake(): void {
    for (const look of [...this.#heard]) look()
  }
}

/** The records of a log, without a line that was cut off. */
export function recordsIn(path: string): AuditRecord[] {
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).trimEnd()
  return whole === '' ? [] : whole.split('\n').map((line) => JSON.parse(line) as AuditRecord)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A process that has ended and that nobody has waited for yet does not run.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when a process has ended. */
export async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await wait(20)
}

/** What a scripted server noted, as lines. */
export async function noted(trace: string, wanted: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = existsSync(trace) ? wanted.exec(readFileSync(trace, 'utf8')) : null
    if (found !== null) return found
    await wait(10)
  }
}
