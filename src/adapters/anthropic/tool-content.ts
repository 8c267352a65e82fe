import type { ToolResultBlockParam } from '@anthropic-ai/sdk/resources'
import type { Denial } from '../../index.js'
import { membersOf } from '../metered/members.js'

/** What a tool result holds beside text. */
export type ContentBlock = Exclude<NonNullable<ToolResultBlockParam['content']>, string>[number]

const BLOCKS: ReadonlySet<unknown> = new Set([
  'text',
  'image',
  'search_result',
  'document',
  'tool_reference',
  'browser_state',
])

/** What the model reads of the output of a tool: text and blocks as they are, all else as JSON. */
export function contentOf(output: unknown): string | ContentBlock[] {
  if (typeof output === 'string') return output
  if (isBlocks(output)) return output
  return JSON.stringify(output) ?? 'null'
}

function isBlocks(output: unknown): output is ContentBlock[] {
  return (
    Array.isArray(output) && output.length > 0 && output.every((one) => BLOCKS.has(membersOf(one)?.['type']))
  )
}

/** What the model reads of a call that has no result. */
export function textOf(denial: Denial): string {
  return JSON.stringify({ error: denial })
}
