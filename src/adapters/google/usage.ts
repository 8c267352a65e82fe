import { membersOf, numberAt } from '../metered/members.js'
import type { ReportedTokens } from '../metered/metered-call.js'

/**
 * What a reply of Gemini, or a chunk of a stream, says was used so far. Its count of the prompt is without
 * what hosted tools brought, and that of the candidates without thoughts; both are charged. Where the parts
 * and the sum do not agree, the larger figure counts.
 *
 * @returns `undefined` where it says nothing.
 */
export function readUsage(reply: unknown): ReportedTokens | undefined {
  const usage = membersOf(membersOf(reply)?.['usageMetadata'])
  if (usage === undefined) return undefined
  const prompt = numberAt(usage, 'promptTokenCount')
  const candidates = numberAt(usage, 'candidatesTokenCount')
  const total = numberAt(usage, 'totalTokenCount')
  if (prompt === undefined && candidates === undefined && total === undefined) return undefined
  const cachedInputTokens = numberAt(usage, 'cachedContentTokenCount') ?? 0
  const reasoningTokens = numberAt(usage, 'thoughtsTokenCount') ?? 0
  // The prompt includes the cache; one that is smaller than that does not.
  const stated = prompt ?? 0
  const asked = cachedInputTokens > stated ? stated + cachedInputTokens : stated
  const inputTokens = asked + (numberAt(usage, 'toolUsePromptTokenCount') ?? 0)
  const outputTokens = Math.max((candidates ?? 0) + reasoningTokens, (total ?? 0) - inputTokens)
  return { inputTokens, outputTokens, cachedInputTokens, reasoningTokens }
}
