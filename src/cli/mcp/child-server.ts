import { Buffer } from 'node:buffer'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { env as ownEnv, platform } from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import type { JsonRpcMessage, McpTransport } from '../../adapters/mcp/transport.js'
import { keepGroup } from './group-keeper.js'
import { MessageLines } from './message-lines.js'
import { parseMessage } from './parse-message.js'
import { endGroup } from './process-group.js'
import { ServerWords } from './server-words.js'
import { ConnectionFailed, type WireError } from './wire-error.js'

/** How a server is started, and what is heard of it. */
export interface ServerOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Most bytes of one message: 16 MiB unless it is said. */
  readonly maxMessageBytes?: number
  /** A line that the server wrote on standard error, at most 4,096 characters of it. */
  readonly onWords?: (line: string) => void
}

export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024

/** What may wait for a server that does not read: several messages of the largest size. */
const MAX_UNREAD_MESSAGES = 8
/** How long a server may take to end once its input has, and how long once it is told to. */
const LEAVE_MS = 400
const TERMINATE_MS = 600
/** A process that the server left behind may hold its output open. */
const DRAIN_MS = 250

/**
 * The transport to a server that runs as a child process, in a process group of its own: one message per line.
 *
 * @example
 * const server = new ChildServer('npx', ['-y', '@modelcontextprotocol/server-filesystem', '.'])
 */
export class ChildServer implements McpTransport {
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  onmessage: ((message: JsonRpcMessage) => void) | undefined
  readonly #command: string
  readonly #args: readonly string[]
  readonly #options: ServerOptions
  readonly #maxMessageBytes: number
  #process: ChildProcess | undefined
  #closing: Promise<void> | undefined
  #release: (() => void) | undefined
  #isOver = false
  #isFinished = false
  /** How it ended, in words; `undefined` while it runs. */
  #end: string | undefined

  constructor(command: string, args: readonly string[], options: ServerOptions = {}) {
    this.#command = command
    this.#args = args
    this.#options = options
    this.#maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES
  }

  /** The process, and the group that it leads. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** How the server ended, in words. */
  get end(): string | undefined {
    return this.#end
  }

  /** @throws {@link ConnectionFailed} when the command cannot be started. */
  async start(): Promise<void> {
    const { env = ownEnv, cwd, onWords } = this.#options
    const child = spawn(this.#command, [...this.#args], {
      env: withoutOwnSecrets(env),
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: what the server starts is ended with it.
      detached: platform !== 'win32',
      windowsHide: true,
    })
    this.#process = child
    // Before the first wait: an event that nobody hears ends the program.
    child.stdin.on('error', () => undefined)
    child.stderr.on('error', () => undefined)
    child.on('error', (error) => this.onerror?.(new ConnectionFailed(error.message, { cause: error })))
    try {
      await once(child, 'spawn')
    } catch (cause) {
      this.#isOver = true
      throw new ConnectionFailed(`the server cannot be started: ${(cause as Error).message}`, { cause })
    }
    this.#release = keepGroup(child.pid as number)
    const words = new ServerWords((line) => onWords?.(line))
    child.stderr.on('data', (chunk: Buffer) => words.push(chunk))
    child.stderr.on('end', () => words.end())
    this.#read(child)
    child.once('exit', (status, signal) => {
      this.#end = signal === null ? `it ended with status ${status}` : `it was ended by ${signal}`
      void this.#over(child)
    })
  }

  /** @throws {@link ConnectionFailed} when the server is gone, or has stopped reading. */
  async send(message: JsonRpcMessage): Promise<void> {
    const stdin = this.#process?.stdin
    if (this.#isOver || this.#closing !== undefined || stdin === null || stdin === undefined) {
      throw new ConnectionFailed('the server is gone')
    }
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
    if (stdin.writableLength + bytes.length > this.#maxMessageBytes * MAX_UNREAD_MESSAGES) {
      throw new ConnectionFailed('the server does not read what it is sent')
    }
    await new Promise<void>((resolve, reject) => {
      stdin.write(bytes, (cause) => {
        if (cause) reject(new ConnectionFailed('the server is gone', { cause }))
        else resolve()
      })
    })
  }

  /** Ends the input of the server, then its whole group: by SIGTERM, and by SIGKILL what stays. */
  close(): Promise<void> {
    this.#closing ??= this.#stop()
    return this.#closing
  }

  async #stop(): Promise<void> {
    const child = this.#process
    if (child === undefined || this.#isOver) return this.#finish()
    this.#isOver = true
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.stdin?.end()
    if (exited !== undefined) {
      await Promise.race([exited, unheld(LEAVE_MS)])
      if (child.exitCode === null && child.signalCode === null) {
        endGroup(child, 'SIGTERM')
        await Promise.race([exited, unheld(TERMINATE_MS)])
      }
    }
    endGroup(child, 'SIGKILL')
    await exited
    this.#finish()
  }

  #read(child: ChildProcess): void {
    const lines = new MessageLines(this.#maxMessageBytes)
    child.stdout?.on('error', () => undefined)
    child.stdout?.on('data', (chunk: Buffer) => {
      if (this.#closing !== undefined) return
      try {
        lines.push(chunk, (line) => this.#take(line))
      } catch (error) {
        this.onerror?.(error as Error)
        void this.close()
      }
    })
    child.stdout?.on('end', () => {
      if (lines.isInsideLine) this.onerror?.(new ConnectionFailed('the server ended within a message'))
    })
  }

  #take(line: string | WireError): void {
    if (this.#closing !== undefined) return
    let message: JsonRpcMessage
    try {
      if (typeof line !== 'string') throw line
      message = parseMessage(line)
    } catch (error) {
      // Servers print on standard output what belongs on standard error. Each message stands alone.
      this.onerror?.(error as Error)
      return
    }
    this.onmessage?.(message)
  }

  /** The server has ended by itself, or was ended: what it still had to say is heard first. */
  async #over(child: ChildProcess): Promise<void> {
    this.#isOver = true
    const stdout = child.stdout
    if (stdout !== null && !stdout.closed) await Promise.race([once(stdout, 'close'), unheld(DRAIN_MS)])
    endGroup(child, 'SIGKILL')
    this.#finish()
  }

  #finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#release?.()
    this.#release = undefined
    for (const stream of this.#process?.stdio ?? []) stream?.destroy()
    this.onclose?.()
  }
}

/** A time that holds nothing up once what it bounds has happened. */
function unheld(ms: number): Promise<void> {
  return wait(ms, undefined, { ref: false })
}

/** Keys of the log and of approvals are the proxy's: the server that it keeps in check gets none of them. */
function withoutOwnSecrets(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.toUpperCase().startsWith('WRIT_')))
}
