import type { AnySession } from '../../index.js'
import type { RequestId } from './json-rpc.js'
import type { JsonRpcMessage } from './transport.js'

/** Hands a message to one end of a connection. Rejects when it cannot. */
export type Deliver = (message: JsonRpcMessage, extra?: object) => Promise<void>

/** A message and what its transport says of it. */
export interface Delivered {
  readonly message: JsonRpcMessage
  readonly extra: object | undefined
}

/** A request that has no answer yet. */
export interface OpenRequest {
  /** Absent for one that is passed on: whoever answers it is told of a cancellation. */
  readonly cancel?: AbortController
  readonly session?: AnySession
}

/** The connection is gone, or going. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded'
}

/** Whoever asked does not wait for the answer any more. */
export class CallCancelled extends Error {
  override readonly name = 'CallCancelled'
}

/** So many requests that were given up are remembered, for their answers to be known when they come. */
const MAX_GIVEN_UP = 10_000

/** The requests in one direction: from whoever asks to whoever answers. */
export class Lane {
  /** To whoever answers. */
  readonly send: Deliver
  /** To whoever asks. */
  readonly reply: Deliver
  /** What was asked, and has no answer yet. */
  readonly open: Map<RequestId, OpenRequest> = new Map()
  readonly #asked = new Map<RequestId, { resolve(answer: Delivered): void; reject(error: Error): void }>()
  /** Asked, and given up since: an answer to one of them is an answer to nothing else. */
  readonly #givenUp = new Set<RequestId>()
  #ended: Error | undefined

  constructor(send: Deliver, reply: Deliver) {
    this.send = send
    this.reply = reply
  }

  /** Sends a request. `answer` rejects when the connection ends, and never where nobody looks. */
  ask(
    id: RequestId,
    message: JsonRpcMessage,
    extra?: object,
  ): { sent: Promise<void>; answer: Promise<Delivered> } {
    if (this.#ended !== undefined) throw this.#ended
    const answer = new Promise<Delivered>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
    })
    answer.catch(() => undefined)
    const sent = this.send(message, extra).catch((cause: unknown) => {
      this.#asked.get(id)?.reject(cause as Error)
      this.#asked.delete(id)
      throw cause
    })
    return { sent, answer }
  }

  /** False for the id of a request that may still be answered. */
  isFree(id: RequestId): boolean {
    return !this.open.has(id) && !this.#givenUp.has(id)
  }

  /** Nobody waits for this answer any more. */
  forget(id: RequestId): void {
    if (!this.#asked.has(id)) return
    this.failed(id, new CallCancelled('nobody waits for the answer any more'))
    this.#givenUp.add(id)
    const [oldest] = this.#givenUp
    if (this.#givenUp.size > MAX_GIVEN_UP) this.#givenUp.delete(oldest as RequestId)
  }

  /** False for an answer to nothing. */
  answered(id: RequestId, answer: Delivered): boolean {
    const waiting = this.#asked.get(id)
    this.#asked.delete(id)
    waiting?.resolve(answer)
    // It was under way when it was told that nobody waits.
    return waiting !== undefined || this.#givenUp.delete(id)
  }

  /** What came for this request is no answer. */
  failed(id: unknown, error: Error): void {
    this.#asked.get(id as RequestId)?.reject(error)
    this.#asked.delete(id as RequestId)
  }

  /** Nothing is answered any more. */
  end(error: Error): void {
    this.#ended = error
    for (const { reject } of this.#asked.values()) reject(error)
    this.#asked.clear()
    for (const { cancel } of this.open.values()) cancel?.abort(error)
  }
}
