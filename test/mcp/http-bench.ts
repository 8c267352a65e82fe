import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Message } from './proxy-bench.js'

/** A request that a server has had. */
export interface Seen {
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly message: Message | undefined
}

export type Answer = (seen: Seen, response: ServerResponse) => void | Promise<void>

/** An HTTP server that answers as a test says, and remembers what it was asked. */
export class HttpBench {
  readonly seen: Seen[] = []
  readonly #server: Server
  #heard: (() => void)[] = []

  private constructor(answer: Answer) {
    this.#server = createServer(async (request, response) => {
      const body = await text(request)
      const seen = {
        method: request.method ?? '',
        headers: request.headers,
        message: body === '' ? undefined : (JSON.parse(body) as Message),
      }
      this.seen.push(seen)
      for (const look of this.#heard) look()
      await answer(seen, response)
    })
  }

  static async start(answer: Answer): Promise<HttpBench> {
    const bench = new HttpBench(answer)
    bench.#server.listen(0, '127.0.0.1')
    await once(bench.#server, 'listening')
    return bench
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`
  }

  /** The first request that `wanted` is true of. */
  async heard(wanted: (seen: Seen) => boolean): Promise<Seen> {
    for (;;) {
      const found = this.seen.find(wanted)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#heard.push(resolve))
    }
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

export function json(response: ServerResponse, message: Message, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
}

/** Begins a stream of events. */
export function stream(response: ServerResponse): (message: Message | undefined, id?: string) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  return (message, id) => {
    const data = message === undefined ? '' : JSON.stringify({ jsonrpc: '2.0', ...message })
    response.write(`${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`)
  }
}

/**
 * A server with the tools `echo` and `slow`; `answer` does what else a test wants, and returns `true` where it
 * has answered.
 */
export function server(answer: (seen: Seen, response: ServerResponse) => boolean | undefined): Answer {
  return (seen, response) => {
    if (answer(seen, response) === true) return
    const { method, message } = seen
    if (method !== 'POST') return void response.writeHead(method === 'GET' ? 405 : 200).end()
    const { id, method: asked, params } = message as Message
    if (asked === 'initialize') {
      const result = {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'http', version: '1' },
      }
      return json(response, { id, result }, { 'mcp-session-id': 'session-1' })
    }
    if (asked === 'tools/list') {
      const tools = ['echo', 'slow'].map((name) => ({ name, inputSchema: { type: 'object' } }))
      return json(response, { id, result: { tools } })
    }
    if (asked === 'tools/call') {
      const content = [{ type: 'text', text: JSON.stringify(params?.arguments) }]
      return json(response, { id, result: { content } })
    }
    response.writeHead(202).end()
  }
}
