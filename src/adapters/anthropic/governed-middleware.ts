import type { Middleware } from '@anthropic-ai/sdk'
import { type AnySession, UnmeteredRequest } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { refusedResponse } from '../metered/refused-response.js'
import { sendMetered } from '../metered/send.js'
import { type GovernedCallOptions, readCallOptions } from '../metered/settings.js'
import { observe, sendFree } from '../metered/unmetered.js'
import { governanceOf } from './coverage.js'
import { readEvents } from './events.js'
import { type MeteredRequest, readRequest } from './request.js'
import { readUsage } from './usage.js'

/** Requests that are metered already: a chain with this middleware twice counts them once. */
const METERED = new WeakSet<AbortSignal>()

/**
 * A middleware for clients of Anthropic. Every model call is held in the session before it is made, charged
 * once however it ends, and cut off at a limit. One client serves any number of sessions: each call is that of
 * the session it is made in. It goes last in the list, so that it sees every request that the others make.
 *
 * A refusal reaches the caller of the client as it is: {@link NoSession}, {@link BudgetExceeded},
 * {@link BudgetReserved}, {@link UnpricedModel}, {@link UnmeteredRequest}. The client does not try it again.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const anthropic = new Anthropic({ middleware: [governedMiddleware()] })
 * await agent.session('alice', () => anthropic.messages.create({ model, messages, max_tokens: 500 }))
 * @see COVERAGE for what is metered and what is not
 */
export function governedMiddleware(options: GovernedCallOptions = {}): Middleware {
  const settings = readCallOptions('governedMiddleware', options, [])

  return async (request, next) => {
    const { url, method: given = 'GET', signal: caller } = request
    const method = given.toUpperCase()
    const { pathname: path } = new URL(url)
    const governance = governanceOf(method, path)
    if (governance === 'outside' || (caller && METERED.has(caller))) return next(request)
    const session = findSession(settings)
    if (session === undefined) return next(request)
    const refused = refuser(session)
    let metered: MeteredRequest | undefined
    try {
      metered = governance === 'metered' ? readRequest(path, request.body, settings) : undefined
      const part = governance === 'unmetered' ? `${method} ${path}` : metered?.unmetered
      if (part !== undefined && settings.unmetered !== 'observe') throw new UnmeteredRequest(part)
      if (governance === 'unmetered') observe(session, `${method} ${path}`)
      // Holds nothing, and so throws what ended the session, if anything has.
      if (governance === 'free') session.reserve({}).release()
    } catch (refusal) {
      return refused(refusal)
    }
    const send = (signal: AbortSignal): Promise<Response> => {
      // That of the session stands for no request.
      if (signal !== session.signal) METERED.add(signal)
      return next({ ...request, signal })
    }
    if (metered === undefined) return sendFree(session, caller ?? undefined, send, refused)
    const { bounds, asksForHour } = metered
    return sendMetered(session, bounds, caller ?? undefined, send, {
      ofReply: (reply) => readUsage((reply as { usage?: unknown } | undefined)?.usage, asksForHour),
      ofEvents: () => readEvents(asksForHour),
      hides: false,
      refused,
    })
  }
}

/**
 * How a refusal reaches the caller of the client.
 *
 * It is thrown, unless the client could take it for a broken connection, and try again and wrap it: what once
 * aborted a request, and whatever speaks of time. What reading a response throws is none of that to it; but it
 * then stays on the caller's signal, which is why that is not done always.
 */
function refuser(session: AnySession): (refusal: unknown) => Response {
  return (refusal) => {
    if (session.signal.aborted || /time/i.test(String(refusal))) {
      return refusedResponse(refusal, ['body', 'bodyUsed'])
    }
    throw refusal
  }
}
