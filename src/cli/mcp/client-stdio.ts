import { Buffer } from 'node:buffer'
import { setTimeout as wait } from 'node:timers/promises'
import type { JsonRpcMessage, McpTransport } from '../../adapters/mcp/transport.js'
import type { Output } from '../cli-io.js'
import { MessageLines } from './message-lines.js'
import { parseMessage } from './parse-message.js'
import { ConnectionFailed, WireError } from './wire-error.js'

/** What may wait for a client that does not read: several messages of the largest size. */
const MAX_UNREAD_MESSAGES = 8
/** How long a client has to read the last answers. */
const LAST_WORDS_MS = 500

/** The client at the other end of standard input and output. */
export class ClientStdio implements McpTransport {
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  onmessage: ((message: JsonRpcMessage) => void) | undefined
  readonly #input: AsyncIterable<Uint8Array>
  readonly #output: Output
  readonly #maxMessageBytes: number
  #unreadBytes = 0
  #lastWrite: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(input: AsyncIterable<Uint8Array>, output: Output, maxMessageBytes: number) {
    this.#input = input
    this.#output = output
    this.#maxMessageBytes = maxMessageBytes
  }

  async start(): Promise<void> {
    void this.#read()
  }

  /** @throws {@link ConnectionFailed} when the client is gone, or has stopped reading. */
  async send(message: JsonRpcMessage): Promise<void> {
    if (this.#isClosed) throw new ConnectionFailed('the client is gone')
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
    this.#unreadBytes += bytes.length
    if (this.#unreadBytes > this.#maxMessageBytes * MAX_UNREAD_MESSAGES) {
      const error = new ConnectionFailed('the client does not read what it is sent')
      this.#end(error)
      throw error
    }
    const write = this.#output.write(bytes)
    this.#lastWrite = write.catch(() => undefined)
    try {
      await write
    } catch (cause) {
      const error = new ConnectionFailed('the client is gone', { cause })
      this.#end()
      throw error
    }
    this.#unreadBytes -= bytes.length
  }

  async close(): Promise<void> {
    this.#end()
    const isRead = await Promise.race([
      this.#lastWrite.then(() => true),
      wait(LAST_WORDS_MS, false, { ref: false }),
    ])
    // Whoever reads nothing any more would keep the program for ever.
    if (!isRead) this.#output.drop?.()
  }

  async #read(): Promise<void> {
    const lines = new MessageLines(this.#maxMessageBytes)
    try {
      for await (const chunk of this.#input) {
        if (this.#isClosed) return
        lines.push(chunk, (line) => this.#take(line))
      }
    } catch (error) {
      this.#complain(error as Error)
    }
    this.#end()
  }

  #take(line: string | WireError): void {
    if (this.#isClosed) return
    try {
      if (typeof line !== 'string') throw line
      const message = parseMessage(line)
      this.onmessage?.(message)
    } catch (error) {
      this.#complain(error as Error)
    }
  }

  /** Tells the client what it sent; whoever listens hears it too. */
  #complain(error: Error): void {
    if (error instanceof WireError) {
      const { code, id } = error
      const answer = { jsonrpc: '2.0', id, error: { code, message: `writ: ${error.message}` } }
      this.send(answer).catch(() => undefined)
    }
    this.onerror?.(error)
  }

  #end(error?: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (error !== undefined) this.onerror?.(error)
    this.onclose?.()
  }
}
