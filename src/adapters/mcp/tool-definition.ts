import { isMembers, type Members } from './json-rpc.js'

/** What servers have declared of the tools that were made of theirs. */
const definitions = new WeakMap<object, Members>()

/** Members of a definition that are served on, beside name, description and inputSchema. */
const KEPT = ['title', 'outputSchema', 'annotations', 'icons'] as const

/** Keeps what a server has declared of a tool. */
export function noteDefinition(tool: object, definition: Members): void {
  const kept: [string, unknown][] = []
  for (const name of KEPT) if (definition[name] !== undefined) kept.push([name, definition[name]])
  definitions.set(tool, Object.fromEntries(structuredClone(kept)))
}

/** What is served of a tool beside its name, its description and its schema. */
export function servedMembers(tool: { readonly readOnly?: boolean } | undefined): Members {
  if (tool === undefined) return {}
  return definitions.get(tool) ?? (tool.readOnly === true ? { annotations: { readOnlyHint: true } } : {})
}

/** Results that came from a server, whose content may be served as it is. */
const results = new WeakSet<object>()

/** Keeps what a server has answered. */
export function noteResult(result: Members): Members {
  results.add(result)
  return result
}

/** A tool's output as MCP has it: the text that it is, or its JSON; an object is there as one too. */
export function servedResult(output: unknown): Members {
  if (isMembers(output) && results.has(output)) {
    // Nothing else of it: what it may ask of a client, nobody here has decided on.
    const { content, structuredContent } = output
    return { content, ...(structuredContent === undefined ? {} : { structuredContent }) }
  }
  if (typeof output === 'string') return { content: [{ type: 'text', text: output }] }
  const text = JSON.stringify(output) ?? ''
  const content = [{ type: 'text', text }]
  return isMembers(output) ? { content, structuredContent: JSON.parse(text) } : { content }
}
