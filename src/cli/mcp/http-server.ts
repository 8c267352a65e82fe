import { setTimeout as wait } from 'node:timers/promises'
import type { JsonRpcMessage, McpTransport } from '../../adapters/mcp/transport.js'
import { MAX_MESSAGE_BYTES } from './child-server.js'
import { bodyHeaders, envelopeVersion } from './http-headers.js'
import { type Received, receive, refusal } from './http-response.js'
import { CONNECTION_CLOSED, idOf, isRequest, parseMessage } from './parse-message.js'
import { ConnectionFailed } from './wire-error.js'

export interface HttpServerOptions {
  /** Headers of every request: credentials, for the most part. */
  readonly headers?: Readonly<Record<string, string>>
  /** Most bytes of one message: 16 MiB unless it is said. */
  readonly maxMessageBytes?: number
}

/** How often a stream that breaks off is taken up again without a word on it, and the longest wait before. */
const MAX_TRIES = 5
const MAX_RETRY_MS = 30_000
const FIRST_RETRY_MS = 500
/** How long the server may take for a notification, after which the next message goes out. */
const NOTIFICATION_MS = 10_000
const GOODBYE_MS = 1500

/**
 * The transport to a server behind a URL: the client's side of Streamable HTTP, in both eras of the protocol.
 * A request that gets no answer is answered here, with an error.
 */
