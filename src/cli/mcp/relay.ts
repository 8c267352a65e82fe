import type { JsonRpcMessage, McpTransport } from '../../adapters/mcp/transport.js'
import { CONNECTION_CLOSED, INVALID_REQUEST, idOf, isRequest } from './parse-message.js'

/** Who ended a connection. */
export type LeftBy = 'client' | 'server' | 'proxy'

/** Hands the messages of a client to a server and back, and knows which requests have no answer yet. */
export class Relay {
  /** Resolves when one of the two has gone, or {@link end} was called. */
  readonly ended: Promise<LeftBy>
  readonly #client: McpTransport
  readonly #server: McpTransport
  /** Requests of the client without an answer. */
  readonly #open = new Set<string | number>()
  #resolve: (by: LeftBy) => void = () => undefined

  constructor(client: McpTransport, server: McpTransport, complain: (of: LeftBy, error: Error) => void) {
    this.#client = client
    this.#server = server
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
    client.onmessage = (message) => this.#toServer(message)
    server.onmessage = (message) => this.#toClient(message)
    client.onerror = (error) => complain('client', error)
    server.onerror = (error) => complain('server', error)
    client.onclose = () => this.#resolve('client')
    server.onclose = () => this.#resolve('server')
  }

  /** Ends the connection from here. */
  end(): void {
    this.#resolve('proxy')
  }

  #toServer(message: JsonRpcMessage): void {
    const id = isRequest(message) ? idOf(message) : null
    if (id !== null) {
      if (this.#open.has(id)) {
        // The first one keeps its answer: the error goes to nobody's id.
        const error = { code: INVALID_REQUEST, message: `writ: the id ${JSON.stringify(id)} is in use` }
        this.#client.send({ jsonrpc: '2.0', id: null, error }).catch(() => undefined)
        return
      }
      this.#open.add(id)
    }
    this.#server.send(message).catch((error: Error) => {
      if (id === null) this.#server.onerror?.(error)
      else this.#refuse(id, error.message)
    })
  }

  #toClient(message: JsonRpcMessage): void {
    if (!Object.hasOwn(message, 'method')) {
      const id = idOf(message)
      if (id !== null) this.#open.delete(id)
    }
    this.#client.send(message).catch(() => undefined)
  }

  #refuse(id: string | number, why: string): void {
    if (!this.#open.delete(id)) return
    const error = { code: CONNECTION_CLOSED, message: `writ: ${why}` }
    this.#client.send({ jsonrpc: '2.0', id, error }).catch(() => undefined)
  }
}
