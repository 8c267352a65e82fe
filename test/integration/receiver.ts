import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** What the receiver does with a request: a status, or anything else, before or after it has read the body. */
export type Behaviour =
  | number
  | { readonly before: (request: IncomingMessage) => void }
  | ((response: ServerResponse) => void)

/** A webhook receiver on loopback: behaves as it is told, request by request, then answers 204. */
export class Receiver {
  /** Requests whose body has been read. */
  readonly received: Received[] = []
  /** Requests, whatever became of them. */
  requests = 0
  readonly #server: Server
  #port = 0
  readonly #behaviours: Behaviour[]
  #onRequest: (() => void)[] = []

  static async start(...behaviours: Behaviour[]): Promise<Receiver> {
    const receiver = new Receiver(behaviours)
    receiver.#server.listen(0, '127.0.0.1')
    await once(receiver.#server, 'listening')
    receiver.#port = (receiver.#server.address() as AddressInfo).port
    return receiver
  }

  private constructor(behaviours: Behaviour[]) {
    this.#behaviours = behaviours
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => undefined)
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/writ?token=canary`
  }

  /** Everything that has been received, as one file. */
  get text(): string {
    return Buffer.concat(this.received.map(({ body }) => body)).toString()
  }

  /** Resolves when there have been this many requests. */
  async count(requests: number): Promise<void> {
    while (this.requests < requests) await new Promise<void>((resolve) => this.#onRequest.push(resolve))
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const behaviour = this.#behaviours.shift() ?? 204
    if (typeof behaviour === 'object') behaviour.before(request)
    else {
      const headers = request.headers as Record<string, string>
      this.received.push({ method: request.method, path: request.url, headers, body: await buffer(request) })
      if (typeof behaviour === 'number') response.writeHead(behaviour).end()
      else behaviour(response)
    }
    this.requests += 1
    for (const tell of this.#onRequest.splice(0)) tell()
  }
}
