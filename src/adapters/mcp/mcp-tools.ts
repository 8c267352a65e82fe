import { describe } from '../../core/describe.js'
import { readMember, readOptions, readText } from '../../core/guards.js'
import { defineTool, type StandardSchema, type Tool, type ToolDefinition } from '../../index.js'
import { compileDeclared } from './declared-schema.js'
import { DeclaredTools } from './declared-tools.js'
import { isGoverned } from './govern.js'
import { isMembers, type Members } from './json-rpc.js'
import type { PinCheck } from './pin-check.js'
import { noteDefinition, noteResult } from './tool-definition.js'
import { readToolName } from './tool-name.js'

/** A connected client of the official SDK, of either line. */
export interface McpClient {
  listTools(params?: { cursor?: string }): Promise<unknown>
  callTool: CallableFunction
  getServerVersion?(): unknown
}

/** What the contract adds to a tool that a server declares. */
export type McpToolExtras = Partial<
  Omit<
    ToolDefinition<StandardSchema<Members, Members>, unknown, undefined>,
    'execute' | 'outputSchema' | 'inputSchema'
  >
>

export interface McpToolsOptions {
  /** What the server is called here: in errors and among pinned definitions; 1 to 64 characters. */
  readonly server: string
  /** The tools to take, by the server's names, with conditions and limits. Without it: all that can be used. */
  readonly tools?: Readonly<Record<string, McpToolExtras>>
  /** Before the name of each tool. */
  readonly prefix?: string
  /** The definitions that somebody has accepted. */
  readonly pins?: PinCheck
  /** True: a tool is `readOnly` where the server says that it is. Default: false, since it is the server that says so. */
  readonly trustAnnotations?: boolean
  /** Told of each tool that was left out, and why. */
  readonly onRefused?: (name: string, why: string) => void
}

const OPTIONS = [
  'server',
  'tools',
  'prefix',
  'pins',
  'trustAnnotations',
  'onRefused',
] as const satisfies readonly (keyof McpToolsOptions)[]

/** So much of what a server says of its failure is handed on. */
const MAX_ERROR_LENGTH = 2000

/** What a server answered was an error of the tool. */
class McpToolFailed extends Error {
  override readonly name = 'McpToolFailed'
}

/**
 * The tools of an MCP server as tools under the contract, from a client that is connected to it. Each keeps its
 * description and its schema, and its input is checked against that here. A tool whose definition cannot be used,
 * or that nobody has accepted, is left out. What the server declares later changes nothing.
 *
 * @param client one that is not governed: a call would be counted twice.
 * @returns the tools by their names in the agent.
 * @throws TypeError or RangeError for options that are not usable, for a client that is governed, for a tool of
 *   `tools` that the server does not offer or that is refused, and where the server does not list its tools.
 * @example
 * const tools = await mcpTools(client, { server: 'filesystem', tools: { read_text_file: { maxCalls: 5 } } })
 * const agent = new Agent({ identity, budget, audit, tools })
 */
export async function mcpTools(
  client: McpClient,
  options: McpToolsOptions,
): Promise<Readonly<Record<string, Tool<StandardSchema<Members, Members>, unknown>>>> {
  const given = readOptions('mcpTools', options, OPTIONS) as McpToolsOptions
  const server = readText('mcpTools.server', given.server, 64)
  const { tools: wanted, prefix = '', pins, trustAnnotations = false, onRefused } = given
  if (typeof readMember(client, 'listTools') !== 'function' || typeof client.callTool !== 'function') {
    throw new TypeError(`mcpTools: expected a connected MCP client, got ${describe(client)}`)
  }
  if (isGoverned(readMember(client, 'transport'))) {
    throw new TypeError('mcpTools: the transport of this client is governed: register mcpTool() in its place')
  }
  if (wanted !== undefined && !isMembers(wanted)) throw new TypeError('mcpTools.tools: expected an object')
  if (pins !== undefined && typeof readMember(pins, 'check') !== 'function') {
    throw new TypeError('mcpTools.pins: expected an object with the function check')
  }
  const identity = () => {
    const info = client.getServerVersion?.()
    const { name, version } = isMembers(info) ? info : {}
    return { server, name: textOf(name), version: textOf(version) }
  }
  const refuse = (name: string, why: string): void => {
    if (wanted !== undefined && Object.hasOwn(wanted, name)) {
      throw new TypeError(`mcpTools: ${JSON.stringify(name)} of ${server} cannot be used: ${why}`)
    }
    onRefused?.(name, why)
  }
  const declared = new DeclaredTools(identity, pins, prefix, (error) => refuse('', error.message))
  const offered = await declared.all((cursor) =>
    client.listTools(cursor === undefined ? undefined : { cursor }),
  )
  for (const name of Object.keys(wanted ?? {})) {
    if (!offered.some((each) => each.name === name)) refuse(name, 'the server declares no tool of this name')
  }
  const tools: Record<string, Tool<StandardSchema<Members, Members>, unknown>> = {}
  for (const { name, definition, refusal } of offered) {
    if (wanted !== undefined && !Object.hasOwn(wanted, name)) continue
    const own = readToolName(name, prefix)
    if (refusal !== undefined || own === undefined) {
      refuse(name, refusal ?? 'an agent can have no tool of this name')
      continue
    }
    const { description, annotations } = definition
    const readOnly =
      trustAnnotations === true && isMembers(annotations) && annotations['readOnlyHint'] === true
    let inputSchema: StandardSchema<Members, Members>
    try {
      inputSchema = schemaOf(definition['inputSchema'])
    } catch (cause) {
      refuse(name, `the schema that the server declares cannot be used: ${(cause as Error).message}`)
      continue
    }
    const tool = defineTool<StandardSchema<Members, Members>, unknown, undefined>({
      ...(typeof description === 'string' ? { description } : {}),
      readOnly,
      ...wanted?.[name],
      inputSchema,
      execute: (input, { signal }) => call(client, name, input, signal),
    })
    noteDefinition(tool, definition)
    tools[own] = tool
  }
  return tools
}

/** Calls a tool as either line of the SDK does: the first has a schema of the result before the options. */
async function call(client: McpClient, name: string, input: unknown, signal: AbortSignal): Promise<unknown> {
  const params = { name, arguments: input }
  const isV2 = 'getNegotiatedProtocolVersion' in client
  const result: unknown = await (isV2
    ? client.callTool(params, { signal })
    : client.callTool(params, undefined, { signal }))
  if (!isMembers(result)) throw new McpToolFailed('the server answered with no result')
  if (result['isError'] === true) throw new McpToolFailed(errorTextOf(result))
  return noteResult(result)
}

function errorTextOf({ content }: Members): string {
  const texts = Array.isArray(content) ? content.map((part: unknown) => readMember(part, 'text')) : []
  const text = texts.filter((each) => typeof each === 'string').join('\n')
  return text === '' ? 'the server answered with an error' : text.slice(0, MAX_ERROR_LENGTH)
}

function schemaOf(declared: unknown): StandardSchema<Members, Members> {
  const check = compileDeclared(declared)
  return {
    '~standard': {
      version: 1,
      vendor: 'writ',
      validate: (value) => {
        const fault = isMembers(value) ? check(value) : 'expected an object'
        if (fault === undefined) return { value: value as Members }
        return { issues: [{ message: fault, code: 'server_schema' } as { message: string }] }
      },
      jsonSchema: { input: () => structuredClone(declared) as Record<string, unknown> },
    },
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
