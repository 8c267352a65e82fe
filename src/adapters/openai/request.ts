import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import { parseBody } from '../metered/request-body.js'
import type { GovernedFetchOptions } from '../metered/settings.js'
import { type BodyText, textOfBody } from '../metered/text-of-body.js'
import { estimateTokens } from '../metered/text-size.js'

/** A request that is metered. */
export interface MeteredRequest {
  readonly bounds: CallBounds
  /** The body to send. */
  readonly body: string
  /** True where usage was asked for in the caller's stead: the chunk that brings it is to be hidden. */
  readonly hidesUsage: boolean
  /** What in it is not metered, if anything is. */
  readonly unmetered: string | undefined
}

/** Tools that the caller runs. All others are run by OpenAI, for fees of their own and past the session. */
const CALLER_TOOLS: ReadonlySet<unknown> = new Set([
  'function',
  'custom',
  'local_shell',
  'apply_patch',
  'computer',
  'computer_use_preview',
  'namespace',
])

/** Input whose tokens do not show in what is sent: pictures, sound, files, what the server has kept. */
const UNBOUNDED_TYPES: ReadonlySet<unknown> = new Set([
  'image_url',
  'input_image',
  'input_audio',
  'file',
  'input_file',
  'image_file',
  'item_reference',
])
const UNBOUNDED_MEMBERS = ['previous_response_id', 'conversation'] as const

/**
 * Reads the request of a metered endpoint.
 *
 * @throws TypeError for a body that is no JSON object, or without a model in it or in the path.
 */
export function readRequest(
  path: string,
  text: unknown,
  includeUsage: boolean,
  { assumeOutputTokens, estimateInputTokens }: GovernedFetchOptions,
): MeteredRequest {
  const body = parseBody(`governedFetch: ${path}`, text)
  const seen = measureInput(body)
  const isKept =
    UNBOUNDED_MEMBERS.some((name) => (body[name] ?? undefined) !== undefined) ||
    membersOf(body['prompt'])?.['id'] !== undefined
  const estimated = estimateInputTokens?.(body)
  const hidesUsage =
    includeUsage && body['stream'] === true && /completions\/?$/.test(path) && !hasUsage(body)
  return {
    bounds: {
      model: readModel(path, body),
      inputTokens: estimated ?? estimateTokens(seen.bytes),
      isInputBounded: estimated !== undefined || !(seen.isUnbounded || isKept),
      isStreamed: body['stream'] === true,
      maxOutputTokens: /embeddings\/?$/.test(path) ? 0 : (outputBound(path, body) ?? assumeOutputTokens),
    },
    body: hidesUsage
      ? JSON.stringify({
          ...body,
          stream_options: { ...membersOf(body['stream_options']), include_usage: true },
        })
      : (text as string),
    hidesUsage,
    unmetered: unmeteredPart(body),
  }
}

/** The model as the request names it; Azure may name it in the path alone. */
function readModel(path: string, body: Members): string {
  const { model } = body
  if (typeof model === 'string' && model !== '') return model
  const deployment = /\/deployments\/([^/]+)\//.exec(path)?.[1]
  if (deployment !== undefined) return decodeURIComponent(deployment)
  throw new TypeError(`governedFetch: ${path} needs a model, so that the call can be priced`)
}

const hasUsage = (body: Members): boolean => membersOf(body['stream_options'])?.['include_usage'] === true

/** Most tokens that a request allows as output; `undefined` where it sets no bound. */
function outputBound(path: string, body: Members): number | undefined {
  const each =
    countOf(body['max_completion_tokens']) ??
    countOf(body['max_output_tokens']) ??
    countOf(body['max_tokens'])
  if (each === undefined || /responses(\/compact)?\/?$/.test(path)) return each
  const bound = each * Math.max(countOf(body['n']) ?? 1, countOf(body['best_of']) ?? 1, prompts(body))
  return Number.isSafeInteger(bound) ? bound : undefined
}

/** How many prompts one request of the older completions has. */
function prompts({ prompt }: Members): number {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1
}

function unmeteredPart(body: Members): string | undefined {
  if (body['background'] === true) return 'a response in the background'
  if ((body['web_search_options'] ?? undefined) !== undefined) return 'web_search_options'
  const tools = body['tools']
  if (!Array.isArray(tools)) return undefined
  for (const tool of tools) {
    const type = membersOf(tool)?.['type']
    if (!CALLER_TOOLS.has(type)) return `the hosted tool ${JSON.stringify(type)}`
  }
  return undefined
}

/** Bytes of text of a request, and whether it has input whose tokens do not show. */
export function measureInput(body: unknown): BodyText {
  return textOfBody(body, ({ type }) => UNBOUNDED_TYPES.has(type))
}
