import type { RegisteredTool, Registry } from '../contract/registry.js'

/** A tool as the OpenAI APIs take it. */
export interface OpenAiToolSchema {
  readonly type: 'function'
  readonly function: { readonly name: string; readonly description?: string; readonly parameters: JsonSchema }
}

/** A tool as the Anthropic API takes it. */
export interface AnthropicToolSchema {
  readonly name: string
  readonly description?: string
  readonly input_schema: JsonSchema & { readonly type: 'object' }
}

/** A tool as MCP lists it. */
export interface McpToolSchema {
  readonly name: string
  readonly description?: string
  readonly inputSchema: JsonSchema
}

export type JsonSchema = Readonly<Record<string, unknown>>

/** The formats of tool lists, by who takes them. */
export interface ToolSchemas {
  openai: OpenAiToolSchema
  anthropic: AnthropicToolSchema
  mcp: McpToolSchema
}

/** What the model APIs allow in a name; a Writ name may also hold `.` and `:`. */
const NAME_LIMITS: { readonly [F in keyof ToolSchemas]: RegExp } = {
  openai: /^[a-zA-Z0-9_-]{1,64}$/,
  anthropic: /^[a-zA-Z0-9_-]{1,128}$/,
  mcp: /^[a-zA-Z0-9._:-]{1,128}$/,
}

/**
 * The tools of a registry in the format of a model API.
 *
 * @throws RangeError for an unknown format, a tool whose name the format does not allow, or one whose
 *   schema cannot be expressed in JSON Schema, or as the format wants it.
 */
export function toolSchemas<F extends keyof ToolSchemas>(registry: Registry, format: F): ToolSchemas[F][] {
  const limit = Object.hasOwn(NAME_LIMITS, format) ? NAME_LIMITS[format] : undefined
  if (limit === undefined) {
    throw new RangeError(
      `toolSchemas: format is one of ${Object.keys(NAME_LIMITS).join(', ')}, got ${JSON.stringify(format)}`,
    )
  }
  return registry.names.map((name) => {
    const tool = registry.get(name) as RegisteredTool
    if (!limit.test(name)) throw new RangeError(`toolSchemas: ${format} does not allow the tool name ${name}`)
    if (tool.jsonSchema === undefined) {
      throw new RangeError(`toolSchemas: the inputSchema of ${name} cannot be expressed in JSON Schema`)
    }
    return render(format, tool, structuredClone(tool.jsonSchema)) as ToolSchemas[F]
  })
}

function render(
  format: keyof ToolSchemas,
  tool: RegisteredTool,
  schema: JsonSchema,
): ToolSchemas[keyof ToolSchemas] {
  const { name } = tool
  const description = tool.description === undefined ? {} : { description: tool.description }
  switch (format) {
    case 'openai':
      return { type: 'function', function: { name, ...description, parameters: schema } }
    case 'anthropic':
      if (!isOfObject(schema)) {
        throw new RangeError(`toolSchemas: anthropic wants an object as input, which that of ${name} is not`)
      }
      return { name, ...description, input_schema: schema }
    case 'mcp':
      return { name, ...description, inputSchema: schema }
  }
}

function isOfObject(schema: JsonSchema): schema is AnthropicToolSchema['input_schema'] {
  return schema['type'] === 'object'
}
