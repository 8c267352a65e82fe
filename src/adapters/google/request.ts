import { type InputKind, inputSize } from '../metered/input-size.js'
import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import { parseBody } from '../metered/request-body.js'
import type { GovernedFetchOptions } from '../metered/settings.js'
import { estimateTokens } from '../metered/text-size.js'

/** A request that is metered. */
export interface MeteredRequest {
  readonly bounds: CallBounds
  /** What in it is not metered, if anything is. */
  readonly unmetered: string | undefined
  /** True for a reply that has no text which is charged. */
  readonly isEmbedding: boolean
}

/**
 * Input whose tokens do not show in what is sent, and data that is not read for such. The API takes each name
 * in both spellings.
 */
const KINDS: Readonly<Record<string, InputKind>> = {
  inlineData: 'unbounded',
  inline_data: 'unbounded',
  fileData: 'unbounded',
  file_data: 'unbounded',
  cachedContent: 'unbounded',
  cached_content: 'unbounded',
  args: 'data',
  response: 'data',
  parameters: 'data',
  parametersJsonSchema: 'data',
  responseSchema: 'data',
  responseJsonSchema: 'data',
}

/** Tools that the caller runs. All others are run by Google, for fees of their own and past the session. */
const CALLER_TOOLS: ReadonlySet<string> = new Set([
  'functionDeclarations',
  'function_declarations',
  'computerUse',
  'computer_use',
])

/**
 * Reads the request of a metered endpoint.
 *
 * @throws TypeError for a body that is no JSON object.
 */
export function readRequest(
  path: string,
  text: unknown,
  { assumeOutputTokens, estimateInputTokens }: GovernedFetchOptions,
): MeteredRequest {
  const body = parseBody(`governedFetch: ${path}`, text)
  const size = inputSize(body, (name) => (Object.hasOwn(KINDS, name) ? (KINDS[name] as InputKind) : 'part'))
  const estimated = estimateInputTokens?.(body)
  const isEmbedding = /:(embedContent|batchEmbedContents)\/?$/.test(path)
  return {
    bounds: {
      model: modelOf(path),
      inputTokens: estimated ?? estimateTokens(size.bytes),
      isInputBounded: estimated !== undefined || !size.isUnbounded,
      isStreamed: /:streamGenerateContent\/?$/.test(path),
      maxOutputTokens: isEmbedding ? 0 : (outputBound(body) ?? assumeOutputTokens),
    },
    unmetered: hostedTool(body),
    isEmbedding,
  }
}

/** `gemini-2.5-flash` for a model; `tunedModels/…` and `endpoints/…` for what is somebody's own. */
function modelOf(path: string): string {
  const [, kind = '', name = ''] = /([^/]+)\/([^/]+):[^:/]+\/?$/.exec(path) ?? []
  const model = decodeURIComponent(name)
  return kind === 'models' ? model : `${kind}/${model}`
}

/** Most tokens that a request allows as output; `undefined` where it sets no bound. Thoughts are within it. */
function outputBound(body: Members): number | undefined {
  const configs = [membersOf(body['generationConfig']), membersOf(body['generation_config'])]
  const each = largest(configs, ['maxOutputTokens', 'max_output_tokens'])
  const choices = largest(configs, ['candidateCount', 'candidate_count'])
  const bound = (each ?? Number.NaN) * Math.max(choices ?? 1, 1)
  return Number.isSafeInteger(bound) ? bound : undefined
}

/** The largest count that any of the names has; NaN where one of them has something else. */
function largest(configs: readonly (Members | undefined)[], names: readonly string[]): number | undefined {
  const given = configs
    .flatMap((config) => names.map((name) => config?.[name]))
    .filter((value) => value !== undefined && value !== null)
  return given.length === 0 ? undefined : Math.max(...given.map((value) => countOf(value) ?? Number.NaN))
}

function hostedTool(body: Members): string | undefined {
  const { tools } = body
  if (tools === undefined || tools === null) return undefined
  for (const tool of Array.isArray(tools) ? tools : [tools]) {
    for (const name of Object.keys(membersOf(tool) ?? { [String(tool)]: tool })) {
      if (!CALLER_TOOLS.has(name)) return `the hosted tool ${JSON.stringify(name)}`
    }
  }
  return undefined
}
