import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import { parseBody } from '../metered/request-body.js'
import type { GovernedCallOptions } from '../metered/settings.js'
import { textOfBody } from '../metered/text-of-body.js'
import { estimateTokens } from '../metered/text-size.js'
import { unmeteredPart } from './unmetered-part.js'

/** A request that is metered. */
export interface MeteredRequest {
  readonly bounds: CallBounds
  /** Whether it asks for a cache that is kept for an hour. */
  readonly asksForHour: boolean
  /** What in it is not metered, if anything is. */
  readonly unmetered: string | undefined
}

/**
 * Reads the request for a message.
 *
 * @throws TypeError for a body that is no JSON object, or without a model.
 */
export function readRequest(
  path: string,
  text: unknown,
  { assumeOutputTokens, estimateInputTokens }: GovernedCallOptions,
): MeteredRequest {
  const label = `governedMiddleware: ${path}`
  const body = parseBody(label, text)
  const { model } = body
  if (typeof model !== 'string' || model === '') {
    throw new TypeError(`${label} needs a model, so that the call can be priced`)
  }
  const seen = textOfBody(body, isMedia)
  const unmetered = unmeteredPart(body)
  const isMore = seen.isUnbounded || unmetered !== undefined || readsMore(body)
  const estimated = estimateInputTokens?.(body)
  return {
    bounds: {
      model,
      inputTokens: estimated ?? estimateTokens(seen.bytes),
      isInputBounded: estimated !== undefined || !isMore,
      // Thinking is within this bound too.
      maxOutputTokens: countOf(body['max_tokens']) ?? assumeOutputTokens,
      isStreamed: body['stream'] === true,
    },
    asksForHour: /"ttl"\s*:\s*"1h"/.test(text as string),
    unmetered,
  }
}

const ENCODED: ReadonlySet<unknown> = new Set(['base64', 'url', 'file'])

/** Pictures and files: their tokens do not show in what is sent. */
function isMedia({ type, source }: Members): boolean {
  return type === 'container_upload' || ENCODED.has(membersOf(source)?.['type'])
}

/**
 * Whether the model reads more than what is sent: a conversation that the server has kept, or its own output,
 * once more or with what a search of the tools has found.
 */
function readsMore(body: Members): boolean {
  const { thread, compaction, context_management: management, tools } = body
  return (
    membersOf(thread)?.['type'] === 'continue' ||
    membersOf(compaction) !== undefined ||
    typesOf(membersOf(management)?.['edits']).some((type) => type.startsWith('compact_')) ||
    typesOf(tools).some((type) => type.startsWith('tool_search_tool_'))
  )
}

function typesOf(list: unknown): string[] {
  return Array.isArray(list) ? list.map((one) => String(membersOf(one)?.['type'])) : []
}
