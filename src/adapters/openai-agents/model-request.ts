import type { ModelRequest } from '@openai/agents'
import { membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import type { GovernedFetchOptions } from '../metered/settings.js'
import { estimateTokens } from '../metered/text-size.js'
import { measureInput } from '../openai/request.js'

type Members = Readonly<Record<string, unknown>>

/** Tools that the caller runs. All others are run by the provider, for fees of their own. */
const CALLER_TOOLS: ReadonlySet<string> = new Set(['function', 'computer', 'shell', 'apply_patch'])

/** Members of what is sent besides, that say how much may come back. */
const OUTPUT_MEMBERS = [
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'maxTokens',
  'n',
  'best_of',
]

/** What is known of a model call before it is made. */
export function readBounds(
  model: string,
  request: ModelRequest,
  isStreamed: boolean,
  { assumeOutputTokens, estimateInputTokens }: GovernedFetchOptions,
): CallBounds {
  const { modelSettings, systemInstructions, input, tools, outputType, handoffs } = request
  const sent = sentBesides(request)
  const seen = measureInput({ systemInstructions, input, tools, outputType, handoffs, sent })
  const isKept = [request.previousResponseId, request.conversationId, request.prompt].some(
    (kept) => (kept ?? undefined) !== undefined,
  )
  const estimated = estimateInputTokens?.(request as unknown as Members)
  // What is sent besides may raise the bound: then there is none.
  const isOverridden = OUTPUT_MEMBERS.some((name) => (sent[name] ?? undefined) !== undefined)
  const bound = isOverridden ? undefined : modelSettings.maxTokens
  const named = sent['model']
  return {
    model: typeof named === 'string' && named !== '' ? named : model,
    inputTokens: estimated ?? estimateTokens(seen.bytes),
    isInputBounded: estimated !== undefined || !(seen.isUnbounded || isKept),
    isStreamed,
    maxOutputTokens: isCount(bound) ? bound : assumeOutputTokens,
  }
}

/** What in a request is not metered, if anything is. */
export function unmeteredPart(request: ModelRequest): string | undefined {
  if (sentBesides(request)['background'] === true) return 'a response in the background'
  for (const tool of request.tools) {
    const environment = membersOf(membersOf(tool)?.['environment'])?.['type']
    const isHosted = !CALLER_TOOLS.has(tool.type) || (environment !== undefined && environment !== 'local')
    if (isHosted) return `the hosted tool ${JSON.stringify(membersOf(tool)?.['name'] ?? tool.type)}`
  }
  return undefined
}

/** What goes into the request as it stands, past the settings that the SDK knows. */
function sentBesides({ modelSettings }: ModelRequest): Members {
  const data = membersOf(modelSettings.providerData) ?? {}
  return { ...data, ...membersOf(data['extra_body']), ...membersOf(data['extraBody']) }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
