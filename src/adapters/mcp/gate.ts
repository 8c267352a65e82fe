import { type AnySession, NoSession } from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import { failureAnswer } from './answers.js'
import { type AskForTools, DeclaredTools } from './declared-tools.js'
import { type Governed, governRequest } from './governed-request.js'
import { classify, errorAnswer, isMembers, METHOD_NOT_FOUND, type RequestId } from './json-rpc.js'
import { ConnectionEnded, type Deliver, type Delivered, Lane } from './lane.js'
import * as methods from './methods.js'
import type { PinCheck } from './pin-check.js'
import { readToolName } from './tool-name.js'
import type { JsonRpcMessage } from './transport.js'

type Members = Readonly<Record<string, unknown>>

export interface GateOptions extends SessionChoice {
  readonly server: string
  readonly prefix: string
  readonly pins: PinCheck | undefined
}

/** The two ends of a connection. */
export interface Ends {
  readonly toServer: Deliver
  readonly toClient: Deliver
  readonly report: (error: Error) => void
}

/** What may come from one end without asking the contract, and what may come after asking it. */
interface Rules {
  readonly lane: Lane
  /** Who sends here: for errors. */
  readonly from: 'client' | 'server'
  readonly passed: ReadonlySet<string>
  readonly told: ReadonlySet<string>
  readonly tools: ReadonlyMap<string, string>
}

/** A page of tools has this long to come. */
const LIST_TIMEOUT_MS = 30_000

/** Tells calls apart in the log of a session, whatever connections it has. */
let labels = 0

/** What stands between a client and a server: every message of either passes here, or does not pass. */
export class Gate {
  readonly #options: GateOptions
  readonly #report: (error: Error) => void
  readonly #client: Rules
  readonly #server: Rules
  readonly #declared: DeclaredTools
  readonly #running = new Set<Promise<void>>()
  /** Ids of our own: nobody else can guess them. */
  readonly #ids = `writ-${crypto.randomUUID()}`
  #ownRequests = 0
  #serverInfo: Members | undefined

