import { Buffer } from 'node:buffer'
import { PARSE_ERROR } from './parse-message.js'
import { SseEvents } from './sse-events.js'
import { ConnectionFailed, WireError } from './wire-error.js'

/** What came of a response. */
export interface Received {
  /** True when the answer that was waited for was in it. */
  readonly isAnswered: boolean
  /** Where a stream that broke off goes on; empty where it does not. */
  readonly lastEventId: string
  readonly retryMs: number | undefined
}

/**
 * Hands the messages of a response to `take`, which says of each whether it is the one that is waited for. A
 * stream that breaks off is no error here: it may go on from its last event.
 *
 * @throws {@link ConnectionFailed} for a body that holds no messages; {@link WireError} for one too large.
 */
export async function receive(
  response: Response,
  maxBytes: number,
  take: (text: string) => boolean,
): Promise<Received> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (type === 'text/event-stream') return receiveStream(response, maxBytes, take)
  if (type !== 'application/json') {
    await response.body?.cancel()
    throw new ConnectionFailed(`it sent ${type === '' ? 'nothing' : 'no message'}`)
  }
  return { isAnswered: take(await bodyText(response, maxBytes)), lastEventId: '', retryMs: undefined }
}

/** Why a status is no answer. */
export function refusal({ status, headers }: Response): string {
  if (status >= 300 && status < 400) {
    return `it redirects (${status}), which is not followed${headers.has('location') ? '; name the right URL' : ''}`
  }
  return `it answered with status ${status}`
}

async function receiveStream(
  response: Response,
  maxBytes: number,
  take: (text: string) => boolean,
): Promise<Received> {
  const events = new SseEvents(maxBytes)
  let isAnswered = false
  try {
    for await (const chunk of chunksOf(response)) {
      events.push(chunk, ({ type, data }) => {
        if (type === 'message' && take(data)) isAnswered = true
      })
    }
  } catch (error) {
    if (error instanceof WireError) throw error
  }
  return { isAnswered, lastEventId: events.lastEventId, retryMs: events.retryMs }
}

async function bodyText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunksOf(response)) {
    size += chunk.length
    // Leaving the loop cancels the body.
    if (size > maxBytes) throw new WireError(`a message of more than ${maxBytes} bytes`, PARSE_ERROR)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new WireError('bytes that are no UTF-8', PARSE_ERROR)
  }
}

function chunksOf({ body }: Response): AsyncIterable<Uint8Array> {
  return (body ?? []) as unknown as AsyncIterable<Uint8Array>
}
