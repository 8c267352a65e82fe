import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import type { GovernedCallOptions } from '../metered/settings.js'
import { textOfBody } from '../metered/text-of-body.js'
import { estimateTokens } from '../metered/text-size.js'

/** What governing a model can be told. */
export interface GovernedModelOptions extends GovernedCallOptions {
  /** The name that the model has in the prices; without it, its `modelId`. */
  readonly model?: string
}

/** What a model says of itself. */
export interface ModelName {
  readonly modelId: string
  readonly provider: string
}

/** Parts of a prompt whose tokens do not show in what is sent: pictures, sound, files. */
const UNBOUNDED_TYPES: ReadonlySet<unknown> = new Set([
  'file',
  'image',
  'media',
  'reasoning-file',
  'file-data',
  'file-url',
  'file-id',
  'file-reference',
  'image-data',
  'image-url',
  'image-file-id',
])

/** Options of providers that stand for input which is kept elsewhere. */
const KEPT_INPUT = ['previousResponseId', 'conversation', 'cachedContent', 'container', 'promptId'] as const

/** Options of providers that set a bound of their own, or let one call make more than one output. */
const OUTPUT_BOUNDS = ['maxCompletionTokens', 'maxOutputTokens', 'maxTokens', 'max_tokens', 'n'] as const

/** Levels of reasoning that leave the bound on the output as it is. */
const PLAIN_REASONING: ReadonlySet<unknown> = new Set([undefined, 'provider-default', 'none'])

/** Tools of providers that the program runs. All others are run by the provider, for fees of their own. */
const CALLER_TOOL =
  /^(openai\.(local_shell|apply_patch|custom|computer)|anthropic\.(bash|computer|text_editor|memory)_\d{8})$/

/** What is known of a call of a language model before it is made. */
export function readBounds(
  model: ModelName,
  params: Members,
  isStreamed: boolean,
  { assumeOutputTokens, estimateInputTokens, model: name }: GovernedModelOptions,
): CallBounds {
  const { prompt, tools, toolChoice, responseFormat, providerOptions } = params
  const seen = textOfBody({ prompt, tools, toolChoice, responseFormat, providerOptions }, ({ type }) =>
    UNBOUNDED_TYPES.has(type),
  )
  const options = Object.values(membersOf(providerOptions) ?? {}).map((one) => membersOf(one) ?? {})
  const has = (member: string): boolean => options.some((one) => (one[member] ?? undefined) !== undefined)
  const estimated = estimateInputTokens?.(params)
  return {
    model: name ?? model.modelId,
    inputTokens: estimated ?? estimateTokens(seen.bytes),
    isInputBounded: estimated !== undefined || !(seen.isUnbounded || KEPT_INPUT.some(has)),
    isStreamed,
    maxOutputTokens:
      (OUTPUT_BOUNDS.some(has) ? undefined : outputBound(model, params, options)) ?? assumeOutputTokens,
  }
}

/** Most tokens that a call allows as output; `undefined` where nobody can say. */
function outputBound(
  { provider }: ModelName,
  { maxOutputTokens, reasoning }: Members,
  options: readonly Members[],
): number | undefined {
  const bound = countOf(maxOutputTokens)
  if (bound === undefined) return undefined
  // Elsewhere a level stands for a budget of its own, beside the bound.
  if (!PLAIN_REASONING.has(reasoning) && !/^(openai|azure)/.test(provider)) return undefined
  const thinking = options.map(
    (one) =>
      membersOf(one['thinking'])?.['budgetTokens'] ?? membersOf(one['reasoningConfig'])?.['budgetTokens'],
  )
  const total = thinking.reduce<number>((sum, budget) => sum + (countOf(budget) ?? 0), bound)
  return Number.isSafeInteger(total) ? total : undefined
}

/** What is known of a call of an embedding model before it is made. */
export function readEmbedBounds(
  { modelId }: ModelName,
  params: Members,
  { estimateInputTokens, model: name }: GovernedModelOptions,
): CallBounds {
  const seen = textOfBody(params['values'], () => false)
  return {
    model: name ?? modelId,
    inputTokens: estimateInputTokens?.(params) ?? estimateTokens(seen.bytes),
    isInputBounded: true,
    isStreamed: false,
    maxOutputTokens: 0,
  }
}

/** What in a call is not metered, if anything is. */
export function unmeteredPart({ tools, providerOptions }: Members): string | undefined {
  for (const options of Object.values(membersOf(providerOptions) ?? {})) {
    if (membersOf(options)?.['background'] === true) return 'a response in the background'
  }
  for (const tool of Array.isArray(tools) ? tools : []) {
    const { type, id, args } = membersOf(tool) ?? {}
    if (type !== 'function' && !isCallerTool(id, args)) {
      return `the tool ${JSON.stringify(id ?? type)} of the provider`
    }
  }
  return undefined
}

/** True for a tool of a provider that the program runs. */
export function isCallerTool(id: unknown, args: unknown): boolean {
  const environment = membersOf(membersOf(args)?.['environment'])?.['type']
  if (id === 'openai.shell') return environment === undefined || environment === 'local'
  return CALLER_TOOL.test(String(id))
}
