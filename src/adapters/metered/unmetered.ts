import type { AnySession } from '../../index.js'
import { refusedResponse } from './refused-response.js'

/** A request that may pass though nobody knows what it costs: it counts as a model call, and is on record. */
export function observe(session: AnySession, what: string): void {
  session.recordLlm({
    model: what.slice(0, 256),
    inputTokens: 0,
    outputTokens: 0,
    costUsd: 0,
    estimated: true,
  })
}

/** A request that costs nothing ends with its session all the same. */
export async function sendFree(
  { signal: ended }: AnySession,
  caller: AbortSignal | undefined,
  send: (signal: AbortSignal) => Promise<Response>,
  refused: (refusal: unknown) => Response = refusedResponse,
): Promise<Response> {
  try {
    return await send(caller === undefined ? ended : AbortSignal.any([ended, caller]))
  } catch (error) {
    if (ended.aborted) return refused(ended.reason)
    throw error
  }
}
