import type { AnySession } from '../../index.js'
import { type EventReading, meteredBody } from './metered-body.js'
import type { CallBounds, ReportedTokens } from './metered-call.js'
import { MeteredCall } from './metered-call.js'
import { refusedResponse } from './refused-response.js'
import { utf8Bytes } from './text-size.js'

/** How a provider says what a call used. */
export interface UsageReader {
  /** What a reply says that it used; `undefined` where it does not say. */
  readonly ofReply: (reply: unknown) => ReportedTokens | undefined
  /** What an event of a stream says; made once for each stream. */
  readonly ofEvents: () => (data: string) => EventReading
  /** Whether the reader of events hides any. */
  readonly hides: boolean
  /** True for replies without output that is charged, such as embeddings: they are no text to estimate. */
  readonly isTextless?: boolean
  /** The response in the place of one that is refused, or a throw; {@link refusedResponse} when absent. */
  readonly refused?: (refusal: unknown) => Response
}

/** Why a provider did not serve a request; recorded by its name and code. */
interface HttpFailure {
  readonly name: 'HttpError'
  readonly code: string
}

/** Codes of connections that were never made: nothing was asked, so nothing is charged. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Clients wrap the error of `fetch`, which has that of the connection as its cause. */
const MAX_CAUSES = 5

/**
 * Makes one model call over HTTP under a session, and meters what comes back. A refusal comes back as a
 * response that throws it; a connection that fails rejects, as `fetch` does.
 *
 * @param send makes the request with the signal that it is given.
 */
export async function sendMetered(
  session: AnySession,
  bounds: CallBounds,
  caller: AbortSignal | undefined,
  send: (signal: AbortSignal) => Promise<Response>,
  usage: UsageReader,
): Promise<Response> {
  const { refused = refusedResponse } = usage
  let call: MeteredCall
  try {
    call = new MeteredCall(session, bounds, caller)
  } catch (refusal) {
    return refused(refusal)
  }
  try {
    const response = await send(call.signal)
    if (!response.ok) return refuse(call, response, refused)
    const type = response.headers.get('content-type') ?? ''
    if (response.body !== null && type.toLowerCase().includes('text/event-stream')) {
      return withBody(response, meteredBody(response.body, call, usage.ofEvents(), usage.hides))
    }
    return await whole(call, response, usage, refused)
  } catch (error) {
    if (isNeverSent(error)) call.refuse(error)
    else call.stop(error)
    if (call.stopped !== undefined) return refused(call.stopped.reason)
    throw error
  }
}

/** A reply that is not streamed is charged before anybody sees it. */
async function whole(
  call: MeteredCall,
  response: Response,
  usage: UsageReader,
  refused: (refusal: unknown) => Response,
): Promise<Response> {
  const text = await response.text()
  const reported = usage.ofReply(parse(text))
  try {
    if (reported === undefined) {
      call.receive(usage.isTextless === true ? 0 : utf8Bytes(text))
      call.finishUnreported()
    } else call.finish(reported)
  } catch (refusal) {
    return refused(refusal)
  } finally {
    call.detach()
  }
  return withBody(response, text)
}

/** Providers charge nothing for what they did not serve. */
function refuse(call: MeteredCall, response: Response, refused: (refusal: unknown) => Response): Response {
  const failure: HttpFailure = { name: 'HttpError', code: `HTTP_${response.status}` }
  call.detach()
  try {
    call.refuse(failure)
  } catch (refusal) {
    return refused(refusal)
  }
  return response
}

function withBody(response: Response, body: ReadableStream<Uint8Array> | string): Response {
  const { status, statusText, headers, url } = response
  const replaced = new Response(body, { status, statusText, headers })
  Object.defineProperty(replaced, 'url', { value: url })
  return replaced
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether an error says that the request never reached anybody. */
export function isNeverSent(error: unknown): boolean {
  let cause = error
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if ('code' in cause && NEVER_SENT.has(cause.code)) return true
    cause = cause.cause
  }
  return false
}