  constructor(options: GateOptions, { toServer, toClient, report }: Ends) {
    this.#options = options
    this.#report = report
    this.#client = {
      lane: new Lane(toServer, toClient),
      from: 'client',
      passed: methods.PASSED_TO_SERVER,
      told: methods.TOLD_TO_SERVER,
      tools: methods.ASKED_OF_SERVER,
    }
    this.#server = {
      lane: new Lane(toClient, toServer),
      from: 'server',
      passed: methods.PASSED_TO_CLIENT,
      told: methods.TOLD_TO_CLIENT,
      tools: methods.ASKED_OF_CLIENT,
    }
    const identity = () => ({
      server: options.server,
      name: textOf(this.#serverInfo?.['name']),
      version: textOf(this.#serverInfo?.['version']),
    })
    this.#declared = new DeclaredTools(identity, options.pins, options.prefix, report)
  }

  /** Takes what the client sends. Rejects when something that needs no decision cannot be handed on. */
  fromClient(message: JsonRpcMessage, extra?: object): Promise<void> {
    return this.#take(this.#client, this.#server, { message, extra })
  }

  /** Takes what the server sends. */
  fromServer(message: JsonRpcMessage, extra?: object): Promise<void> {
    return this.#take(this.#server, this.#client, { message, extra })
  }

  /** The connection is over: what is under way is stopped, and answered with that. */
  async end(): Promise<void> {
    const ended = new ConnectionEnded('the connection has ended')
    this.#client.lane.end(ended)
    this.#server.lane.end(ended)
    await Promise.allSettled(this.#running)
  }

  async #take(rules: Rules, others: Rules, delivered: Delivered): Promise<void> {
    const { message, extra } = delivered
    const found = classify(message)
    switch (found.kind) {
      case 'malformed':
        return this.#drop(rules, `a message that is no JSON-RPC of MCP: ${found.detail}`)
      case 'response':
        if (!others.lane.answered(found.id, delivered)) {
          this.#drop(rules, 'a response to nothing that was asked, or that is waited for')
        }
        return undefined
      case 'notification':
        return this.#tell(rules, found.method, found.params, delivered)
      case 'request': {
        const { id, method, params } = found
        // An answer would be taken for that to the first.
        if (rules.lane.open.has(id)) return this.#drop(rules, 'a request with the id of one that is open')
        if (rules.passed.has(method)) return this.#pass(rules, id, method, params, delivered)
        const isTool = method === 'tools/call' && rules === this.#client
        const tool = isTool ? this.#toolOf(params) : this.#standIn(rules, method)
        if (tool === undefined) {
          const text = isTool
            ? 'tools/call: the name is no string'
            : `${method.slice(0, 100)} is not governed, and so it is refused`
          return rules.lane.reply(errorAnswer(id, METHOD_NOT_FOUND, text))
        }
        return this.#govern(rules, { id, message, params, extra, tool, isTool })
      }
    }
  }

  #toolOf({ name }: Members): string | undefined {
    // Of a name that no tool can have the session says that it has none.
    return typeof name === 'string' ? (readToolName(name, this.#options.prefix) ?? name) : undefined
  }

  #standIn({ tools }: Rules, method: string): string | undefined {
    const name = tools.get(method)
    return name && readToolName(name, this.#options.prefix)
  }

  #drop({ from }: Rules, what: string): void {
    this.#report(new TypeError(`the ${from} of ${this.#options.server} sent ${what}; it was dropped`))
  }

  async #tell(rules: Rules, method: string, params: Members, { message, extra }: Delivered): Promise<void> {
    if (!rules.told.has(method)) return this.#drop(rules, 'a notification that is not known')
    if (method === 'notifications/tools/list_changed') this.#declared.forget()
    if (method === 'notifications/cancelled') {
      const cancel = rules.lane.open.get(params['requestId'] as RequestId)?.cancel
      // The other end is told once it has the request, and only then.
      if (cancel !== undefined) return cancel.abort(new ConnectionEnded('cancelled by whoever asked'))
    }
    return rules.lane.send(message, extra)
  }

  async #pass(
    rules: Rules,
    id: RequestId,
    method: string,
    params: Members,
    { message, extra }: Delivered,
  ): Promise<void> {
    const { lane } = rules
    let filter = async (answer: Delivered): Promise<Delivered> => answer
    if (method === 'tools/list') {
      let session: AnySession | undefined
      try {
        session = findSession(this.#options)
      } catch (error) {
        return lane.reply(failureAnswer(id, error))
      }
      if (session !== undefined) {
        const own = session
        filter = (answer) => this.#filterTools(own, answer, this.#asker(params, extra))
      }
    } else if (rules.from === 'client' && (method === 'initialize' || method === 'server/discover')) {
      filter = async (answer) => {
        this.#readServerInfo(answer.message)
        return answer
      }
    }
    lane.open.set(id, {})
    const { sent, answer } = lane.ask(id, message, extra)
    this.#run(async () => {
      try {
        const given = await filter(await answer)
        lane.open.delete(id)
        await lane.reply(given.message, given.extra)
      } catch (error) {
        if (!lane.open.delete(id)) throw error
        // Whoever asked has been told by a send that failed.
        if (await didSend(sent)) await lane.reply(failureAnswer(id, error))
      }
    })
    return sent
  }

  async #govern(
    rules: Rules,
    asked: Pick<Governed, 'id' | 'message' | 'params' | 'extra' | 'tool' | 'isTool'>,
  ): Promise<void> {
    const { lane } = rules
    const { id, params, extra, isTool } = asked
    let session: AnySession | undefined
    try {
      session = rules.from === 'client' ? findSession(this.#options) : this.#sessionOfServer()
    } catch (error) {
      return lane.reply(failureAnswer(id, error))
    }
    if (session === undefined) {
      // Observed, as was asked for: there is no contract here.
      lane.open.set(id, {})
      const { sent, answer } = lane.ask(id, asked.message, extra)
      this.#run(async () => {
        const { message, extra: more } = await answer.finally(() => lane.open.delete(id))
        await lane.reply(message, more)
      })
      return sent
    }
    const cancel = new AbortController()
    lane.open.set(id, { cancel, session })
    labels += 1
    const { _meta: _, ...rest } = params
    const { name, arguments: given = {}, task } = params
    const ask = this.#asker(params, extra)
    const governed: Governed = {
      ...asked,
      session,
      signal: cancel.signal,
      label: `${this.#options.server}/${labels}`,
      // A text would be taken for the JSON of an object.
      input: isTool ? (isMembers(given) ? given : [given]) : rest,
      refusalOf: async (input) => {
        if (!isTool) return undefined
        if (task !== undefined) return 'a call as a task is not governed'
        return this.#declared.refusalOf(String(name), input, ask)
      },
    }
    this.#run(async () => {
      const { message, extra: more } = await governRequest(lane, governed)
      lane.open.delete(id)
      // Nobody waits for the answer to what was cancelled.
      if (!cancel.signal.aborted || isEnd(cancel.signal)) await lane.reply(message, more)
    })
  }

  /** Whom a server's request is for: the session that was named, or the one that alone has a call there. */
  #sessionOfServer(): AnySession | undefined {
    const { session } = this.#options
    if (session !== undefined) return findSession(this.#options)
    const sessions = new Set<AnySession>()
    for (const open of this.#client.lane.open.values()) if (open.session) sessions.add(open.session)
    const [only] = sessions
    if (sessions.size === 1) return only
    if (this.#options.outside === 'observe' && sessions.size === 0) return undefined
    throw new NoSession()
  }

  async #filterTools(session: AnySession, answer: Delivered, ask: AskForTools): Promise<Delivered> {
    const { message, extra } = answer
    const { result } = message
    if (!isMembers(result)) return answer
    if (!Array.isArray(result['tools'])) throw new TypeError('the answer to tools/list is no list of tools')
    const shown = await this.#declared.shown(result['tools'], ask)
    const names = new Set(session.state === 'open' ? session.tools : [])
    const tools = shown.filter((tool) => {
      const own = readToolName(String((tool as Members)['name']), this.#options.prefix)
      return own !== undefined && names.has(own)
    })
    return { message: { ...message, result: { ...result, tools } }, extra }
  }

  /** Asks for the tools as whoever asks here does: a server of the stateless protocol knows nobody else. */
  #asker({ _meta: meta }: Members, extra: object | undefined): AskForTools {
    const { progressToken: _, ...kept } = isMembers(meta) ? meta : {}
    return async (cursor) => {
      this.#ownRequests += 1
      const id = `${this.#ids}-${this.#ownRequests}`
      const params = {
        ...(cursor === undefined ? {} : { cursor }),
        ...(meta === undefined ? {} : { _meta: kept }),
      }
      const { lane } = this.#client
      const { sent, answer } = lane.ask(id, { jsonrpc: '2.0', id, method: 'tools/list', params }, extra)
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          lane.forget(id)
          reject(new RangeError(`it did not answer tools/list within ${LIST_TIMEOUT_MS} ms`))
        }, LIST_TIMEOUT_MS)
      })
      try {
        await Promise.race([sent, late])
        const { message } = await Promise.race([answer, late])
        this.#readServerInfo(message)
        if ('error' in message) throw new TypeError('it answered tools/list with an error')
        return message['result']
      } finally {
        clearTimeout(timer)
      }
    }
  }

  #readServerInfo({ result }: JsonRpcMessage): void {
    if (!isMembers(result)) return
    const { serverInfo, _meta: meta } = result
    const stateless = isMembers(meta) ? meta['io.modelcontextprotocol/serverInfo'] : undefined
    if (isMembers(serverInfo)) this.#serverInfo = serverInfo
    else if (isMembers(stateless)) this.#serverInfo = stateless
  }

  #run(work: () => Promise<void>): void {
    const running = work().catch((error: unknown) => this.#report(error as Error))
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const didSend = (sent: Promise<void>): Promise<boolean> =>
  sent.then(
    () => true,
    () => false,
  )

/** The connection ended, and nobody cancelled: an answer may still reach whoever stands in front of it. */
function isEnd({ reason }: AbortSignal): boolean {
  return reason instanceof ConnectionEnded && reason.message === 'the connection has ended'
}
