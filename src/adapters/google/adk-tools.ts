import {
  defineTool,
  type McpToolSchema,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import { withPlugin } from './adk-agent-tool.js'
import { callThrough, registeredName, runningCalls } from './adk-call.js'
import { type AdkTool, isAgentTool } from './adk-shapes.js'
import { schemaOf } from './declared-schema.js'

type Input = Record<string, unknown>

/** What a tool of the ADK does not have, and a tool under the contract may. */
export type AdkToolExtras<In extends StandardSchema> = Partial<
  Omit<ToolDefinition<In, unknown, undefined>, 'execute' | 'outputSchema'>
>

/**
 * A tool of the ADK as a tool under the contract, to be registered under its own name in lower case. It keeps
 * its description and its schema, which it checks itself, and is handed the context of the run that calls it.
 * The agent of an `AgentTool` runs under the plugin as well.
 *
 * @param extras conditions and limits; an `inputSchema` to check with, in the place of the tool's own.
 * @throws TypeError for something that is no tool of the ADK, and as {@link defineTool}.
 * @example
 * const agent = new Agent({ identity, budget, audit, tools: { look_up: fromAdkTool(lookUp, { maxCalls: 5 }) } })
 */
export function fromAdkTool<In extends StandardSchema = StandardSchema>(
  tool: AdkTool,
  extras: AdkToolExtras<In> = {},
): Tool<In, unknown> {
  if (typeof tool?.runAsync !== 'function' || typeof tool._getDeclaration !== 'function') {
    throw new TypeError('fromAdkTool: expected a tool of @google/adk')
  }
  return defineTool<StandardSchema, unknown>({
    description: tool.description,
    inputSchema: schemaOf(tool._getDeclaration() ?? {}),
    ...(extras as AdkToolExtras<StandardSchema>),
    execute: (input, context) => run(tool, input as Input, context),
  }) as unknown as Tool<In, unknown>
}

async function run(tool: AdkTool, args: Input, { session, modelCallId }: ToolContext): Promise<unknown> {
  const name = registeredName(tool)
  const call = runningCalls.find(session, modelCallId, (each) => each.name === name)
  const { plugin, toolContext } = call ?? {}
  // Outside of a run there is no context, and the ADK runs the tool without one.
  const request = { args, toolContext: toolContext as never }
  if (!isAgentTool(tool)) return tool.runAsync(request)
  if (plugin === undefined) {
    throw new TypeError(`fromAdkTool: the agent ${tool.name} runs under governedPlugin alone`)
  }
  return withPlugin(tool, plugin).runAsync(request)
}

/** Whose tools {@link toAdkTools} makes tools of the ADK of: an `Agent` of this package. */
interface ToolOwner {
  toolSchemas(format: 'mcp'): readonly McpToolSchema[]
}

/**
 * The tools of an agent as tools of the ADK. Their calls go through the session they are made in, with the
 * plugin and without it.
 *
 * @param BaseTool the class of that name of `@google/adk`, which the tools are of.
 * @throws TypeError for something that is no agent of this package.
 * @example
 * const desk = new LlmAgent({ name: 'desk', model, tools: toAdkTools(BaseTool, agent) })
 */
export function toAdkTools<SdkTool extends object>(
  BaseTool: abstract new (params: { name: string; description: string }) => SdkTool,
  owner: ToolOwner,
  options: Pick<SessionChoice, 'session'> = {},
): SdkTool[] {
  if (typeof BaseTool !== 'function') {
    throw new TypeError('toAdkTools: expected the class BaseTool of @google/adk')
  }
  if (typeof owner?.toolSchemas !== 'function') throw new TypeError('toAdkTools: expected an Agent of writ')
  const Base = BaseTool as unknown as new (params: { name: string; description: string }) => AdkTool
  class WritTool extends Base {}
  return owner.toolSchemas('mcp').map(({ name, description = '', inputSchema }) => {
    const tool = new WritTool({ name, description })
    const members: Pick<AdkTool, '_getDeclaration' | 'runAsync'> = {
      _getDeclaration: () => ({ name, description, parametersJsonSchema: inputSchema }),
      runAsync: async ({ args, toolContext }) => {
        const session = findSession(options)
        if (session === undefined) throw new TypeError(`toAdkTools: ${name} runs in a session alone`)
        return callThrough(session, tool, args, { toolContext })
      },
    }
    return Object.assign(tool, members) as unknown as SdkTool
  })
}
