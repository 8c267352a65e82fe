import type { DynamicTool, StructuredToolInterface } from '@langchain/core/tools'
import { toJsonSchema, Validator } from '@langchain/core/utils/json_schema'
import {
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import { takeAgentCall } from './running-calls.js'
import { isOwnTool } from './to-tools.js'

// biome-ignore lint/suspicious/noExplicitAny: a tool of any schema and any output, as LangChain itself writes it
type LangChainTool = StructuredToolInterface<any, any, any> | DynamicTool<any>

/** What a tool of LangChain takes, before its schema has made anything of it. */
type InputOf<T> =
  T extends StructuredToolInterface<infer _Schema, infer Input, infer _Output> ? Input : unknown

/** What a tool of LangChain does not have, and a tool under the contract may. */
export type ToolExtras<Input = unknown> = Partial<
  Omit<ToolDefinition<StandardSchema<Input>, unknown, undefined>, 'execute' | 'inputSchema' | 'outputSchema'>
>

/**
 * A tool of LangChain as a tool under the contract, to be registered under its own name. It keeps its description
 * and its schema. Called by an agent, it is handed what the agent hands to it; what it gives goes to the agent as
 * it is.
 *
 * What is checked and recorded is the input as the model wrote it: the tool's schema makes of it what it makes of
 * it when the tool runs.
 *
 * @param extras conditions and limits.
 * @throws TypeError for something that is no tool, for one that {@link toTools} made, and as {@link defineTool}.
 * @example
 * const agent = new Agent({ identity, budget, audit, tools: { look_up: fromTool(lookUp, { maxCalls: 5 }) } })
 */
export function fromTool<T extends LangChainTool>(
  tool: T,
  extras: ToolExtras<InputOf<T>> = {},
): Tool<StandardSchema<InputOf<T>>, unknown> {
  if (typeof tool?.invoke !== 'function' || typeof tool.name !== 'string' || !('schema' in tool)) {
    throw new TypeError('fromTool: expected a tool of @langchain/core')
  }
  if (isOwnTool(tool)) throw new TypeError(`fromTool: ${tool.name} is a tool under the contract already`)
  return defineTool<StandardSchema, unknown>({
    description: tool.description,
    ...(extras as ToolExtras),
    inputSchema: schemaOf(tool.schema),
    execute: (input, context) => invoke(tool, input, context),
  }) as unknown as Tool<StandardSchema<InputOf<T>>, unknown>
}

function invoke(tool: LangChainTool, input: unknown, { signal }: ToolContext): unknown {
  const call = takeAgentCall(tool)
  if (call !== undefined) return call.run(input, signal)
  return (tool as StructuredToolInterface).invoke(input as never, { signal })
}

/** Checks as LangChain does, and changes nothing. */
function schemaOf(schema: unknown): StandardSchema {
  const standard = (schema as Partial<StandardSchema> | undefined)?.['~standard']
  const json = (): Record<string, unknown> =>
    structuredClone(toJsonSchema(schema as never)) as Record<string, unknown>
  const check = standard === undefined ? jsonCheck(schema) : standard.validate
  return {
    '~standard': {
      version: 1,
      vendor: 'langchain',
      validate: async (value) => {
        const result = await check(value)
        return result.issues === undefined ? { value } : { issues: result.issues }
      },
      jsonSchema: { input: json },
    },
  }
}

function jsonCheck(schema: unknown): StandardSchema['~standard']['validate'] {
  const validator = new Validator(schema as never)
  return (value) => {
    const { valid, errors } = validator.validate(value)
    return valid ? { value } : { issues: errors.map(({ error }) => ({ message: error })) }
  }
}
