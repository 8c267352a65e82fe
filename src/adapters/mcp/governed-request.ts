import type { AnySession, DispatchResult, Session } from '../../index.js'
import { denialAnswer, denialText, failureAnswer, isModern, toolErrorAnswer } from './answers.js'
import { type ForwardedCall, type Refusal, whileExpected } from './forwarded-call.js'
import { isMembers, type Members, type RequestId } from './json-rpc.js'
import type { Delivered, Lane } from './lane.js'
import { PASSED_TO_CLIENT } from './methods.js'
import { permitted } from './permission.js'
import { isMcpTool } from './probe.js'
import type { JsonRpcMessage } from './transport.js'

/** A request that the contract decides on. */
export interface Governed {
  readonly session: AnySession
  /** What the server is called here. */
  readonly server: string
  readonly id: RequestId
  readonly message: JsonRpcMessage
  readonly params: Members
  readonly extra: object | undefined
  /** The tool of the agent that stands for it. */
  readonly tool: string
  /** True for `tools/call`: the model reads why it was denied. */
  readonly isTool: boolean
  readonly input: unknown
  readonly signal: AbortSignal
  /** What it is called in the log: `model_call_id`. */
  readonly label: string
  refusalOf(input: unknown): Promise<Refusal | undefined>
  /** The tool that stands for what the server asks of the client, if one does. */
  standIn(method: string): string | undefined
}

/** What of a call of a tool is handed on beside its name and its arguments. */
const KEPT_OF_CALL = ['_meta', 'inputResponses', 'requestState'] as const

/** Every so often somebody who asked for progress is told that a call waits. */
const WAITING_MS = 15_000
/** Progress has to grow, and the server's own begins after this one. */
const WAITING_STEP = 1e-6

/** What came back is the other end's own error. */
class AnsweredWithError extends Error {
  override readonly name = 'AnsweredWithError'
}

/** What came back asks the client for something that the contract does not allow. */
class InputRefused extends Error {
  override readonly name = 'InputRefused'
}

/**
 * Takes a request through the contract and, if it allows it, to the other end.
 *
 * @returns what to answer.
 */
export async function governRequest(lane: Lane, request: Governed): Promise<Delivered> {
  const { session, id, label, input, signal, isTool, params } = request
  const call = new Forwarding(lane, request)
  const waiting = call.sayWaiting()
  const own = (message: JsonRpcMessage): Delivered => ({ message, extra: undefined })
  try {
    // By the name of a tool of the agent's own, a server has none.
    const isOwn = session.tools.includes(request.tool) && !(await isMcpTool(session, request.tool))
    const name = isOwn ? `${request.server}/${request.tool}` : request.tool
    const result: DispatchResult = await whileExpected(label, call, () =>
      (session as Session).dispatch({ id: label, name, input }, { signal }),
    )
    if (call.answer !== undefined && (result.ok || call.isAnsweredWithError)) return call.answer
    if (result.ok) throw new TypeError(`${name} did not ask the other end`)
    const { denial } = result
    const shown = call.refused ?? denialText(denial, call.refusal)
    return own(isTool ? toolErrorAnswer(id, shown, isModern(params)) : denialAnswer(id, denial, shown))
  } catch (error) {
    return own(failureAnswer(id, error))
  } finally {
    clearInterval(waiting)
  }
}

/** One request on its way to the other end. */
class Forwarding implements ForwardedCall {
  readonly session: AnySession
  readonly server: string
  /** What the other end answered. */
  answer: Delivered | undefined
  /** The answer is the other end's own error, and is handed on as such. */
  isAnsweredWithError = false
  /** Why the server's own declaration is against it. */
  refusal: Refusal | undefined
  /** Why the answer is not handed on. */
  refused: string | undefined
  readonly #lane: Lane
  readonly #request: Governed
  /** What was found to be allowed: somebody else may use the id of this call for another one. */
  #vetted: string | undefined
  #isSent = false

  constructor(lane: Lane, request: Governed) {
    this.#lane = lane
    this.#request = request
    this.session = request.session
    this.server = request.server
  }

  async vet(input: unknown, server: string | undefined): Promise<Refusal | undefined> {
    this.refusal =
      server === undefined || server === this.server
        ? await this.#refusalOf(input)
        : { code: 'other_server', text: `it is a tool of another server, ${server}` }
    if (this.refusal === undefined) this.#vetted = JSON.stringify(input)
    return this.refusal
  }

  isVetted(input: unknown): boolean {
    return this.#vetted !== undefined && this.#vetted === JSON.stringify(input)
  }

