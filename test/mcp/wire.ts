import type { JsonRpcMessage, McpTransport } from 'writ/mcp'

type Answer = Record<string, unknown>

/** The transport of a client to a server that is a function: what it gives is the result. */
export class ScriptedTransport implements McpTransport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: McpTransport['onmessage']
  /** What has got to the server. */
  readonly sent: JsonRpcMessage[] = []
  readonly extras: (object | undefined)[] = []
  readonly #script: (message: JsonRpcMessage, wire: ScriptedTransport) => Answer | undefined

  constructor(
    script: (message: JsonRpcMessage, wire: ScriptedTransport) => Answer | undefined = () => undefined,
  ) {
    this.#script = script
  }

  async start(): Promise<void> {
    // There is nothing to start.
  }

  async close(): Promise<void> {
    this.onclose?.()
  }

  async send(message: JsonRpcMessage, extra?: object): Promise<void> {
    this.sent.push(message)
    this.extras.push(extra)
    const result = this.#script(message, this)
    if (result !== undefined) this.onmessage?.({ jsonrpc: '2.0', id: message['id'], result })
  }

  /** Says something in the server's place. */
  say(message: unknown): void {
    this.onmessage?.(message as JsonRpcMessage)
  }

  /** What has got to the server, of one method. */
  got(method: string): readonly JsonRpcMessage[] {
    return this.sent.filter((message) => message['method'] === method)
  }
}

/** The bare client end of a governed transport: what comes back, by id. */
export class BareClient {
  readonly got: JsonRpcMessage[] = []
  readonly errors: string[] = []
  readonly transport: McpTransport
  isClosed = false
  readonly #waiting = new Map<unknown, (message: JsonRpcMessage) => void>()
  #id = 0

  constructor(transport: McpTransport) {
    this.transport = transport
    transport.onmessage = (message) => {
      this.got.push(message)
      this.#waiting.get(message['id'])?.(message)
    }
    transport.onerror = (error) => this.errors.push(error.message)
    transport.onclose = () => {
      this.isClosed = true
    }
  }

  /** Sends a request; resolves to the whole answer. */
  async ask(method: string, params: Answer = {}, id: string | number = ++this.#id): Promise<Answer> {
    const answer = new Promise<JsonRpcMessage>((resolve) => this.#waiting.set(id, resolve))
    await this.transport.send({ jsonrpc: '2.0', id, method, params })
    return (await answer) as Answer
  }

  call(name: string, given: unknown = {}, more: Answer = {}): Promise<Answer> {
    return this.ask('tools/call', { name, arguments: given, ...more })
  }
}

/** What a call was answered with, as the model reads it; the message of an error. */
export function textOf(answer: Answer): string {
  const { result, error } = answer as {
    result?: { content?: { text: string }[] }
    error?: { message: string }
  }
  return error === undefined ? (result?.content?.[0]?.text ?? JSON.stringify(result)) : error.message
}

/** A tool as a server lists it. */
export const listed = (name: string, inputSchema: unknown = { type: 'object' }): Answer => ({
  name,
  inputSchema,
})
