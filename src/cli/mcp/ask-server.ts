import type { JsonRpcMessage, McpTransport } from '../../adapters/mcp/transport.js'
import { VERSION } from '../../core/version.js'
import { CommandFailed, EXIT } from '../cli-io.js'

/** What a server says of itself. */
export interface AskedServer {
  readonly name: string
  readonly version: string | undefined
  /** All its tools, from all pages, as it lists them. */
  readonly tools: readonly unknown[]
}

const PROTOCOL_VERSION = '2025-11-25'
const MAX_PAGES = 1000
const MAX_TOOLS = 10_000
const METHOD_NOT_FOUND = -32_601

/**
 * Asks a server who it is and which tools it has, and leaves.
 *
 * @param timeoutMs for each answer.
 * @throws {@link CommandFailed} when it gives no answer, or one that is none.
 */
export async function askServer(server: McpTransport, timeoutMs = 30_000): Promise<AskedServer> {
  const asking = new Asking(server, timeoutMs)
  try {
    await server.start()
    const hello = await asking.ask('initialize', {
      protocolVersion: PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: 'writ', version: VERSION },
    })
    const { name, version } = readIdentity(hello['serverInfo'])
    await server.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    const hasTools = typeof hello['capabilities'] === 'object' && 'tools' in (hello['capabilities'] ?? {})
    return { name, version, tools: hasTools ? await allTools(asking) : [] }
  } catch (cause) {
    if (cause instanceof CommandFailed) throw cause
    throw failed((cause as Error).message, cause)
  } finally {
    await server.close()
  }
}

async function allTools(asking: Asking): Promise<readonly unknown[]> {
  const tools: unknown[] = []
  const cursors = new Set<unknown>()
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await asking.ask('tools/list', cursor === undefined ? {} : { cursor })
    const listed = answer['tools']
    if (!Array.isArray(listed)) throw failed('its list of tools is no list')
    tools.push(...(listed as unknown[]))
    if (tools.length > MAX_TOOLS) throw failed(`it has more than ${MAX_TOOLS} tools`)
    cursor = answer['nextCursor']
    if (cursor === undefined || cursor === null) return tools
    if (typeof cursor !== 'string' || cursors.has(cursor)) throw failed('the pages of its list have no end')
    cursors.add(cursor)
  }
  throw failed(`its list of tools has more than ${MAX_PAGES} pages`)
}

function readIdentity(value: unknown): Pick<AskedServer, 'name' | 'version'> {
  const { name, version } = (value ?? {}) as { readonly name?: unknown; readonly version?: unknown }
  if (typeof name !== 'string' || name === '') throw failed('it does not say what it is called')
  return { name, version: typeof version === 'string' ? version : undefined }
}

function failed(why: string, cause?: unknown): CommandFailed {
  return new CommandFailed(EXIT.noServer, `the server: ${why}`, { cause })
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void
  readonly reject: (why: CommandFailed) => void
}

/** Questions to a server, one after the other. */
class Asking {
  readonly #server: McpTransport
  readonly #timeoutMs: number
  #id = 0
  #waiting: Waiting | undefined
  #end: CommandFailed | undefined

  constructor(server: McpTransport, timeoutMs: number) {
    this.#server = server
    this.#timeoutMs = timeoutMs
    server.onmessage = (message) => this.#take(message)
    server.onclose = () => this.#stop('it has gone')
    // A line that is no message is no answer, and what it says may be for people.
    server.onerror = () => undefined
  }

  async ask(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    if (this.#end !== undefined) throw this.#end
    const id = ++this.#id
    let timer: ReturnType<typeof setTimeout> | undefined
    const answer = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      this.#waiting = { resolve, reject }
      timer = setTimeout(
        () => reject(failed(`no answer to ${method} within ${this.#timeoutMs} ms`)),
        this.#timeoutMs,
      )
    })
    // It may end while the question is on its way.
    answer.catch(() => undefined)
    try {
      await this.#server.send({ jsonrpc: '2.0', id, method, params })
      return await answer
    } finally {
      clearTimeout(timer)
      this.#waiting = undefined
    }
  }

  #stop(why: string): void {
    this.#end ??= failed(why)
    this.#waiting?.reject(this.#end)
  }

  #take(message: JsonRpcMessage): void {
    const { id, method, result, error } = message
    if (typeof method === 'string') {
      if (id !== undefined) this.#answer(id, method)
      return
    }
    if (id !== this.#id || this.#waiting === undefined) return
    if (typeof result === 'object' && result !== null) {
      this.#waiting.resolve(result as Readonly<Record<string, unknown>>)
    } else {
      const { message: said } = (error ?? {}) as { readonly message?: unknown }
      this.#waiting.reject(failed(`it answered with an error: ${String(said)}`))
    }
  }

  /** What the server asks is not for somebody who only looks. */
  #answer(id: unknown, method: string): void {
    const answer =
      method === 'ping' ? { result: {} } : { error: { code: METHOD_NOT_FOUND, message: 'not here' } }
    void this.#server.send({ jsonrpc: '2.0', id, ...answer }).catch(() => undefined)
  }
}
