import { type AnySession, UnmeteredRequest } from '../../index.js'
import { targetOf } from '../metered/fetch-target.js'
import { findSession } from '../metered/find-session.js'
import { refusedResponse } from '../metered/refused-response.js'
import { sendMetered } from '../metered/send.js'
import { type GovernedFetchOptions, readFetchOptions } from '../metered/settings.js'
import { observe, sendFree } from '../metered/unmetered.js'
import { governanceOf } from './coverage.js'
import { readEvents } from './events.js'
import { type MeteredRequest, readRequest } from './request.js'
import { readUsage } from './usage.js'

/** What the `fetch` of an OpenAI client can be told. */
export interface OpenAiOptions extends GovernedFetchOptions {
  /**
   * Whether streams of chat completions are asked for their usage where the caller does not ask: the chunk
   * that brings it is hidden. True when absent. False leaves requests as they are, for servers that do not
   * know `stream_options`: such a stream is charged an estimate.
   */
  readonly includeUsage?: boolean
}

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * A `fetch` for OpenAI clients. Every model call is held in the session before it is made, charged once
 * however it ends, and cut off at a limit. One client serves any number of sessions: each call is that of
 * the session it is made in.
 *
 * A refusal reaches the caller of the client as it is: {@link NoSession}, {@link BudgetExceeded},
 * {@link BudgetReserved}, {@link UnpricedModel}, {@link UnmeteredRequest}. The client does not try it again.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const openai = new OpenAI({ fetch: governedFetch() })
 * await agent.session('alice', () => openai.chat.completions.create({ model, messages, max_tokens: 500 }))
 * @see COVERAGE for what is metered and what is not
 */
export function governedFetch(options: OpenAiOptions = {}): Fetch {
  const settings = readFetchOptions('governedFetch', options, ['includeUsage'])
  const { includeUsage = true, fetch: send = globalThis.fetch } = settings
  if (typeof includeUsage !== 'boolean') throw new TypeError('governedFetch.includeUsage: expected a boolean')

  return async (input, init = {}) => {
    let session: AnySession | undefined
    let metered: MeteredRequest | undefined
    try {
      session = findSession(settings)
      if (session !== undefined) metered = admit(session, input, init)
    } catch (refusal) {
      return refusedResponse(refusal)
    }
    if (session === undefined) return send(input, init)
    const { signal: caller } = targetOf(input, init)
    if (metered === undefined) return sendFree(session, caller, (signal) => send(input, { ...init, signal }))
    const { bounds, body, hidesUsage } = metered
    return sendMetered(session, bounds, caller, (signal) => send(input, { ...init, body, signal }), {
      ofReply: readUsage,
      ofEvents: () => readEvents(hidesUsage),
      hides: hidesUsage,
    })
  }

  /** What is to be metered of a request that may be made; `undefined` where nothing is. */
  function admit(
    session: AnySession,
    input: string | URL | Request,
    init: RequestInit,
  ): MeteredRequest | undefined {
    const { method, path } = targetOf(input, init)
    const governance = governanceOf(method, path)
    const metered =
      governance === 'metered' ? readRequest(path, init.body, includeUsage, settings) : undefined
    const part = governance === 'unmetered' ? `${method} ${path}` : metered?.unmetered
    if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
    if (governance === 'unmetered') observe(session, `${method} ${path}`)
    // Holds nothing, and so throws what ended the session, if anything has.
    if (governance === 'free') session.reserve({}).release()
    return metered
  }
}
