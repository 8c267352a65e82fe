import type { BetaRunnableTool } from '@anthropic-ai/sdk/lib/tools/BetaRunnableTool'
import { defineTool, type StandardSchema, type Tool, type ToolDefinition } from '../../index.js'
import type { ContentBlock } from './tool-content.js'

/** What a Writ tool has beside what a tool of the runner has. */
export type RunnableToolContract<Input> = Pick<
  ToolDefinition<StandardSchema<Input>, unknown, undefined>,
  'when' | 'approval' | 'redact' | 'commit' | 'readOnly' | 'timeoutMs' | 'maxCalls'
>

/**
 * A tool of the tool runner (`betaZodTool`, `betaTool`, `betaMemoryTool` and the like) as a tool of an agent,
 * with its description and schema. Its `parse` checks the input: that of `betaTool` checks nothing.
 *
 * @throws TypeError for something that is no runnable tool, and as `defineTool`.
 * @example
 * const tools = { get_weather: fromRunnableTool(weather, { readOnly: true, maxCalls: 10 }) }
 */
export function fromRunnableTool<Input>(
  tool: BetaRunnableTool<Input>,
  contract: RunnableToolContract<Input> = {},
): Tool<StandardSchema<Input>, string | ContentBlock[]> {
  if (typeof tool?.run !== 'function' || typeof tool.name !== 'string') {
    throw new TypeError('fromRunnableTool: expected a tool with a name and a run function')
  }
  const { name } = tool
  const description = 'description' in tool ? tool.description : undefined
  return defineTool<StandardSchema<Input>, string | ContentBlock[]>({
    ...contract,
    ...(description === undefined ? {} : { description }),
    inputSchema: schemaOf(tool),
    execute: async (input, { callId, modelCallId, signal }) => {
      const id = modelCallId ?? callId
      const toolUse = { type: 'tool_use', id, name, input, caller: { type: 'direct' } } as const
      return tool.run(input, { toolUse, toolUseBlock: toolUse, signal })
    },
  })
}

function schemaOf<Input>(tool: BetaRunnableTool<Input>): StandardSchema<Input> {
  const schema = 'input_schema' in tool ? tool.input_schema : undefined
  return {
    '~standard': {
      version: 1,
      vendor: 'anthropic',
      validate: (value) => {
        try {
          return { value: tool.parse(value) }
        } catch (error) {
          return { issues: [{ message: error instanceof Error ? error.message : String(error) }] }
        }
      },
      // Those that Anthropic defines have a schema that only the model knows.
      ...(schema === undefined ? {} : { jsonSchema: { input: () => structuredClone({ ...schema }) } }),
    },
  }
}
