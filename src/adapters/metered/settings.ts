import type { SessionChoice } from './find-session.js'

/** What every adapter that meters model calls can be told. */
export interface GovernedCallOptions extends SessionChoice {
  /**
   * Tokens of output to hold for a request that sets no bound of its own, 0 to 2^53 − 1. Without it such a
   * request holds everything that is left, so that no two of them run at once under a limit. The request
   * itself is not changed: output beyond this is held as it arrives.
   */
  readonly assumeOutputTokens?: number
  /**
   * Tokens of input of a request, from its parsed body; `undefined` for the built-in estimate. For requests
   * whose input is more than what is sent.
   */
  readonly estimateInputTokens?: (body: Readonly<Record<string, unknown>>) => number | undefined
  /**
   * What happens to a request that spends in a way that is not metered: an endpoint that is not in
   * `COVERAGE` as metered or free, a tool that the provider hosts, a response in the background. `refuse`,
   * the default: {@link UnmeteredRequest}. `observe`: it passes and is on record, at no cost.
   */
  readonly unmetered?: 'refuse' | 'observe'
}

/** What every adapter that sits in the place of `fetch` can be told. */
export interface GovernedFetchOptions extends GovernedCallOptions {
  /** What makes the requests; without it, the `fetch` of the runtime. */
  readonly fetch?: typeof globalThis.fetch
}

const OPTIONS = [
  'session',
  'outside',
  'assumeOutputTokens',
  'estimateInputTokens',
  'unmetered',
] as const satisfies readonly (keyof GovernedCallOptions)[]

/**
 * As {@link readCallOptions}, with a `fetch`.
 *
 * @throws TypeError or RangeError for options that are not usable.
 */
export function readFetchOptions<O extends GovernedFetchOptions>(
  label: string,
  options: O,
  more: readonly (keyof O & string)[],
): Readonly<O> {
  const settings = readCallOptions(label, options, ['fetch', ...more])
  const { fetch } = settings
  if (fetch !== undefined && typeof fetch !== 'function')
    throw new TypeError(`${label}.fetch: expected a function`)
  return settings
}

/**
 * The options, checked and frozen.
 *
 * @param more names of options that only one adapter has.
 * @throws TypeError or RangeError for options that are not usable.
 */
export function readCallOptions<O extends GovernedCallOptions>(
  label: string,
  options: O,
  more: readonly (keyof O & string)[],
): Readonly<O> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${label}: expected options`)
  const known: readonly string[] = [...OPTIONS, ...more]
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${label}: unknown option ${name}; known options are ${known.join(', ')}`)
    }
  }
  const { session, outside, assumeOutputTokens, estimateInputTokens, unmetered } = options
  if (session !== undefined && typeof session !== 'function' && typeof session?.reserve !== 'function') {
    throw new TypeError(`${label}.session: expected a session or a function that returns one`)
  }
  readChoice(`${label}.outside`, outside)
  readChoice(`${label}.unmetered`, unmetered)
  if (estimateInputTokens !== undefined && typeof estimateInputTokens !== 'function')
    throw new TypeError(`${label}.estimateInputTokens: expected a function`)
  if (
    assumeOutputTokens !== undefined &&
    !(Number.isSafeInteger(assumeOutputTokens) && assumeOutputTokens >= 0)
  ) {
    throw new RangeError(`${label}.assumeOutputTokens: expected an integer from 0 to 2^53 - 1`)
  }
  return Object.freeze({ ...options })
}

function readChoice(label: string, value: unknown): void {
  if (value === undefined || value === 'refuse' || value === 'observe') return
  throw new TypeError(`${label}: expected 'refuse' or 'observe'`)
}
