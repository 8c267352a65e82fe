import { membersOf, numberAt } from '../metered/members.js'
import type { ReportedTokens } from '../metered/metered-call.js'

/**
 * What a reply to Converse, or the `metadata` event of a stream, says it used. Bedrock does not count what it
 * reads from a cache or writes to it as input.
 *
 * @returns `undefined` where it says nothing.
 */
export function readUsage(reply: unknown): ReportedTokens | undefined {
  const usage = membersOf(membersOf(reply)?.['usage'])
  if (usage === undefined) return undefined
  const input = numberAt(usage, 'inputTokens')
  const output = numberAt(usage, 'outputTokens')
  const total = numberAt(usage, 'totalTokens')
  if (input === undefined && output === undefined && total === undefined) return undefined
  const cachedInputTokens = numberAt(usage, 'cacheReadInputTokens') ?? 0
  const details = usage['cacheDetails']
  let detailed = 0
  let cacheWrite1hTokens = 0
  for (const detail of Array.isArray(details) ? details : []) {
    const tokens = numberAt(membersOf(detail), 'inputTokens') ?? 0
    detailed += tokens
    if (membersOf(detail)?.['ttl'] === '1h') cacheWrite1hTokens += tokens
  }
  const cacheWriteTokens = Math.max(numberAt(usage, 'cacheWriteInputTokens') ?? 0, detailed)
  const inputTokens = (input ?? 0) + cachedInputTokens + cacheWriteTokens
  // Where the sum says more than the parts, the larger figure counts.
  const outputTokens = Math.max(output ?? 0, (total ?? 0) - inputTokens)
  return { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens }
}