export class HttpServer implements McpTransport {
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  onmessage: ((message: JsonRpcMessage) => void) | undefined
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #maxBytes: number
  readonly #open = new AbortController()
  /** Requests of the modern era that wait for their answer: closing their stream cancels them. */
  readonly #cancellable = new Map<unknown, AbortController>()
  #sessionId: string | undefined
  #version: string | undefined
  /** Notifications go out before whatever comes after them. */
  #sent: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(url: URL, options: HttpServerOptions = {}) {
    this.#url = url
    this.#headers = options.headers ?? {}
    this.#maxBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES
  }

  async start(): Promise<void> {
    // The first request is what connects.
  }

  /** @throws {@link ConnectionFailed} when the connection is closed, or a notification does not get through. */
  async send(message: JsonRpcMessage): Promise<void> {
    if (this.#closing !== undefined) throw new ConnectionFailed('the server is gone')
    if (isRequest(message)) {
      void this.#sent.then(() => this.#request(message))
      return
    }
    const { requestId } = (message['params'] ?? {}) as JsonRpcMessage
    if (message['method'] === 'notifications/cancelled' && this.#cancellable.has(requestId)) {
      this.#cancellable.get(requestId)?.abort()
      return
    }
    const sending = this.#sent.then(() => this.#notify(message))
    this.#sent = sending.catch(() => undefined)
    await sending
  }

  /** Breaks off what is in flight and ends the session on the server. */
  close(): Promise<void> {
    this.#closing ??= this.#stop()
    return this.#closing
  }

  async #stop(): Promise<void> {
    this.#open.abort()
    if (this.#sessionId !== undefined) {
      try {
        const response = await this.#fetch('DELETE', {}, undefined, AbortSignal.timeout(GOODBYE_MS))
        await response.body?.cancel()
      } catch {
        // The server ends it by itself in time.
      }
    }
    this.onclose?.()
  }

  async #notify(message: JsonRpcMessage): Promise<void> {
    const signal = AbortSignal.any([this.#open.signal, AbortSignal.timeout(NOTIFICATION_MS)])
    try {
      const response = await this.#post(message, signal)
      await response.body?.cancel()
      if (!response.ok) throw new ConnectionFailed(refusal(response))
    } catch (cause) {
      // Whoever closes the connection does not ask what became of its last notifications.
      if (this.#open.signal.aborted) return
      throw new ConnectionFailed(`it was not told: ${causeText(cause as Error)}`, { cause })
    }
    if (message['method'] === 'notifications/initialized') void this.#listen()
  }

  async #request(message: JsonRpcMessage): Promise<void> {
    const id = idOf(message)
    const cancelled = new AbortController()
    if (envelopeVersion(message) !== undefined) this.#cancellable.set(id, cancelled)
    const signal = AbortSignal.any([this.#open.signal, cancelled.signal])
    try {
      const isHandshake = message['method'] === 'initialize'
      if (isHandshake) this.#sessionId = undefined
      const response = await this.#post(message, signal)
      if (isHandshake && response.ok) this.#sessionId = response.headers.get('mcp-session-id') ?? undefined
      const take = (text: string): boolean => this.#take(text, id, isHandshake)
      if (!response.ok) return await this.#refused(response, take)
      let received = await receive(response, this.#maxBytes, take)
      for (let tries = 1; !received.isAnswered; tries += 1) {
        if (received.lastEventId === '' || tries > MAX_TRIES) {
          throw new ConnectionFailed('the connection broke off before the answer')
        }
        const { lastEventId } = received
        await wait(delayMs(received, tries), undefined, { signal })
        received = await this.#resume(received, signal, take)
        if (received.lastEventId !== lastEventId) tries = 0
      }
    } catch (error) {
      if (signal.aborted) return
      const text = error instanceof Error ? causeText(error) : 'unknown'
      const answer = { code: CONNECTION_CLOSED, message: `writ: the server did not answer: ${text}` }
      this.onmessage?.({ jsonrpc: '2.0', id, error: answer })
    } finally {
      this.#cancellable.delete(id)
    }
  }

  /** An error status: the error of JSON-RPC that came with it, or one that says the status. */
  async #refused(response: Response, take: (text: string) => boolean): Promise<void> {
    const isOver = response.status === 404 && this.#sessionId !== undefined
    let isAnswered = false
    try {
      isAnswered = (await receive(response, this.#maxBytes, take)).isAnswered
    } catch {
      // A page for people, or nothing: the status says enough.
    }
    if (isAnswered) return
    // A client on standard input cannot be asked to begin anew: it does when the connection ends.
    if (isOver) setImmediate(() => void this.close())
    throw new ConnectionFailed(isOver ? 'it has ended the session' : refusal(response))
  }

  async #resume(from: Received, signal: AbortSignal, take: (text: string) => boolean): Promise<Received> {
    let response: Response
    try {
      response = await this.#fetch('GET', listening(from.lastEventId), undefined, signal)
    } catch (error) {
      if (signal.aborted) throw error
      return from
    }
    if (!response.ok) throw new ConnectionFailed(refusal(response))
    const received = await receive(response, this.#maxBytes, take)
    return received.lastEventId === '' ? { ...received, lastEventId: from.lastEventId } : received
  }

  /** Hears what the server says outside of any request, where it has such a stream. */
  async #listen(): Promise<void> {
    const { signal } = this.#open
    let from: Received = { isAnswered: false, lastEventId: '', retryMs: undefined }
    for (let tries = 1; tries <= MAX_TRIES && !signal.aborted; tries += 1) {
      try {
        const response = await this.#fetch('GET', listening(from.lastEventId), undefined, signal)
        if (!response.ok) {
          await response.body?.cancel()
          if (response.status !== 405) this.onerror?.(new ConnectionFailed(refusal(response)))
          return
        }
        const take = (text: string): boolean => {
          tries = 0
          return this.#take(text, undefined, false) && false
        }
        from = await receive(response, this.#maxBytes, take)
      } catch (error) {
        if (!signal.aborted) this.onerror?.(error as Error)
      }
      await wait(delayMs(from, Math.max(tries, 1)), undefined, { signal }).catch(() => undefined)
    }
  }

  /** True for the answer to the request of that id. */
  #take(text: string, id: unknown, isHandshake: boolean): boolean {
    let message: JsonRpcMessage
    try {
      message = parseMessage(text)
    } catch (error) {
      this.onerror?.(error as Error)
      return false
    }
    const isAnswer = !Object.hasOwn(message, 'method') && message['id'] === id
    if (isAnswer && isHandshake) {
      const { protocolVersion } = (message['result'] ?? {}) as JsonRpcMessage
      if (typeof protocolVersion === 'string' && /^[\x21-\x7e]{1,64}$/.test(protocolVersion))
        this.#version = protocolVersion
    }
    this.onmessage?.(message)
    return isAnswer
  }

  #post(message: JsonRpcMessage, signal: AbortSignal): Promise<Response> {
    const headers = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...bodyHeaders(message),
    }
    return this.#fetch('POST', headers, JSON.stringify(message), signal)
  }

  #fetch(
    method: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    return fetch(this.#url, {
      method,
      headers: {
        ...this.#headers,
        ...(this.#sessionId === undefined ? {} : { 'mcp-session-id': this.#sessionId }),
        ...(this.#version === undefined ? {} : { 'mcp-protocol-version': this.#version }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      // Followed, a redirect would take calls and credentials to somebody whom nobody named.
      redirect: 'manual',
      signal,
    })
  }
}

function listening(lastEventId: string): Readonly<Record<string, string>> {
  return { accept: 'text/event-stream', ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) }
}

function delayMs({ retryMs }: Received, tries: number): number {
  return Math.min(MAX_RETRY_MS, retryMs ?? FIRST_RETRY_MS * 2 ** (tries - 1))
}

/** What `fetch` says is that it failed; why is in its cause. */
function causeText({ message, cause }: Error): string {
  return cause instanceof Error && message === 'fetch failed' ? cause.message : message
}
