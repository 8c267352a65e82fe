import { type Members, membersOf } from '../metered/members.js'

/** Tools that the caller runs, or that only look through the tools of the request itself. */
const METERED_TOOL =
  /^(custom|(bash|text_editor|computer|memory|browser_toolset|computer_toolset)_\d{8}|tool_search_tool_(bm25|regex)(_\d{8})?)$/

/** Members of a request that make it cost more than its tokens at the price of its model. */
const UNMETERED_MEMBERS = ['mcp_servers', 'fallbacks', 'container'] as const

/**
 * What in a request is not metered, if anything is: a tool that Anthropic runs, for fees of its own and past
 * the session, another model, or another price.
 */
export function unmeteredPart(body: Members): string | undefined {
  for (const name of UNMETERED_MEMBERS) {
    const value = body[name] ?? undefined
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) return name
  }
  if (body['speed'] === 'fast') return 'speed: "fast"'
  for (const tool of [...listOf(body['tools']), ...addedTools(body['messages'])]) {
    const members = membersOf(tool)
    const type = members?.['type'] ?? undefined
    const isMetered =
      members !== undefined && (type === undefined || (typeof type === 'string' && METERED_TOOL.test(type)))
    if (!isMetered) return `the hosted tool ${JSON.stringify(type)}`
  }
  return undefined
}

/** Tools that messages add in the middle of a conversation. */
function addedTools(messages: unknown): unknown[] {
  const blocks = listOf(messages).flatMap((message) => listOf(membersOf(message)?.['content']))
  const changes = blocks.flatMap((block) => [block, ...listOf(membersOf(block)?.['tool_changes'])])
  return changes
    .map(membersOf)
    .filter((change) => change?.['type'] === 'tool_addition')
    .map((change) => membersOf(change?.['tool']))
    .filter((tool) => tool?.['type'] !== 'tool_reference')
    .map((tool) => (tool?.['type'] === 'tool_definition' ? tool['definition'] : tool))
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
