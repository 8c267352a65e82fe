import { describe } from '../../core/describe.js'
import { readMember, readOptions, readText } from '../../core/guards.js'
import type { AnySession } from '../../index.js'
import type { SessionChoice } from '../metered/find-session.js'
import { Gate } from './gate.js'
import type { GateOptions } from './gate-options.js'
import { isMembers } from './json-rpc.js'
import type { PinCheck } from './pin-check.js'
import type { JsonRpcMessage, McpTransport, SdkTransport } from './transport.js'

export interface GovernOptions extends SessionChoice {
  /** What the server is called here: in the log, in errors and among pinned definitions; 1 to 64 characters. */
  readonly server: string
  /** Whose transport it is. Default: `client`. */
  readonly side?: 'client' | 'server'
  /** Before the name of each of the server's tools, where an agent has the tools of several servers. */
  readonly prefix?: string
  /** The definitions that somebody has accepted. Without it, a server may change what its tools are. */
  readonly pins?: PinCheck
}

const OPTIONS = [
  'server',
  'side',
  'prefix',
  'pins',
  'session',
  'outside',
] as const satisfies readonly (keyof GovernOptions)[]

const MAX_SERVER_LENGTH = 64

/**
 * Puts a contract around the transport of an MCP client, or of a server: `client.connect(govern(transport, …))`.
 * Tools that the session has not are not listed, and every call of one goes through the session. So does what
 * reads resources and prompts, and what a server asks of the client; see {@link METHOD_TOOLS}. What is not known
 * is refused.
 *
 * The session is the one that the call is made in, or `session`. A server's transport has no such: name it.
 *
 * @returns what it was given, governed; the transport itself is left as it is, and MUST NOT be used beside it.
 * @throws TypeError or RangeError for options that are not usable, saying which.
 * @example
 * const client = new Client({ name: 'app', version: '1.0.0' })
 * await client.connect(govern(new StdioClientTransport({ command: 'mcp-server-filesystem', args: ['/srv'] }), { server: 'filesystem' }))
 * await agent.session('alice', () => client.callTool({ name: 'read_text_file', arguments: { path: '/srv/a.txt' } }))
 */
export function govern<T extends SdkTransport>(transport: T, options: GovernOptions): T {
  const given = readOptions('govern', options, OPTIONS)
  const server = readText('govern.server', given.server, MAX_SERVER_LENGTH)
  if (server === '') throw new RangeError('govern.server: expected 1 to 64 characters')
  const { side = 'client', prefix = '', pins, session, outside = 'refuse' } = given
  if (side !== 'client' && side !== 'server') {
    throw new RangeError(`govern.side: expected 'client' or 'server', got ${describe(side)}`)
  }
  if (outside !== 'refuse' && outside !== 'observe') {
    throw new RangeError(`govern.outside: expected 'refuse' or 'observe', got ${describe(outside)}`)
  }
  if (typeof prefix !== 'string') throw new TypeError('govern.prefix: expected a string')
  if (pins !== undefined && typeof readMember(pins, 'check') !== 'function') {
    throw new TypeError('govern.pins: expected an object with the function check')
  }
  if (session !== undefined && typeof session !== 'function' && !isMembers(session)) {
    throw new TypeError('govern.session: expected a session, or a function that gives one')
  }
  const choice: SessionChoice =
    session === undefined ? { outside } : { outside, session: session as unknown as AnySession }
  return new GovernedTransport(transport as McpTransport, side, {
    server,
    prefix,
    pins: pins as PinCheck | undefined,
    ...choice,
  }).face as unknown as T
}

/** The transports that {@link govern} has given. */
const governed = new WeakSet<object>()

/** True for what {@link govern} gave. */
export function isGoverned(transport: unknown): boolean {
  return isMembers(transport) && governed.has(transport)
}

type Handlers = Pick<McpTransport, 'onmessage' | 'onclose' | 'onerror'>

/** A transport as its owner sees it: everything of it is the transport's own but what carries messages. */
class GovernedTransport {
  readonly face: McpTransport
  readonly #transport: McpTransport
  readonly #handlers: Handlers = {}
  readonly #gate: Gate
  readonly #isClient: boolean
  readonly #methods = new Map<unknown, unknown>()
  /** The methods that its owner has put in the place of the transport's. */
  readonly #replaced = new Map<string | symbol, unknown>()
  #closed = false

  constructor(transport: McpTransport, side: 'client' | 'server', options: GateOptions) {
    this.#transport = transport
    this.#isClient = side === 'client'
    const out = (message: JsonRpcMessage, extra?: object): Promise<void> => transport.send(message, extra)
    const back = async (message: JsonRpcMessage, extra?: object): Promise<void> =>
      this.#handlers.onmessage?.(message, extra)
    const report = (error: Error): void => {
      try {
        this.#handlers.onerror?.(error)
      } catch {
        // Who is told of errors has one of its own: there is nobody left to tell.
      }
    }
    const ends = this.#isClient ? { toServer: out, toClient: back } : { toServer: back, toClient: out }
    this.#gate = new Gate(options, { ...ends, report })
    transport.onmessage = (message, extra) => {
      const taken = this.#isClient
        ? this.#gate.fromServer(message, extra)
        : this.#gate.fromClient(message, extra)
      taken.catch((error: unknown) => report(error as Error))
    }
    transport.onerror = report
    transport.onclose = () => {
      this.#ended().catch((error: unknown) => report(error as Error))
    }
    this.face = new Proxy(transport, {
      get: (_, key) => this.#get(key),
      set: (_, key, value) => this.#set(key, value),
    })
    governed.add(this.face)
  }

  #get(key: string | symbol): unknown {
    if (key === 'onmessage' || key === 'onclose' || key === 'onerror') return this.#handlers[key]
    if (this.#replaced.has(key)) return this.#replaced.get(key)
    if (key === 'send') return this.#send
    if (key === 'close') return this.#close
    const value: unknown = Reflect.get(this.#transport, key, this.#transport)
    if (typeof value !== 'function') return value
    // Bound: what is private of a transport is not there on anything that stands for it.
    const bound = this.#methods.get(value) ?? value.bind(this.#transport)
    this.#methods.set(value, bound)
    return bound
  }

  #set(key: string | symbol, value: unknown): boolean {
    if (key === 'onmessage' || key === 'onclose' || key === 'onerror') {
      this.#handlers[key] = value as never
      return true
    }
    // What replaces a method calls the one that it found here: on the transport it would call itself.
    if (typeof value === 'function') this.#replaced.set(key, value)
    else if (!this.#replaced.delete(key)) return Reflect.set(this.#transport, key, value, this.#transport)
    return true
  }

  readonly #send = (message: JsonRpcMessage, extra?: object): Promise<void> =>
    this.#isClient ? this.#gate.fromClient(message, extra) : this.#gate.fromServer(message, extra)

  readonly #close = async (): Promise<void> => {
    await this.#gate.end()
    await this.#transport.close()
  }

  async #ended(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#gate.end()
    this.#handlers.onclose?.()
  }
}
