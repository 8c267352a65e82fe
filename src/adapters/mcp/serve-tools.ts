import { readMember, readOptions, readText } from '../../core/guards.js'
import type { AnySession, McpToolSchema, Session, ToolSet } from '../../index.js'
import { failureAnswer, isModern, toolErrorAnswer } from './answers.js'
import {
  classify,
  errorAnswer,
  isMembers,
  METHOD_NOT_FOUND,
  type Members,
  type RequestId,
} from './json-rpc.js'
import { CallCancelled, ConnectionEnded } from './lane.js'
import { servedMembers, servedResult } from './tool-definition.js'
import type { JsonRpcMessage, McpTransport, SdkTransport } from './transport.js'

export interface ServeToolsOptions {
  /** For whom: see `agent.session`. */
  readonly user: string
  /** What the server calls itself, to whoever connects. */
  readonly name: string
  readonly version: string
  /** The tools that the agent was made with: adds what a schema does not hold, such as annotations. */
  readonly tools?: ToolSet
}

/** Whose tools are served: an `Agent` of this package. */
interface ToolOwner {
  toolSchemas(format: 'mcp'): readonly McpToolSchema[]
  session(user: string, callback: (session: AnySession) => Promise<void>): Promise<void>
}

const OPTIONS = ['user', 'name', 'version', 'tools'] as const satisfies readonly (keyof ServeToolsOptions)[]

const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
const MODERN_VERSION = '2026-07-28'
const INVALID_PARAMS = -32602
const UNSUPPORTED_VERSION = -32022
const META = 'io.modelcontextprotocol/'

/**
 * An agent's tools as an MCP server: the connection is one session, and every call of it goes through that. It
 * speaks the protocol with a handshake and the stateless one, needs no SDK, and offers tools alone.
 *
 * @param transport the server's end of a connection, which is started here.
 * @returns when the connection is over. The session's end is on record by then.
 * @throws what ended the session, when it was killed; the connection is closed by then. TypeError or RangeError
 *   for options that are not usable.
 * @example
 * await serveTools(agent, new StdioServerTransport(), { user: 'alice', name: 'orders', version: '1.0.0' })
 */
export async function serveTools(
  agent: ToolOwner,
  transport: SdkTransport,
  options: ServeToolsOptions,
): Promise<void> {
  if (typeof readMember(agent, 'toolSchemas') !== 'function') {
    throw new TypeError('serveTools: expected an Agent of writ')
  }
  const { user, name, version, tools: made = {} } = readOptions('serveTools', options, OPTIONS)
  const info = {
    name: readText('serveTools.name', name, 256),
    version: readText('serveTools.version', version, 256),
  }
  if (!isMembers(made)) throw new TypeError('serveTools.tools: expected an object of tools')
  const tools = agent.toolSchemas('mcp').map((schema) => {
    if (schema.inputSchema['type'] !== 'object') {
      throw new RangeError(`serveTools: MCP wants an object as input, which that of ${schema.name} is not`)
    }
    const own = Object.hasOwn(made, schema.name) ? (made as ToolSet)[schema.name] : undefined
    return { ...schema, ...servedMembers(own) }
  })
  await agent.session(user as string, (session) =>
    new ToolServer(session, transport as McpTransport, tools, info).serve(),
  )
}

/** One connection. */
class ToolServer {
  readonly #session: AnySession
  readonly #transport: McpTransport
  readonly #tools: readonly Members[]
  readonly #info: Members
  readonly #open = new Map<RequestId, AbortController>()
  readonly #running = new Set<Promise<void>>()
  #calls = 0

  constructor(session: AnySession, transport: McpTransport, tools: readonly Members[], info: Members) {
    this.#session = session
    this.#transport = transport
    this.#tools = tools
    this.#info = info
  }

  async serve(): Promise<void> {
    const transport = this.#transport
    const { signal } = this.#session
    let over: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      over = resolve
    })
    transport.onmessage = (message) => this.#take(message)
    transport.onclose = over
    signal.addEventListener('abort', over, { once: true })
    try {
      await transport.start()
      await ended
    } finally {
      signal.removeEventListener('abort', over)
      for (const call of this.#open.values()) call.abort(new ConnectionEnded('the connection has ended'))
      await Promise.allSettled(this.#running)
      await transport.close().catch(() => undefined)
    }
  }

  #take(message: JsonRpcMessage): void {
    const found = classify(message)
    if (found.kind === 'notification' && found.method === 'notifications/cancelled') {
      this.#open.get(found.params['requestId'] as RequestId)?.abort(new CallCancelled('cancelled'))
    }
    // Nothing is asked of a client, so nothing can be answered; and what is malformed has no answer.
    if (found.kind !== 'request' || this.#open.has(found.id)) return
    const { id, method, params } = found
    const cancel = new AbortController()
    this.#open.set(id, cancel)
    const running = this.#answer(id, method, params, cancel.signal)
      .catch((error: unknown) => failureAnswer(id, error))
      .then(async (answer) => {
        this.#open.delete(id)
        if (!(cancel.signal.reason instanceof CallCancelled)) await this.#transport.send(answer)
      })
      .catch(() => undefined)
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  async #answer(
    id: RequestId,
    method: string,
    params: Members,
    signal: AbortSignal,
  ): Promise<JsonRpcMessage> {
    const modern = isModern(params)
    const asked = modern ? (params['_meta'] as Members)[`${META}protocolVersion`] : MODERN_VERSION
    if (asked !== MODERN_VERSION) {
      const data = { supported: [MODERN_VERSION], requested: String(asked) }
      return errorAnswer(id, UNSUPPORTED_VERSION, 'Unsupported protocol version', data)
    }
    const answer = (result: Members): JsonRpcMessage => {
      const own = modern ? { resultType: 'complete', _meta: { [`${META}serverInfo`]: this.#info } } : {}
      return { jsonrpc: '2.0', id, result: { ...own, ...result } }
    }
    // The next connection is another session.
    const uncached = modern ? { ttlMs: 0, cacheScope: 'private' } : {}
    switch (method) {
      case 'ping':
        return answer({})
      case 'initialize':
        return answer({
          protocolVersion:
            LEGACY_VERSIONS.find((each) => each === params['protocolVersion']) ?? LEGACY_VERSIONS[0],
          capabilities: { tools: {} },
          serverInfo: this.#info,
        })
      case 'server/discover':
        return answer({ supportedVersions: [MODERN_VERSION], capabilities: { tools: {} }, ...uncached })
      case 'tools/list':
        return answer({ tools: this.#tools, ...uncached })
      case 'tools/call':
        return this.#call(id, params, signal, answer)
      default:
        return errorAnswer(id, METHOD_NOT_FOUND, `${method.slice(0, 100)} is not offered`)
    }
  }

  async #call(
    id: RequestId,
    params: Members,
    signal: AbortSignal,
    answer: (result: Members) => JsonRpcMessage,
  ): Promise<JsonRpcMessage> {
    const { name, arguments: input = {} } = params
    if (typeof name !== 'string' || !isMembers(input)) {
      return errorAnswer(id, INVALID_PARAMS, 'tools/call: expected a name and an object of arguments')
    }
    this.#calls += 1
    const request = { id: `mcp/${this.#calls}`, name, input }
    const result = await (this.#session as Session).dispatch(request, { signal })
    return result.ok
      ? answer(servedResult(result.output))
      : toolErrorAnswer(id, result.denial.message, isModern(params))
  }
}
