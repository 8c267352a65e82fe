import { isPlainObject, MAX_COUNT } from '../core/guards.js'
import { MAX_USD, type NanoUsd, toNanoUsd } from '../core/money.js'
import { UsageInvalid } from '../core/usage-errors.js'

/** What one model call used, as a program reports it. */
export interface LlmUsage {
  /** The model's name, 1 to 256 characters. */
  readonly model: string
  /** All input tokens, **including** those read from or written to a cache. */
  readonly inputTokens: number
  /** All output tokens, including reasoning. */
  readonly outputTokens: number
  /** Of the input: read from a cache. */
  readonly cachedInputTokens?: number
  /** Of the input: written to a cache. */
  readonly cacheWriteTokens?: number
  /** Of those written to a cache: kept for an hour, at a price of their own. */
  readonly cacheWrite1hTokens?: number
  /** Of the output: reasoning. */
  readonly reasoningTokens?: number
  /** What the call cost, in US dollars; without it, the price comes from the agent's `prices`. */
  readonly costUsd?: number
  /** How long the call took, in milliseconds. */
  readonly latencyMs?: number
  /** True for counts that are no report of the provider: recorded as `metering: "estimated"`. */
  readonly estimated?: boolean
  /** Why the call has no result, if it has none; recorded by its name and code. */
  readonly error?: unknown
}

/** The counts that prices apply to. */
export interface TokenCounts {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheWrite1hTokens: number
}

/** {@link LlmUsage} after every number was checked. */
export interface ParsedUsage extends TokenCounts {
  readonly model: string
  readonly reasoningTokens: number
  readonly costUsd: NanoUsd | undefined
  readonly latencyMs: number | undefined
  readonly estimated: boolean
  readonly error: unknown
}

const KNOWN: ReadonlySet<PropertyKey> = new Set([
  'model',
  'inputTokens',
  'outputTokens',
  'cachedInputTokens',
  'cacheWriteTokens',
  'cacheWrite1hTokens',
  'reasoningTokens',
  'costUsd',
  'latencyMs',
  'estimated',
  'error',
] as const satisfies readonly (keyof LlmUsage)[])

const MAX_MODEL_LENGTH = 256

/**
 * Checks reported usage: own members only, each read once, every count an integer from 0 to 2^53 − 1.
 *
 * @throws {@link UsageInvalid} (ERR_USAGE_INVALID) naming the first member that is wrong.
 */
export function parseUsage(value: unknown): ParsedUsage {
  if (!isPlainObject(value)) throw new UsageInvalid('(all)', value, 'an object')
  for (const key of Reflect.ownKeys(value)) {
    if (!KNOWN.has(key)) throw new UsageInvalid(String(key), undefined, `one of ${[...KNOWN].join(', ')}`)
  }
  const own = (key: keyof LlmUsage): unknown => (Object.hasOwn(value, key) ? value[key] : undefined)
  const count = (key: keyof LlmUsage, absent?: 0): number => {
    const given = own(key)
    if (given === undefined && absent !== undefined) return absent
    return readTokens(key, given)
  }
  const model = own('model')
  if (typeof model !== 'string' || model.length === 0 || model.length > MAX_MODEL_LENGTH) {
    throw new UsageInvalid('model', model, `a string of 1 to ${MAX_MODEL_LENGTH} characters`)
  }
  const inputTokens = count('inputTokens')
  const outputTokens = count('outputTokens')
  const cachedInputTokens = count('cachedInputTokens', 0)
  const cacheWriteTokens = count('cacheWriteTokens', 0)
  const cacheWrite1hTokens = count('cacheWrite1hTokens', 0)
  const reasoningTokens = count('reasoningTokens', 0)
  if (cachedInputTokens + cacheWriteTokens > inputTokens) {
    throw new UsageInvalid(
      'inputTokens',
      inputTokens,
      'at least cachedInputTokens + cacheWriteTokens, which it includes',
    )
  }
  if (cacheWrite1hTokens > cacheWriteTokens) {
    throw new UsageInvalid(
      'cacheWriteTokens',
      cacheWriteTokens,
      'at least cacheWrite1hTokens, which it includes',
    )
  }
  if (reasoningTokens > outputTokens) {
    throw new UsageInvalid('outputTokens', outputTokens, 'at least reasoningTokens, which it includes')
  }
  if (inputTokens + outputTokens > MAX_COUNT) {
    throw new UsageInvalid(
      'outputTokens',
      outputTokens,
      `at most ${MAX_COUNT} tokens together with inputTokens`,
    )
  }
  const latencyMs = own('latencyMs')
  if (
    latencyMs !== undefined &&
    !(typeof latencyMs === 'number' && latencyMs >= 0 && latencyMs <= MAX_COUNT)
  ) {
    throw new UsageInvalid('latencyMs', latencyMs, 'milliseconds, not negative')
  }
  const estimated = own('estimated') ?? false
  if (typeof estimated !== 'boolean') throw new UsageInvalid('estimated', estimated, 'a boolean')
  const costUsd = own('costUsd')
  return {
    model,
    inputTokens,
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens,
    reasoningTokens,
    costUsd: costUsd === undefined ? undefined : readUsd('costUsd', costUsd),
    latencyMs: latencyMs as number | undefined,
    estimated,
    error: own('error'),
  }
}

/** @throws {@link UsageInvalid} (ERR_USAGE_INVALID) when `value` is no integer from 0 to 2^53 − 1. */
export function readTokens(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new UsageInvalid(field, value, `an integer from 0 to ${MAX_COUNT}`)
  }
  return value
}

/** @throws {@link UsageInvalid} (ERR_USAGE_INVALID) when `value` is no finite amount of US dollars in range. */
export function readUsd(field: string, value: unknown): NanoUsd {
  const amount = toNanoUsd(value)
  if (amount === undefined) throw new UsageInvalid(field, value, `US dollars from 0 to ${MAX_USD}`)
  return amount
}
