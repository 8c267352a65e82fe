import type { CallableTool, FunctionResponse } from '@google/genai'
import { defineTool, type StandardSchema, type Tool, type ToolDefinition } from '../../index.js'
import { schemaOf } from './declared-schema.js'

type Input = Record<string, unknown>

/** What a Writ tool has beside what a function declaration has. */
export type CallableToolContract = Pick<
  ToolDefinition<StandardSchema<Input>, unknown, undefined>,
  'when' | 'approval' | 'redact' | 'commit' | 'readOnly' | 'timeoutMs' | 'maxCalls'
>

/** A function whose own answer is that it failed. */
class FunctionFailed extends Error {
  override readonly name = 'FunctionFailed'

  constructor(error: unknown) {
    super(typeof error === 'string' ? error : (JSON.stringify(error) ?? 'no reason given'))
  }
}

/**
 * The functions of a callable tool, such as `mcpToTool` makes of an MCP client, as tools of an agent by name,
 * with their descriptions and schemas. An input is an object; what is in it is checked by the callable tool.
 *
 * @param contract of a function, by its name.
 * @throws TypeError for something that is no callable tool, and as `defineTool`.
 * @example
 * const tools = await fromCallableTool(mcpToTool(client), { refund: { approval: 'always' } })
 */
export async function fromCallableTool(
  callable: CallableTool,
  contract: Readonly<Record<string, CallableToolContract>> = {},
): Promise<Record<string, Tool<StandardSchema<Input>, unknown>>> {
  if (typeof callable?.tool !== 'function' || typeof callable.callTool !== 'function') {
    throw new TypeError('fromCallableTool: expected a tool with the functions tool and callTool')
  }
  const { functionDeclarations = [] } = await callable.tool()
  const names = functionDeclarations.map(({ name }) => name)
  for (const name of Object.keys(contract)) {
    if (!names.includes(name)) throw new TypeError(`fromCallableTool: there is no function ${name}`)
  }
  return Object.fromEntries(
    functionDeclarations.map((declaration) => {
      const { name = '', description } = declaration
      const tool = defineTool<StandardSchema<Input>, unknown>({
        ...(Object.hasOwn(contract, name) ? contract[name] : {}),
        ...(description === undefined ? {} : { description }),
        inputSchema: schemaOf(declaration),
        execute: async (args, { callId, modelCallId }) => {
          const parts = await callable.callTool([{ id: modelCallId ?? callId, name, args }])
          return outputOf(
            parts.find(({ functionResponse }) => functionResponse !== undefined)?.functionResponse,
          )
        },
      })
      return [name, tool]
    }),
  )
}

function outputOf(answer: FunctionResponse | undefined): unknown {
  if (answer === undefined) throw new FunctionFailed('it did not answer')
  const { response, parts } = answer
  if (response?.['error'] !== undefined || response?.['isError'] === true) {
    throw new FunctionFailed(response['error'] ?? response)
  }
  if (parts !== undefined) return answer
  return response !== undefined && Object.keys(response).join() === 'output' ? response['output'] : response
}
