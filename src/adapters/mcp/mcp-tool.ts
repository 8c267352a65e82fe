import { describe } from '../../core/describe.js'
import { isThenable } from '../../core/guards.js'
import {
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import { type ForwardedCall, findCall, takeStartingCall } from './forwarded-call.js'
import { PROBE, PROBED } from './probe.js'

/** What {@link mcpTool} takes: a tool without the part that runs it. Without `inputSchema`: any object. */
export type McpToolDefinition<In extends StandardSchema> = Omit<
  ToolDefinition<In, unknown, undefined>,
  'execute' | 'outputSchema' | 'inputSchema'
> & {
  readonly inputSchema?: In
  /** The server whose tool it is, as {@link govern} was told. Without it: any server of the session. */
  readonly server?: string
}

type Standard = StandardSchema['~standard']
type Result = Awaited<ReturnType<Standard['validate']>>
type StandardIssue = NonNullable<Result['issues']>[number]

/** Any object: what may be in it is for the server's own schema to say. */
const ANY_OBJECT: StandardSchema<Readonly<Record<string, unknown>>> = {
  '~standard': {
    version: 1,
    vendor: 'writ',
    validate: (value) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { value: value as Readonly<Record<string, unknown>> }
        : { issues: [{ message: 'expected an object' }] },
    jsonSchema: { input: () => ({ type: 'object' }) },
  },
}

/**
 * A tool that an MCP server runs, under the contract: its input is checked here against the schema that is given,
 * then against the one that the server declares; it is counted and approved here, and its intent is on record
 * before the server gets it, with exactly the input that was checked. Its name in the agent is that of the
 * server's tool in lower case, with `_` for `.` and `/`. A tool of the name that {@link METHOD_TOOLS} has for a
 * method of the protocol stands for that method.
 *
 * A call of it outside of {@link govern} is denied.
 *
 * @throws as {@link defineTool}; TypeError for a `server` that is no string.
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
  const { when, inputSchema = ANY_OBJECT as StandardSchema as In, server, ...rest } = definition
  if (server !== undefined && typeof server !== 'string') {
    throw new TypeError(`mcpTool.server: expected a string, got ${describe(server)}`)
  }
  return defineTool<In, unknown, undefined>({
    ...rest,
    inputSchema: vetting(inputSchema, server),
    when: (input, context: ToolContext) => {
      if (findCall(context.modelCallId)?.isVetted(input) !== true) return false
      return when === undefined ? true : when(input, context)
    },
    execute: (input, { session, modelCallId, signal }) => {
      const call = findCall(modelCallId)
      if (call?.session !== session) {
        throw new TypeError('mcpTool: a governed transport alone can run this tool')
      }
      return call.run(input, signal)
    },
  })
}

/** A schema, and after it what the server itself declares. */
function vetting<In extends StandardSchema>(schema: In, server: string | undefined): In {
  const standard = schema['~standard'] as Standard | undefined
  // What is no schema is for defineTool to refuse.
  if (typeof standard?.validate !== 'function') return schema
  const { validate } = standard
  const wrapped: Standard = {
    version: standard.version,
    vendor: standard.vendor,
    ...(standard.jsonSchema === undefined ? {} : { jsonSchema: standard.jsonSchema }),
    validate: (value) => {
      if (value === PROBE)
        return { issues: [{ message: 'a tool of a server', code: PROBED } as StandardIssue] }
      const call = takeStartingCall()
      const result = validate.call(standard, value)
      if (call === undefined) return result
      return isThenable(result)
        ? Promise.resolve(result).then((checked) => vet(call, checked, server))
        : vet(call, result, server)
    },
  }
  return { '~standard': wrapped } as StandardSchema as In
}

async function vet(call: ForwardedCall, result: Result, server: string | undefined): Promise<Result> {
  if (result.issues !== undefined) return result
  const refusal = await call.vet(result.value, server)
  if (refusal === undefined) return result
  return { issues: [{ message: refusal.text, code: refusal.code } as StandardIssue] }
}
