import { membersOf, numberAt } from '../metered/members.js'
import type { ReportedTokens } from '../metered/metered-call.js'

/**
 * What a reply of OpenAI, or of a server that speaks its format, says it used: the `usage` of chat
 * completions, of responses or of embeddings. Where the parts and the sums of a report do not agree, the
 * larger figure counts.
 *
 * @returns `undefined` where it says nothing.
 */
export function readUsage(reply: unknown): ReportedTokens | undefined {
  const usage = membersOf(membersOf(reply)?.['usage'])
  if (usage === undefined) return undefined
  const input = numberAt(usage, 'prompt_tokens') ?? numberAt(usage, 'input_tokens')
  const output = numberAt(usage, 'completion_tokens') ?? numberAt(usage, 'output_tokens')
  const total = numberAt(usage, 'total_tokens')
  if (input === undefined && output === undefined && total === undefined) return undefined

  const ofInput = membersOf(usage['prompt_tokens_details'] ?? usage['input_tokens_details'])
  const ofOutput = membersOf(usage['completion_tokens_details'] ?? usage['output_tokens_details'])
  const cachedInputTokens = numberAt(ofInput, 'cached_tokens') ?? 0
  const cacheWriteTokens = numberAt(ofInput, 'cache_write_tokens') ?? 0
  const reasoningTokens = numberAt(ofOutput, 'reasoning_tokens') ?? 0

  // Some servers do not count the cache as input, or reasoning as output.
  const cache = cachedInputTokens + cacheWriteTokens
  const stated = input ?? (output === undefined ? (total ?? 0) : 0)
  const inputTokens = cache > stated ? stated + cache : stated
  const counted = Math.max(output ?? 0, (total ?? 0) - inputTokens)
  const outputTokens = reasoningTokens > counted ? counted + reasoningTokens : counted
  return { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens }
}
