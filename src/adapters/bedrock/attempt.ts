import type { AnySession } from '../../index.js'
import { membersOf } from '../metered/members.js'
import { type CallBounds, MeteredCall } from '../metered/metered-call.js'
import { isNeverSent } from '../metered/send.js'
import { textBytes } from '../metered/text-size.js'
import { meteredEvents } from './events.js'
import { readUsage } from './usage.js'

/** What a request handler answers with, as far as it matters here. */
export interface Answer {
  readonly response: { readonly statusCode: number }
}

/** One try of a command. */
export interface Attempt {
  /**
   * Makes the request.
   *
   * @param send makes it with the signal that it is given.
   */
  readonly send: <A extends Answer>(
    caller: AbortSignal | undefined,
    send: (signal: AbortSignal | undefined) => Promise<A>,
  ) => Promise<A>
  /** What the program gets of what came back. */
  readonly finish: <Output>(output: Output) => Output
  /** What the program gets of an error in the place of it. */
  readonly fail: (error: unknown) => unknown
}

/**
 * Carries a refusal past the client's own handling of errors, which writes on them, and asks of each whether
 * to try again.
 */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: unknown

  constructor(refusal: unknown) {
    super('refused by the contract')
    this.refusal = refusal
  }
}

/** A try that is held, charged, and stopped with its session. */
export class MeteredAttempt implements Attempt {
  readonly #session: AnySession
  readonly #bounds: CallBounds
  #call: MeteredCall | undefined

  constructor(session: AnySession, bounds: CallBounds) {
    this.#session = session
    this.#bounds = bounds
  }

  async send<A extends Answer>(
    caller: AbortSignal | undefined,
    send: (signal: AbortSignal) => Promise<A>,
  ): Promise<A> {
    const call = refusing(() => new MeteredCall(this.#session, this.#bounds, caller))
    this.#call = call
    const answer = await send(call.signal)
    const { statusCode } = answer.response
    const isServed = statusCode >= 200 && statusCode < 300
    if (!isServed) refuse(call, { name: 'HttpError', code: `HTTP_${statusCode}` })
    return answer
  }

  finish<Output>(output: Output): Output {
    const call = this.#call
    const members = membersOf(output)
    if (call === undefined || members === undefined) return output
    if (call.stopped !== undefined) throw new Refused(call.stopped.reason)
    const stream = members['stream']
    if (membersOf(stream)?.[Symbol.asyncIterator as never] !== undefined) {
      return { ...output, stream: meteredEvents(stream as AsyncIterable<unknown>, call) }
    }
    const reported = readUsage(output)
    try {
      refusing(() => {
        if (reported !== undefined) return call.finish(reported)
        call.receive(textBytes(members['output']))
        call.finishUnreported()
      })
    } finally {
      call.detach()
    }
    return output
  }

  fail(error: unknown): unknown {
    const call = this.#call
    if (call === undefined || error instanceof Refused) return error
    if (call.stopped !== undefined) return new Refused(call.stopped.reason)
    if (isNeverSent(error)) refuse(call, error)
    else call.stop(error)
    return error
  }
}

/** A try that costs nothing, or nobody knows what: it ends with its session all the same. */
export class UnmeteredAttempt implements Attempt {
  readonly #ended: AbortSignal | undefined

  /** @param ended the signal of the session, if there is one. */
  constructor(ended: AbortSignal | undefined) {
    this.#ended = ended
  }

  send<A extends Answer>(
    caller: AbortSignal | undefined,
    send: (signal: AbortSignal | undefined) => Promise<A>,
  ): Promise<A> {
    const signals = [this.#ended, caller].filter((signal) => signal !== undefined)
    return send(signals.length < 2 ? signals[0] : AbortSignal.any(signals))
  }

  finish<Output>(output: Output): Output {
    return output
  }

  fail(error: unknown): unknown {
    return this.#ended?.aborted ? new Refused(this.#ended.reason) : error
  }
}

function refusing<T>(step: () => T): T {
  try {
    return step()
  } catch (refusal) {
    throw new Refused(refusal)
  }
}

/** Nothing is charged for what was not served. */
function refuse(call: MeteredCall, error: unknown): void {
  call.detach()
  refusing(() => call.refuse(error))
}
