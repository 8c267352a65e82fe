import { type Members, membersOf, numberAt } from '../metered/members.js'
import type { ReportedTokens } from '../metered/metered-call.js'

/** Figures as Anthropic reports them: `input` is without the cache. */
interface Figures {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly read: number | undefined
  readonly written: number | undefined
  readonly written5m: number | undefined
  readonly written1h: number | undefined
}

/**
 * What a `usage` of Anthropic says that a call used. Input excludes the cache there, and includes it here.
 * The totals leave out some of the requests that the server made for one call, such as a compaction, which are
 * in `iterations`: where the two do not agree, the larger figure counts.
 *
 * @param asksForHour whether the request asks for a cache of an hour: then what was written to the cache
 *   without a word on how long it is kept, is taken for that.
 * @returns `undefined` where it says nothing.
 */
export function readUsage(value: unknown, asksForHour: boolean): ReportedTokens | undefined {
  const usage = membersOf(value)
  const iterations = usage?.['iterations']
  const total = figuresOf(usage)
  const sum = Array.isArray(iterations) ? iterations.map((one) => figuresOf(membersOf(one))) : []
  const figure = (name: keyof Figures): number | undefined => {
    const parts = sum.map((one) => one[name]).filter((part) => part !== undefined)
    return largest(total[name], parts.length === 0 ? undefined : parts.reduce((left, right) => left + right))
  }
  const input = figure('input')
  const output = figure('output')
  if (input === undefined && output === undefined) return undefined

  const cachedInputTokens = figure('read') ?? 0
  const for5m = figure('written5m') ?? 0
  const for1h = figure('written1h') ?? 0
  const cacheWriteTokens = Math.max(figure('written') ?? 0, for5m + for1h)
  const reasoningTokens = numberAt(membersOf(usage?.['output_tokens_details']), 'thinking_tokens') ?? 0
  return {
    inputTokens: (input ?? 0) + cachedInputTokens + cacheWriteTokens,
    // Thinking is counted again for this, and may come out a little larger than all there is.
    outputTokens: Math.max(output ?? 0, reasoningTokens),
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: asksForHour ? cacheWriteTokens - for5m : for1h,
    reasoningTokens,
  }
}

function figuresOf(usage: Members | undefined): Figures {
  const written = membersOf(usage?.['cache_creation'])
  return {
    input: numberAt(usage, 'input_tokens'),
    output: numberAt(usage, 'output_tokens'),
    read: numberAt(usage, 'cache_read_input_tokens'),
    written: numberAt(usage, 'cache_creation_input_tokens'),
    written5m: numberAt(written, 'ephemeral_5m_input_tokens'),
    written1h: numberAt(written, 'ephemeral_1h_input_tokens'),
  }
}

function largest(total: number | undefined, sum: number | undefined): number | undefined {
  if (total === undefined || sum === undefined) return total ?? sum
  return Math.max(total, sum)
}

/**
 * The usage of a stream so far. Each report is cumulative, and some leave out what an earlier one had: null is
 * no figure, and neither is one that is smaller.
 */
export function mergeUsage(before: Members | undefined, report: unknown): Members | undefined {
  const after = membersOf(report)
  if (before === undefined || after === undefined) return after ?? before
  const merged: Record<string, unknown> = { ...before }
  for (const [name, figure] of Object.entries(after)) {
    const earlier = before[name]
    if (figure === null || (typeof earlier === 'number' && typeof figure === 'number' && figure < earlier)) {
      continue
    }
    merged[name] = figure
  }
  return merged
}
