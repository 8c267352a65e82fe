import { type FunctionTool, tool as sdkTool } from '@openai/agents'
import {
  defineTool,
  type OpenAiToolSchema,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import type { SessionChoice } from '../metered/find-session.js'
import { invokeThrough, isAgentTool, isGovernedTool, markGoverned } from './governed-tool.js'
import { runningCalls, type SdkTool } from './running-calls.js'

/**
 * The SDK knows its own constants from functions: where a function may want to see the input, it asks a person
 * about each call whose input is no JSON.
 */
const { needsApproval } = sdkTool({
  name: 'never_asks',
  description: '',
  strict: false,
  parameters: { type: 'object', properties: {}, required: [], additionalProperties: true },
  execute: () => '',
})

/** Whose tools {@link toTools} makes tools of the SDK of: an `Agent` of this package. */
interface ToolOwner {
  toolSchemas(format: 'openai'): readonly OpenAiToolSchema[]
}

/**
 * The tools of an agent as function tools of the SDK. Their calls go through the session they are made in.
 *
 * @throws RangeError for a tool whose name or schema OpenAI does not take.
 * @example
 * const support = governAgent(new Agent({ name: 'support', tools: toTools(agent) }))
 */
export function toTools(owner: ToolOwner, options: SessionChoice = {}): FunctionTool[] {
  if (typeof owner?.toolSchemas !== 'function') throw new TypeError('toTools: expected an Agent of writ')
  return owner.toolSchemas('openai').map(({ function: { name, description = '', parameters } }) => {
    const tool: SdkTool = {
      type: 'function',
      name,
      description,
      parameters: parameters as unknown as SdkTool['parameters'],
      strict: false,
      needsApproval,
      isEnabled: async () => true,
      invoke: async () => {
        throw new TypeError(`toTools: ${name} runs in a session alone`)
      },
    }
    return markGoverned({ ...tool, invoke: invokeThrough(tool, { ...options, outside: 'refuse' }) })
  })
}

/** What a tool of the SDK does not have, and a tool under the contract may. */
export type ToolExtras<In extends StandardSchema> = Partial<
  Omit<ToolDefinition<In, unknown, undefined>, 'execute' | 'outputSchema'>
>

/**
 * A function tool of the SDK as a tool under the contract, to be registered under its own name. It keeps its
 * description and its schema, and is handed the context of the run that calls it.
 *
 * The SDK makes an answer of what a tool throws: with `errorFunction: null` the log has it as the error it is.
 *
 * @param extras conditions and limits; an `inputSchema` to check with, in the place of the tool's own.
 * @throws TypeError for something that is no function tool, for one that is governed already, and as {@link defineTool}.
 * @example
 * const agent = new Agent({ identity, budget, audit, tools: { look_up: fromTool(lookUp, { maxCalls: 5 }) } })
 */
export function fromTool<In extends StandardSchema = StandardSchema>(
  tool: SdkTool,
  extras: ToolExtras<In> = {},
): Tool<In, unknown> {
  if (tool?.type !== 'function' || typeof tool.invoke !== 'function') {
    throw new TypeError('fromTool: expected a function tool of @openai/agents')
  }
  if (isGovernedTool(tool) || isAgentTool(tool)) {
    throw new TypeError(`fromTool: ${tool.name} is governed already, or an agent as a tool`)
  }
  return defineTool<StandardSchema, unknown>({
    description: tool.description,
    inputSchema: schemaOf(tool),
    ...(extras as ToolExtras<StandardSchema>),
    execute: (input, context) => invoke(tool, input, context),
  }) as unknown as Tool<In, unknown>
}

function invoke(tool: SdkTool, input: unknown, context: ToolContext): Promise<unknown> {
  const { session, modelCallId, signal } = context
  const call = runningCalls.find(session, modelCallId, (each) => each.tool.name === tool.name)
  const details = { ...call?.details, signal }
  // Outside of a run there is no context, and the SDK calls the tool without one.
  return tool.invoke(call?.runContext as Parameters<SdkTool['invoke']>[0], JSON.stringify(input), details)
}

/** The SDK checks the input as well when it runs the tool; what is no object never gets there. */
function schemaOf({ parameters }: SdkTool): StandardSchema<Record<string, unknown>> {
  const required: readonly string[] = (parameters?.required ?? []).map(String)
  const isClosed = parameters?.additionalProperties === false
  const known = new Set(Object.keys(parameters?.properties ?? {}))
  return {
    '~standard': {
      version: 1,
      vendor: 'openai-agents',
      validate: (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          return { issues: [{ message: 'expected an object' }] }
        }
        const input = value as Record<string, unknown>
        const issues = [
          ...required
            .filter((name) => !Object.hasOwn(input, name))
            .map((name) => ({ message: 'is missing', path: [name] })),
          ...(isClosed ? Object.keys(input).filter((name) => !known.has(name)) : []).map((name) => ({
            message: 'is not known',
            path: [name],
          })),
        ]
        return issues.length > 0 ? { issues } : { value: input }
      },
      jsonSchema: { input: () => structuredClone(parameters) as Record<string, unknown> },
    },
  }
}
