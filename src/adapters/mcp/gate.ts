import type { AnySession } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { failureAnswer, inputRefused } from './answers.js'
import { nextLabel } from './forwarded-call.js'
import type { Ends, GateOptions } from './gate-options.js'
import { type Governed, governRequest } from './governed-request.js'
import {
  classify,
  errorAnswer,
  isMembers,
  METHOD_NOT_FOUND,
  type Members,
  type RequestId,
} from './json-rpc.js'
import { CallCancelled, ConnectionEnded, type Delivered, Lane } from './lane.js'
import { listen, needsDecision } from './listening.js'
import { recordRefused } from './permission.js'
import { linkRequestSignal, onGivenUp } from './request-signal.js'
import { clientRules, type Rules, serverRules } from './rules.js'
import { ServerTools } from './server-tools.js'
import { sessionOf } from './session-of.js'
import { readToolName } from './tool-name.js'
import type { JsonRpcMessage } from './transport.js'

/** What is under way when a connection ends has this long to be answered. */
const END_TIMEOUT_MS = 1000

/** What stands between a client and a server: every message of either passes here, or does not pass. */
export class Gate {
  readonly #options: GateOptions
  readonly #report: (error: Error) => void
  readonly #client: Rules
  readonly #server: Rules
  readonly #serverTools: ServerTools
  readonly #running = new Set<Promise<void>>()

