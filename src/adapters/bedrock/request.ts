import { type InputKind, inputSize } from '../metered/input-size.js'
import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import { estimateTokens } from '../metered/text-size.js'
import type { BedrockOptions } from './settings.js'

/** The input of a command that is metered. */
export interface ConverseRequest {
  readonly bounds: CallBounds
  /** What in it is not metered, if anything is. */
  readonly unmetered: string | undefined
}

/** Input whose tokens do not show in what is sent, by the name of its member. */
const KINDS: Readonly<Record<string, InputKind>> = {
  image: 'unbounded',
  video: 'unbounded',
  audio: 'unbounded',
  document: 'unbounded',
  s3Location: 'unbounded',
  $unknown: 'unbounded',
  input: 'data',
  json: 'data',
}

/** Names that models give the bound of their output, where it is not that of `inferenceConfig`. */
const BOUNDS = ['max_tokens', 'max_completion_tokens', 'max_tokens_to_sample', 'max_new_tokens', 'maxTokens']

/** Tools among `additionalModelRequestFields` that the caller runs. */
const CALLER_TOOLS = /^(custom|function|(bash|computer|memory|text_editor)(_\d+)?)$/

/**
 * Reads the input of Converse and ConverseStream.
 *
 * @throws TypeError for input that is no object, or names no model.
 */
export function readRequest(
  input: unknown,
  isStreamed: boolean,
  { assumeOutputTokens, estimateInputTokens }: BedrockOptions,
): ConverseRequest {
  const body = membersOf(input)
  const model = body?.['modelId']
  if (body === undefined || typeof model !== 'string' || model === '') {
    throw new TypeError('governed: Converse needs a modelId, so that the call can be priced')
  }
  const { modelId: _modelId, requestMetadata: _requestMetadata, ...sent } = body
  const size = inputSize(sent, (name) => (Object.hasOwn(KINDS, name) ? (KINDS[name] as InputKind) : 'part'))
  // A prompt that AWS keeps has text, a model and a bound of its own.
  const isKept = model.includes(':prompt/')
  const estimated = estimateInputTokens?.(body)
  return {
    bounds: {
      model,
      inputTokens: estimated ?? estimateTokens(size.bytes),
      isInputBounded: estimated !== undefined || !(size.isUnbounded || isKept),
      isStreamed,
      maxOutputTokens: outputBound(body) ?? assumeOutputTokens,
    },
    unmetered: unmeteredPart(body),
  }
}

/** Most tokens that a request allows as output; `undefined` where it sets no bound. */
function outputBound(body: Members): number | undefined {
  const more = membersOf(body['additionalModelRequestFields'])
  const bounds = [membersOf(body['inferenceConfig'])?.['maxTokens'], ...BOUNDS.map((name) => more?.[name])]
    .filter((bound) => bound !== undefined && bound !== null)
    .map((bound) => countOf(bound) ?? Number.NaN)
  const most = Math.max(...bounds)
  // No bound at all is -Infinity, and one that nobody can read is none.
  return Number.isSafeInteger(most) ? most : undefined
}

function unmeteredPart(body: Members): string | undefined {
  const tools = membersOf(body['toolConfig'])?.['tools']
  for (const tool of Array.isArray(tools) ? tools : []) {
    const hosted = membersOf(tool)?.['systemTool']
    if (hosted !== undefined) return `the hosted tool ${JSON.stringify(membersOf(hosted)?.['name'])}`
  }
  const more = membersOf(body['additionalModelRequestFields'])?.['tools']
  for (const tool of Array.isArray(more) ? more : []) {
    const type = membersOf(tool)?.['type'] ?? 'custom'
    if (typeof type !== 'string' || !CALLER_TOOLS.test(type)) return `the hosted tool ${JSON.stringify(type)}`
  }
  return undefined
}