  async #refusalOf(input: unknown): Promise<Refusal | undefined> {
    try {
      return await this.#request.refusalOf(input)
    } catch (cause) {
      const text = `the server could not be asked for its tools: ${(cause as Error).message}`
      return { code: 'not_declared', text }
    }
  }

  async run(input: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#isSent) throw new TypeError('a request is handed on once')
    this.#isSent = true
    signal.throwIfAborted()
    const { id, message } = this.#request
    const stream = new AbortController()
    let reject: (reason: unknown) => void
    const stopped = new Promise<never>((_, rejectStopped) => {
      reject = rejectStopped
    })
    stopped.catch(() => undefined)
    const stop = (): void => {
      this.#lane.forget(id)
      this.#cancelAtServer()
      // Where each request has a stream of its own, closing it is what cancels.
      stream.abort(signal.reason)
      reject(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const extra = { ...this.#request.extra, requestSignal: stream.signal }
      const { sent, answer } = this.#lane.ask(id, { ...message, params: this.#allowed(input) }, extra)
      await Promise.race([sent, stopped])
      this.answer = await Promise.race([answer, stopped])
    } finally {
      signal.removeEventListener('abort', stop)
    }
    const { result } = this.answer.message
    // First: a client asks for what is wanted of it, whatever else the answer says.
    if (isMembers(result)) await this.#vetInputRequests(result)
    if (!isMembers(result) || result['isError'] === true) {
      this.isAnsweredWithError = true
      throw new AnsweredWithError('the other end answered with an error')
    }
    return result
  }

  /** What is handed on: what was checked, and nothing that nobody has looked at. */
  #allowed(input: unknown): Members {
    const { params, isTool } = this.#request
    const { name, _meta: meta } = params
    if (!isTool) return { ...(input as Members), ...(meta === undefined ? {} : { _meta: meta }) }
    const kept = KEPT_OF_CALL.filter((key) => params[key] !== undefined).map((key) => [key, params[key]])
    return { name, arguments: input, ...Object.fromEntries(kept) }
  }

  /** Says every now and then that a call waits, to whoever asked to be told, until it is handed on. */
  sayWaiting(): ReturnType<typeof setInterval> | undefined {
    const { _meta: meta } = this.#request.params
    const progressToken = isMembers(meta) ? meta['progressToken'] : undefined
    if (typeof progressToken !== 'string' && typeof progressToken !== 'number') return undefined
    let progress = 0
    const timer = setInterval(() => {
      if (this.#isSent) return clearInterval(timer)
      progress += WAITING_STEP
      const params = { progressToken, progress, message: 'waiting for a decision' }
      const told = { jsonrpc: '2.0', method: 'notifications/progress', params }
      this.#lane.reply(told, { relatedRequestId: this.#request.id }).catch(() => clearInterval(timer))
    }, WAITING_MS)
    if (typeof timer === 'object') timer.unref?.()
    return timer
  }

  #cancelAtServer(): void {
    const { id, params } = this.#request
    const { _meta: meta } = params
    const { progressToken: _, ...kept } = isMembers(meta) ? meta : {}
    const told = {
      requestId: id,
      reason: 'stopped by the contract of the caller',
      ...(isModern(params) ? { _meta: kept } : {}),
    }
    // A server that cannot be told has nothing to stop.
    this.#lane
      .send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: told }, this.#request.extra)
      .catch(() => undefined)
  }

  /** An answer that asks the client for something first: each of it is a request of the server's. */
  async #vetInputRequests(result: Members): Promise<void> {
    const { resultType = 'complete', inputRequests = {} } = result
    if (resultType !== 'complete' && resultType !== 'input_required')
      throw this.#refuse('is of no known type')
    if (!isMembers(inputRequests)) throw this.#refuse('asks for input in no known form')
    const { session, label, server, signal } = this.#request
    for (const [key, inner] of Object.entries(inputRequests)) {
      const { method, params: input = {} } = isMembers(inner) ? inner : {}
      if (PASSED_TO_CLIENT.has(String(method))) continue
      // What stands for nothing has a name that no tool can have.
      const name = this.#request.standIn(String(method)) ?? `mcp/${method}`
      const given = await permitted(session, { id: `${label}/${key}`, name, input, server }, signal)
      if (!given.ok) {
        this.refused = given.denial.message
        throw new InputRefused(this.refused)
      }
    }
  }

  #refuse(what: string): InputRefused {
    this.refused = `the answer ${what}, and is not handed on`
    return new InputRefused(this.refused)
  }
}
