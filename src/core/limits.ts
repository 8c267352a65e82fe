/**
 * The names of the limits a {@link Budget} can set. `usage()`, `remaining()`, errors and log records
 * all use these names (the log in snake_case).
 */
export type LimitName = 'usd' | 'tokens' | 'wallMs' | 'toolCalls' | 'llmCalls' | 'depth' | 'denials'

/** What a session has consumed so far: a frozen snapshot. */
export interface Usage {
  /** US dollars charged. */
  readonly usd: number
  /** Tokens charged, input and output together. */
  readonly tokens: number
  /** Milliseconds since the session opened, on a monotonic clock. */
  readonly wallMs: number
  /** Tool calls permitted, whether or not they have finished. */
  readonly toolCalls: number
  /** Model calls started or reported. */
  readonly llmCalls: number
  /** Levels of sessions nested below this one, at the deepest. */
  readonly depth: number
  /** Tool calls denied. */
  readonly denials: number
}

/** What a session has consumed that was not opened. */
export const NO_USAGE: Usage = Object.freeze({
  usd: 0,
  tokens: 0,
  wallMs: 0,
  toolCalls: 0,
  llmCalls: 0,
  depth: 0,
  denials: 0,
})

/** What a rolling limit can bound: what the sessions of a user or an agent consume together. */
export type RollingLimitName = 'usd' | 'tokens' | 'toolCalls' | 'llmCalls' | 'sessions'

/** Whose rolling limit it is, and how many milliseconds it looks back. */
export interface WindowLabel {
  readonly scope: 'user' | 'agent'
  readonly windowMs: number
}
