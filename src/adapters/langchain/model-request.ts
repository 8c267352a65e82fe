import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
import type { BaseMessage } from '@langchain/core/messages'
import { toJsonSchema } from '@langchain/core/utils/json_schema'
import { countOf, type Members, membersOf } from '../metered/members.js'
import type { CallBounds } from '../metered/metered-call.js'
import { estimateTokens } from '../metered/text-size.js'
import { measureInput } from '../openai/request.js'
import type { GovernedModelOptions } from './model-options.js'

// biome-ignore lint/suspicious/noExplicitAny: a chat model of any options and output, as LangChain itself writes it
export type ChatModel = BaseChatModel<any, any>

/** Blocks of content whose tokens are those of their text. All others are pictures, sound, files and the like. */
const TEXT_BLOCKS: ReadonlySet<unknown> = new Set([
  'text',
  'text_delta',
  'input_text',
  'output_text',
  'refusal',
  'reasoning',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'tool_call',
  'tool_call_chunk',
  'tool_result',
  'function_call',
  'input_json_delta',
])

/** Tools of a provider that the caller runs. */
const CALLER_TOOLS = /^(function|custom|local_shell|apply_patch|computer|bash_|text_editor_|memory_)/

/** Members of a request that have the provider run tools, beside those that are listed. */
const HOSTED_MEMBERS = ['web_search_options', 'search_parameters', 'mcp_servers'] as const

/** Members of a request that stand for input which the provider has kept. */
const KEPT_MEMBERS = ['previous_response_id', 'conversation', 'prompt', 'container'] as const

/** What makes a definition one of a function that the caller runs, whatever the provider. */
const FUNCTION_MEMBERS = ['input_schema', 'inputSchema', 'parameters', 'toolSpec', 'schema'] as const

/** Names that providers have for the most tokens of output. */
const BOUNDS = [
  'max_completion_tokens',
  'max_output_tokens',
  'max_tokens',
  'maxCompletionTokens',
  'maxOutputTokens',
  'maxTokens',
  'max_new_tokens',
  'num_predict',
  'numPredict',
] as const

/**
 * What is known of a call before it is made.
 *
 * @throws TypeError where nobody says which model it is.
 */
export function readBounds(
  model: ChatModel,
  messages: readonly BaseMessage[],
  options: Members,
  isStreamed: boolean,
  settings: GovernedModelOptions,
): CallBounds {
  const parameters = parametersOf(model, options)
  const estimated = settings.estimateInputTokens?.(messages)
  const seen = measureInput([
    messages.map(({ content, ...message }) => [content, membersOf(message)?.['tool_calls']]),
    toolsOf(parameters, options).map(schemaOf),
    parameters['response_format'],
  ])
  const isText = messages.every(({ content }) => isTextOnly(content))
  return {
    model: settings.model ?? nameOf(model, parameters, options),
    inputTokens: estimated ?? estimateTokens(seen.bytes),
    isInputBounded:
      estimated !== undefined ||
      (isText && !seen.isUnbounded && !KEPT_MEMBERS.some((name) => isSet(parameters[name]))),
    maxOutputTokens: outputBound(model, parameters, options) ?? settings.assumeOutputTokens,
    isStreamed,
  }
}

/** What in a call is not metered, if anything is. */
export function unmeteredPart(model: ChatModel, options: Members): string | undefined {
  const parameters = parametersOf(model, options)
  const hosted = toolsOf(parameters, options).find((tool) => !isCallerTool(tool))
  if (hosted !== undefined) return `the hosted tool ${nameOfTool(hosted)}`
  if (parameters['background'] === true) return 'a response in the background'
  return HOSTED_MEMBERS.find((name) => isSet(parameters[name]))
}

const isSet = (value: unknown): boolean =>
  (value ?? undefined) !== undefined && !(Array.isArray(value) && value.length === 0)

/** The parameters as the provider gets them; some models want options that not every caller has. */
function parametersOf(model: ChatModel, options: Members): Members {
  try {
    return { ...membersOf(model.invocationParams(options as never)) }
  } catch {
    return {}
  }
}

function toolsOf(parameters: Members, options: Members): readonly unknown[] {
  return [parameters['tools'], options['tools']].find(Array.isArray) ?? []
}

function isCallerTool(tool: unknown): boolean {
  const members = membersOf(tool)
  if (members === undefined) return false
  const { type } = members
  if (typeof type === 'string') return CALLER_TOOLS.test(type)
  if ('functionDeclarations' in members) return Object.keys(members).length === 1
  return FUNCTION_MEMBERS.some((name) => members[name] !== undefined)
}

function nameOfTool(tool: unknown): string {
  const members = membersOf(tool)
  return JSON.stringify(
    members?.['type'] ?? members?.['name'] ?? Object.keys(members ?? {})[0] ?? typeof tool,
  )
}

/** What a tool adds to the input. A tool of LangChain is an object with much more in it. */
function schemaOf(tool: unknown): unknown {
  const members = membersOf(tool)
  if (members?.['schema'] === undefined) return tool
  const { name, description, schema } = members
  return { name, description, schema: toJsonSchema(schema as Parameters<typeof toJsonSchema>[0]) }
}

function isTextOnly(content: unknown): boolean {
  if (!Array.isArray(content)) return typeof content === 'string'
  return content.every((block) => {
    const members = membersOf(block)
    if (members === undefined) return typeof block === 'string'
    const nested = members['content']
    return TEXT_BLOCKS.has(members['type']) && (nested === undefined || isTextOnly(nested))
  })
}

function nameOf(model: ChatModel, parameters: Members, options: Members): string {
  const own = model as unknown as Members
  const known = [
    parameters['model'],
    options['model'],
    model.getLsParams(options as never).ls_model_name,
    own['model'],
    own['modelName'],
  ]
  const name = known.find((one): one is string => typeof one === 'string' && one !== '')
  if (name === undefined) {
    throw new TypeError(
      'governedModel: the model does not say its name: give `model`, so that calls can be priced',
    )
  }
  return name
}

/** Most tokens of output, of all choices together; `undefined` where nobody says. */
function outputBound(model: ChatModel, parameters: Members, options: Members): number | undefined {
  const nested = membersOf(parameters['generationConfig']) ?? membersOf(parameters['inferenceConfig'])
  // The parameters have what is sent. What is set elsewhere may not be.
  const each =
    firstCount([nested, parameters]) ??
    firstCount([options, { max_tokens: model.getLsParams(options as never).ls_max_tokens }])
  const choices =
    countOf(parameters['n']) ?? countOf(options['n']) ?? countOf((model as unknown as Members)['n']) ?? 1
  return each === undefined ? undefined : countOf(each * Math.max(choices, 1))
}

function firstCount(places: readonly (Members | undefined)[]): number | undefined {
  for (const place of places) {
    for (const name of BOUNDS) {
      const count = countOf(place?.[name])
      if (count !== undefined) return count
    }
  }
  return undefined
}
