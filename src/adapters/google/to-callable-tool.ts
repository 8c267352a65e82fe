import type { CallableTool } from '@google/genai'
import type { McpToolSchema, Session, ToolSet } from '../../index.js'
import { runFunctionCalls } from './function-calls.js'

/** What {@link toCallableTool} can be told. */
export interface CallableToolOptions {
  /**
   * What happens to calls of functions that are not among the schemas. `deny`, the default: they go through
   * the session, which denies them. `leave`: they are left to another callable tool of the same request,
   * because the SDK hands each of them all calls.
   */
  readonly others?: 'deny' | 'leave'
}

/**
 * The tools of an agent as one tool that the SDK calls automatically. Each call goes through the session,
 * whose checks are the only ones; the end of the session rejects `generateContent` with what ended it.
 *
 * @param schemas of the tools to offer: `agent.toolSchemas('mcp')`, or some of them.
 * @example
 * const tools = [toCallableTool(s, agent.toolSchemas('mcp'))]
 * await ai.models.generateContent({ model, contents, config: { tools, maxOutputTokens: 500 } })
 */
export function toCallableTool<Tools extends ToolSet>(
  session: Session<Tools>,
  schemas: readonly McpToolSchema[],
  { others = 'deny' }: CallableToolOptions = {},
): CallableTool {
  const names = new Set(schemas.map(({ name }) => name))
  return {
    tool: async () => ({
      functionDeclarations: schemas.map(({ name, description, inputSchema }) => ({
        name,
        ...(description === undefined ? {} : { description }),
        parametersJsonSchema: inputSchema,
      })),
    }),
    callTool: (calls) =>
      runFunctionCalls(
        session,
        others === 'leave' ? calls.filter(({ name = '' }) => names.has(name)) : calls,
      ),
  }
}
