import type { AnySession } from '../../index.js'
import { type AskForTools, DeclaredTools } from './declared-tools.js'
import type { Refusal } from './forwarded-call.js'
import { isMembers, type Members } from './json-rpc.js'
import type { Delivered, Lane } from './lane.js'
import type { PinCheck } from './pin-check.js'
import { isMcpTool } from './probe.js'
import { readToolName } from './tool-name.js'
import type { JsonRpcMessage } from './transport.js'

/** A page of tools has this long to come. */
const LIST_TIMEOUT_MS = 30_000

/** What a transport is told of one request alone. */
const OF_ONE_REQUEST: ReadonlySet<string> = new Set([
  'headers',
  'onRequestStreamEnd',
  'onresumptiontoken',
  'requestSignal',
  'resumptionToken',
])

/** The tools of the server behind a lane: asked for, compared with what was accepted, and filtered. */
export class ServerTools {
  readonly #lane: Lane
  readonly #prefix: string
  readonly #declared: DeclaredTools
  /** Ids of our own: nobody else can guess them. */
  readonly #ids = `writ-${crypto.randomUUID()}`
  #asked = 0
  #serverInfo: Members | undefined

  constructor(
    lane: Lane,
    options: { readonly server: string; readonly prefix: string; readonly pins: PinCheck | undefined },
    report: (error: Error) => void,
  ) {
    const { server, prefix, pins } = options
    this.#lane = lane
    this.#prefix = prefix
    const identity = () => ({
      server,
      name: textOf(this.#serverInfo?.['name']),
      version: textOf(this.#serverInfo?.['version']),
    })
    this.#declared = new DeclaredTools(identity, pins, prefix, report)
  }

  /** The server says that its tools have changed. */
  forget(): void {
    this.#declared.forget()
  }

  /** What a server says of itself, in an answer of either era. */
  readServerInfo({ result }: JsonRpcMessage): void {
    if (!isMembers(result)) return
    const { serverInfo, _meta: meta } = result
    const stateless = isMembers(meta) ? meta['io.modelcontextprotocol/serverInfo'] : undefined
    if (isMembers(serverInfo)) this.#serverInfo = serverInfo
    else if (isMembers(stateless)) this.#serverInfo = stateless
  }

  /** See {@link DeclaredTools.refusalOf}. `params` and `extra` are those of the call. */
  refusalOf(
    name: string,
    input: unknown,
    params: Members,
    extra: object | undefined,
  ): Promise<Refusal | undefined> {
    return this.#declared.refusalOf(name, input, this.#asker(params, extra))
  }

  /** An answer to `tools/list` with those of its tools that the session has. */
  async filter(
    session: AnySession,
    answer: Delivered,
    params: Members,
    extra: object | undefined,
  ): Promise<Delivered> {
    const { message } = answer
    const { result } = message
    if (!isMembers(result)) return answer
    if (!Array.isArray(result['tools'])) throw new TypeError('the answer to tools/list is no list of tools')
    const shown = await this.#declared.shown(result['tools'], this.#asker(params, extra))
    const tools: unknown[] = []
    for (const tool of shown) {
      const own = readToolName(String((tool as Members)['name']), this.#prefix)
      if (own !== undefined && session.state === 'open' && (await isMcpTool(session, own))) tools.push(tool)
    }
    // The next session may have others: a client that keeps this one would show them the wrong tools.
    const uncached = 'ttlMs' in result ? { ttlMs: 0, cacheScope: 'private' } : {}
    return { message: { ...message, result: { ...result, ...uncached, tools } }, extra: answer.extra }
  }

  /** Asks for the tools as whoever asks here does: a server of the stateless protocol knows nobody else. */
  #asker({ _meta: meta }: Members, extra: object | undefined): AskForTools {
    const { progressToken: _, ...kept } = isMembers(meta) ? meta : {}
    const shared =
      extra && Object.fromEntries(Object.entries(extra).filter(([key]) => !OF_ONE_REQUEST.has(key)))
    return async (cursor) => {
      this.#asked += 1
      const id = `${this.#ids}-${this.#asked}`
      const params = {
        ...(cursor === undefined ? {} : { cursor }),
        ...(meta === undefined ? {} : { _meta: kept }),
      }
      const request = { jsonrpc: '2.0', id, method: 'tools/list', params }
      const { sent, answer } = this.#lane.ask(id, request, shared)
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          this.#lane.forget(id)
          reject(new RangeError(`it did not answer tools/list within ${LIST_TIMEOUT_MS} ms`))
        }, LIST_TIMEOUT_MS)
      })
      try {
        await Promise.race([sent, late])
        const { message } = await Promise.race([answer, late])
        this.readServerInfo(message)
        if ('error' in message) throw new TypeError('it answered tools/list with an error')
        return message['result']
      } finally {
        clearTimeout(timer)
      }
    }
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