  constructor(options: GateOptions, { toServer, toClient, report }: Ends) {
    this.#options = options
    this.#report = report
    this.#client = clientRules(new Lane(toServer, toClient))
    this.#server = serverRules(new Lane(toClient, toServer))
    this.#serverTools = new ServerTools(this.#client.lane, options, report)
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
    let timer: ReturnType<typeof setTimeout> | undefined
    // Who does not take the answer must not keep the connection open.
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_TIMEOUT_MS)
    })
    await Promise.race([Promise.allSettled(this.#running), late])
    clearTimeout(timer)
  }

  async #take(rules: Rules, others: Rules, delivered: Delivered): Promise<void> {
    const { message, extra } = delivered
    const found = classify(message)
    switch (found.kind) {
      case 'malformed':
        // Whoever waits for what this was meant to be would wait for ever.
        others.lane.failed(isMembers(message) ? message['id'] : undefined, new TypeError(found.detail))
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
        if (!rules.lane.isFree(id)) return this.#drop(rules, 'a request with the id of one that is open')
        if (rules.passed.has(method)) return this.#pass(rules, id, method, params, delivered)
        const isTool = method === 'tools/call' && rules === this.#client
        const tool = isTool ? this.#toolOf(params) : this.#standIn(rules, method)
        if (tool === undefined) {
          const text = isTool
            ? 'tools/call: the name is no string'
            : `${method.slice(0, 100)} is not governed, and so it is refused`
          this.#run(async () => recordRefused(this.#sessionOf(rules), method), false)
          return rules.lane.reply(errorAnswer(id, METHOD_NOT_FOUND, text))
        }
        return this.#govern(rules, {
          id,
          message: { ...message },
          params: { ...params },
          extra,
          tool,
          isTool,
        })
      }
    }
  }

  #toolOf({ name }: Members): string | undefined {
    if (typeof name !== 'string') return undefined
    // Of a name that no tool can have the session says that it has none.
    return readToolName(name, this.#options.prefix) ?? `${this.#options.server}/${name}`
  }

  #standIn({ tools }: Rules, method: string): string | undefined {
    const name = tools.get(method)
    return name && readToolName(name, this.#options.prefix)
  }

  #sessionOf({ from }: Rules): AnySession | undefined {
    return sessionOf(from, this.#options, this.#client.lane.open.values())
  }

  #drop({ from }: Rules, what: string): void {
    this.#report(new TypeError(`the ${from} of ${this.#options.server} sent ${what}; it was dropped`))
  }

  async #tell(rules: Rules, method: string, params: Members, { message, extra }: Delivered): Promise<void> {
    if (!rules.told.has(method)) return this.#drop(rules, 'a notification that is not known')
    if (method === 'notifications/tools/list_changed') this.#serverTools.forget()
    if (method === 'notifications/cancelled') {
      const id = params['requestId'] as RequestId
      const cancel = rules.lane.open.get(id)?.cancel
      // The other end is told once it has the request, and only then.
      if (cancel !== undefined) return cancel.abort(new CallCancelled('cancelled by whoever asked'))
      rules.lane.forget(id)
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
    let filter = async (answer: Delivered) => answer
    if (method === 'subscriptions/listen' && needsDecision(params)) {
      const handOn = () => this.#handOn(lane, id, { message, extra }, async (answer) => inputRefused(answer))
      const { server } = this.#options
      const tool = this.#standIn(this.#client, 'resources/subscribe')
      const request = { id, params, extra, server, tool, session: () => this.#sessionOf(rules), handOn }
      return this.#run(() => listen(lane, request))
    }
    if (method === 'tools/list') {
      try {
        const session = findSession(this.#options)
        if (session !== undefined)
          filter = (answer) => this.#serverTools.filter(session, answer, params, extra)
      } catch (error) {
        return lane.reply(failureAnswer(id, error))
      }
    } else if (rules.from === 'client' && (method === 'initialize' || method === 'server/discover')) {
      filter = async (answer) => {
        this.#serverTools.readServerInfo(answer.message)
        return answer
      }
    }
    return this.#handOn(lane, id, { message, extra }, async (answer) => filter(inputRefused(answer)))
  }

  /** Sends a request that nobody decides on, and its answer back. */
  #handOn(
    lane: Lane,
    id: RequestId,
    { message, extra }: Delivered,
    filter: (answer: Delivered) => Promise<Delivered>,
  ): Promise<void> {
    lane.open.set(id, {})
    const { sent, answer } = lane.ask(id, message, extra)
    const unlink = onGivenUp(extra, () => lane.forget(id))
    this.#run(async () => {
      try {
        const given = await filter(await answer)
        lane.open.delete(id)
        await lane.reply(given.message, given.extra)
      } catch (error) {
        if (!lane.open.delete(id)) throw error
        // Nobody waits for the answer to what was cancelled, and who could not send has been told.
        const isAwaited = !(error instanceof CallCancelled) && (await didSend(sent))
        if (isAwaited) await lane.reply(failureAnswer(id, error))
      } finally {
        unlink()
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
      session = this.#sessionOf(rules)
    } catch (error) {
      return lane.reply(failureAnswer(id, error))
    }
    // Observed, as was asked for: there is no contract here.
    if (session === undefined) return this.#handOn(lane, id, asked, async (answer) => answer)
    const cancel = new AbortController()
    lane.open.set(id, { cancel, session })
    // A client that is no longer there says so here, where it closes the stream of its request.
    const unlink = linkRequestSignal(extra, cancel)
    const { _meta: _, ...rest } = params
    const { name, arguments: given = {}, task } = params
    const governed: Governed = {
      ...asked,
      session,
      server: this.#options.server,
      signal: cancel.signal,
      label: nextLabel(this.#options.server),
      // A text would be taken for the JSON of an object.
      input: isTool ? (isMembers(given) ? given : [given]) : rest,
      refusalOf: async (input) => {
        if (!isTool) return undefined
        if (task !== undefined) return { code: 'not_usable', text: 'a call as a task is not governed' }
        return this.#serverTools.refusalOf(String(name), input, params, extra)
      },
      standIn: (method) => this.#standIn(this.#server, method),
    }
    this.#run(async () => {
      const { message, extra: more } = await governRequest(lane, governed)
      unlink()
      lane.open.delete(id)
      // Nobody waits for the answer to what was cancelled.
      if (!(cancel.signal.reason instanceof CallCancelled)) await lane.reply(message, more)
    })
  }

  #run(work: () => Promise<void>, isReported = true): void {
    const running = work().catch((error: unknown) => {
      if (isReported) this.#report(error as Error)
    })
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }
}

const didSend = (sent: Promise<void>): Promise<boolean> =>
  sent.then(
    () => true,
    () => false,
  )
