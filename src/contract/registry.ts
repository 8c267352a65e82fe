import { describe } from '../core/describe.js'
import { sha256Hex } from '../core/digest.js'
import { isPlainObject, own } from '../core/guards.js'
import { type JsonPointer, parseJsonPointer } from '../core/json-pointer.js'
import { encodeJson, quote } from '../core/json-text.js'
import { parseTool, type Tool } from './tool.js'

/** ASCII alone, so that no two names look alike. */
const TOOL_NAME = /^[a-z0-9][a-z0-9._:-]{0,127}$/

const DRAFT = 'draft-2020-12'

/** A tool as an agent holds it: parsed, frozen, with what the log says of it. */
export interface RegisteredTool extends Tool {
  readonly name: string
  readonly validate: (value: unknown) => unknown
  /** JSON Schema of the input, where the schema can give one. */
  readonly jsonSchema: Readonly<Record<string, unknown>> | undefined
  /** Every member name that the schema declares at any depth, as JSON text: the names that may appear in the log. */
  readonly declaredNames: ReadonlyMap<string, string>
  /** The places of the input that the log commits to, where there are any. */
  readonly committed: readonly JsonPointer[] | undefined
  /** SHA-256 over name, description and JSON Schema, in hexadecimal. */
  readonly digest: string
}

/** The tools that may be called, fixed at construction. What is not in it does not run. */
export class Registry {
  readonly #tools: ReadonlyMap<string, RegisteredTool>
  /** Names and digests as the JSON text that `session_start` carries. */
  readonly summary: string

  private constructor(tools: ReadonlyMap<string, RegisteredTool>) {
    this.#tools = tools
    this.summary = encodeJson([...tools.values()].map(({ name, digest }) => ({ name, digest })))
    Object.freeze(this)
  }

  /**
   * @throws TypeError when `tools` is no object of tools, or a name is not
   *   1 to 128 characters of `a-z 0-9 . _ : -` that begin with a letter or digit.
   */
  static from(label: string, tools: unknown): Registry {
    if (!isPlainObject(tools))
      throw new TypeError(`${label}: expected an object of tools, got ${describe(tools)}`)
    const registered = new Map<string, RegisteredTool>()
    for (const name of Object.keys(tools)) {
      if (!TOOL_NAME.test(name)) {
        throw new TypeError(
          `${label}: ${describe(name)} is no tool name; a name is 1 to 128 of a-z 0-9 . _ : - and begins with a letter or digit`,
        )
      }
      registered.set(name, register(name, parseTool(`${label}.${name}`, tools[name])))
    }
    return new Registry(registered)
  }

  get(name: string): RegisteredTool | undefined {
    return this.#tools.get(name)
  }

  /** The first tool whose calls commit to values, if there is one. */
  get committing(): string | undefined {
    return [...this.#tools.values()].find(({ committed }) => committed !== undefined)?.name
  }

  get names(): readonly string[] {
    return [...this.#tools.keys()]
  }

  /**
   * The registry with only these tools.
   *
   * @throws TypeError when `names` is no array of names that are in the registry.
   */
  narrow(label: string, names: unknown): Registry {
    if (!Array.isArray(names))
      throw new TypeError(`${label}: expected an array of tool names, got ${describe(names)}`)
    const kept = new Map<string, RegisteredTool>()
    for (const name of names as unknown[]) {
      const tool = typeof name === 'string' ? this.#tools.get(name) : undefined
      if (tool === undefined) {
        throw new TypeError(`${label}: the agent has no tool ${describe(name)}`)
      }
      kept.set(tool.name, tool)
    }
    return new Registry(kept)
  }
}

/** Every member that a tool may lack, so that `Object.prototype` cannot be made to lend it one. */
const ABSENT: { readonly [K in keyof Tool as object extends Pick<Tool, K> ? K : never]-?: undefined } = {
  description: undefined,
  outputSchema: undefined,
  when: undefined,
  approval: undefined,
  redact: undefined,
  commit: undefined,
  timeoutMs: undefined,
  maxCalls: undefined,
}

function register(name: string, tool: Tool): RegisteredTool {
  const standard = tool.inputSchema['~standard']
  const { validate } = standard
  const jsonSchema = inputJsonSchema(tool)
  const declaredNames = new Map<string, string>()
  collectNames(jsonSchema, declaredNames)
  return Object.freeze({
    ...ABSENT,
    ...tool,
    name,
    validate: (value: unknown): unknown => validate.call(standard, value),
    jsonSchema,
    declaredNames,
    committed: own(tool, 'commit')?.map((text) => parseJsonPointer('commit', text)),
    digest: sha256Hex(encodeJson({ name, description: own(tool, 'description'), input: jsonSchema })),
  }) as RegisteredTool
}

function inputJsonSchema(tool: Tool): Readonly<Record<string, unknown>> | undefined {
  try {
    return tool.inputSchema['~standard'].jsonSchema?.input({ target: DRAFT })
  } catch {
    // A schema that JSON Schema cannot express (a transform, a custom type) still validates.
    return undefined
  }
}

function collectNames(schema: unknown, names: Map<string, string>): void {
  if (Array.isArray(schema)) {
    for (const item of schema) collectNames(item, names)
    return
  }
  if (typeof schema !== 'object' || schema === null) return
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties' && isPlainObject(value)) {
      for (const name of Object.keys(value)) names.set(name, quote(name))
    }
    collectNames(value, names)
  }
}
