import { type AnySession, UnmeteredRequest } from '../../index.js'
import { targetOf } from '../metered/fetch-target.js'
import { findSession } from '../metered/find-session.js'
import { refusedResponse } from '../metered/refused-response.js'
import { sendMetered } from '../metered/send.js'
import { type GovernedFetchOptions, readFetchOptions } from '../metered/settings.js'
import { observe, sendFree } from '../metered/unmetered.js'
import { governanceOf } from './coverage.js'
import { readEvent } from './events.js'
import { cancelledWhenReleased } from './release.js'
import { type MeteredRequest, readRequest } from './request.js'
import { readUsage } from './usage.js'

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** The client looks at these while it would still try again; a 403 it does not. */
const refused = (refusal: unknown): Response => refusedResponse(refusal, ['ok', 'status'])

/**
 * A `fetch` for clients of Google Gen AI, of the Gemini API and of Vertex AI. Every model call is held in the
 * session before it is made, charged once however it ends, and cut off at a limit; each call that automatic
 * function calling makes is one. One client serves any number of sessions: each call is that of the session
 * it is made in.
 *
 * A refusal reaches the caller of the client as it is: {@link NoSession}, {@link BudgetExceeded},
 * {@link BudgetReserved}, {@link UnpricedModel}, {@link UnmeteredRequest}. The client does not try it again.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const ai = new GoogleGenAI({ apiKey, httpOptions: { fetch: governedFetch() } })
 * await agent.session('alice', () => ai.models.generateContent({ model, contents }))
 * @see COVERAGE for what is metered and what is not
 */
export function governedFetch(options: GovernedFetchOptions = {}): Fetch {
  const settings = readFetchOptions('governedFetch', options, [])
  const { fetch: send = globalThis.fetch } = settings

  return async (input, init = {}) => {
    let session: AnySession | undefined
    let metered: MeteredRequest | undefined
    try {
      session = findSession(settings)
      if (session !== undefined) metered = admit(session, input, init)
    } catch (refusal) {
      return refused(refusal)
    }
    if (session === undefined) return send(input, init)
    const { signal: caller } = targetOf(input, init)
    const sendWith = (signal: AbortSignal): Promise<Response> => send(input, { ...init, signal })
    if (metered === undefined) return sendFree(session, caller, sendWith, refused)
    let isStreamed = false
    const response = await sendMetered(session, metered.bounds, caller, sendWith, {
      ofReply: readUsage,
      ofEvents: () => {
        isStreamed = true
        return readEvent
      },
      hides: false,
      isTextless: metered.isEmbedding,
      refused,
    })
    return isStreamed ? cancelledWhenReleased(response) : response
  }

  /** What is to be metered of a request that may be made; `undefined` where nothing is. */
  function admit(
    session: AnySession,
    input: string | URL | Request,
    init: RequestInit,
  ): MeteredRequest | undefined {
    const { method, path } = targetOf(input, init)
    const governance = governanceOf(method, path)
    const metered = governance === 'metered' ? readRequest(path, init.body, settings) : undefined
    const part = governance === 'unmetered' ? `${method} ${path}` : metered?.unmetered
    if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
    if (governance === 'unmetered') observe(session, `${method} ${path}`)
    // Holds nothing, and so throws what ended the session, if anything has.
    if (governance === 'free') session.reserve({}).release()
    return metered
  }
}
