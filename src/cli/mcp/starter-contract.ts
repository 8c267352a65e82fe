import { nameOf } from '../../adapters/mcp/pins/definition.js'
import { readToolName } from '../../adapters/mcp/tool-name.js'

/** What a contract begins with for one tool of a server. */
export interface StarterTool {
  readonly name: string
  /** What the contract says of it; `undefined` for a tool that a contract cannot name. */
  readonly entry: false | Readonly<Record<string, true>> | undefined
}

/** As the contract file has it. */
const NAME = /^[A-Za-z0-9_./-]{1,128}$/

/**
 * What a contract begins with: a tool of which the server itself says that it only reads may be called with the
 * arguments that it declares; every other tool may not be called.
 */
export function starterTools(tools: readonly unknown[]): readonly StarterTool[] {
  const own = tools.map((tool) => readToolName(nameOf(tool) ?? ''))
  return tools.map((tool, index) => {
    const name = nameOf(tool) ?? ''
    const isNamed = NAME.test(name) && own[index] !== undefined
    if (!isNamed) return { name, entry: undefined }
    // Two tools of one name: neither can be told from the other.
    if (own.filter((other) => other === own[index]).length > 1) return { name, entry: undefined }
    return { name, entry: saysItOnlyReads(tool) ? argumentsOf(tool) : false }
  })
}

function saysItOnlyReads(tool: unknown): boolean {
  const { annotations } = tool as { readonly annotations?: unknown }
  if (typeof annotations !== 'object' || annotations === null) return false
  const { readOnlyHint, destructiveHint } = annotations as Readonly<Record<string, unknown>>
  return readOnlyHint === true && destructiveHint !== true
}

function argumentsOf(tool: unknown): Readonly<Record<string, true>> {
  const { inputSchema } = tool as { readonly inputSchema?: { readonly properties?: unknown } }
  const { properties } = inputSchema ?? {}
  if (typeof properties !== 'object' || properties === null) return {}
  const names = Object.keys(properties).filter((name) => name !== '' && name !== '*')
  return Object.fromEntries(names.map((name) => [name.startsWith('$') ? `$${name}` : name, true] as const))
}
