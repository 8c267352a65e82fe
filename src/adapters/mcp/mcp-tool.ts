import {
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import { findCall } from './forwarded-call.js'

/** What {@link mcpTool} takes: a tool without the part that runs it. Without `inputSchema`: any object. */
export type McpToolDefinition<In extends StandardSchema> = Omit<
  ToolDefinition<In, unknown, undefined>,
  'execute' | 'outputSchema' | 'inputSchema'
> & { readonly inputSchema?: In }

/** Any object: what may be in it is for the server's own schema to say. */
const ANY_OBJECT: StandardSchema<Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>> = {
  '~standard': {
    version: 1,
    vendor: 'writ',
    validate: (value) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { value: value as Readonly<Record<string, unknown>> }
        : { issues: [{ message: 'expected an object' }] },
  },
}

/**
 * A tool that an MCP server runs, under the contract: its input is checked here against the schema that is given,
 * then against the one that the server declares; it is counted and approved here, and its intent is on record
 * before the server gets it, with exactly the input that was checked. Its name in the agent is that of the
 * server's tool in lower case, with `_` for `.` and `/`.
 *
 * A call of it outside of {@link govern} is denied.
 *
 * @throws as {@link defineTool}.
 * @example
 * const read_text_file = mcpTool({
 *   inputSchema: z.object({ path: z.string() }),
 *   when: ({ path }) => path.startsWith('/srv/notes/') && !path.includes('..'),
 *   readOnly: true,
 * })
 */
export function mcpTool<In extends StandardSchema = typeof ANY_OBJECT>(
  definition: McpToolDefinition<In> = {} as McpToolDefinition<In>,
): Tool<In, unknown> {
  const { when, inputSchema = ANY_OBJECT as StandardSchema as In, ...rest } = definition
  return defineTool<In, unknown, undefined>({
    ...rest,
    inputSchema,
    when: async (input, context: ToolContext) => {
      const call = findCall(context.session, context.modelCallId)
      if (call === undefined) return false
      if ((await call.refusalOf(input)) !== undefined) return false
      return when === undefined ? true : when(input, context)
    },
    execute: (input, { session, modelCallId, signal }) => {
      const call = findCall(session, modelCallId)
      if (call === undefined) throw new TypeError('mcpTool: a governed transport alone can run this tool')
      return call.run(input, signal)
    },
  })
}
