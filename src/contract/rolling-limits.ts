import { describe } from '../core/describe.js'
import { readCount, readOptions } from '../core/guards.js'
import type { RollingLimitName, WindowLabel } from '../core/limits.js'
import { type Limits, readUsd } from './budget.js'
import { type LimitStore, parseStore } from './limit-store.js'

/** What sessions may consume together within a time that moves along; at least one limit. */
export interface RollingLimit {
  /** Milliseconds it looks back; 1 to 2^53 − 1. */
  readonly windowMs: number
  /** US dollars, at most nine decimal places. */
  readonly usd?: number
  /** Tokens, input and output together. */
  readonly tokens?: number
  /** Tool calls that may run. */
  readonly toolCalls?: number
  /** Model calls. */
  readonly llmCalls?: number
  /** Sessions that may be opened, without those nested in another of the same agent and window. */
  readonly sessions?: number
}

/** Limits over the sessions of an agent, beside those of each session. */
export interface RollingLimits {
  /** For the sessions of each user. */
  readonly perUser?: RollingLimit
  /** For the sessions of all users together. */
  readonly perAgent?: RollingLimit
  /** Where consumption is kept; in this process and this agent when absent. */
  readonly store?: LimitStore
  /** With a store: most milliseconds a session may be open, and a lease taken. 3,600,000 when absent. */
  readonly leaseMs?: number
  /** With a store: milliseconds it may take to answer. 5,000 when absent. */
  readonly storeTimeoutMs?: number
}

/** One rolling limit, parsed: `Infinity` where none was set, money in nano-USD. */
export interface WindowLimits {
  readonly label: WindowLabel
  readonly limits: Limits
  readonly sessions: number
}

/** Rolling limits, parsed. */
export interface ParsedRolling {
  readonly windows: readonly WindowLimits[]
  readonly store: LimitStore | undefined
  readonly leaseMs: number
  readonly storeTimeoutMs: number
}

const AMOUNTS = ['usd', 'tokens', 'toolCalls', 'llmCalls', 'sessions'] as const satisfies RollingLimitName[]
const OPTIONS = ['perUser', 'perAgent', 'store', 'leaseMs', 'storeTimeoutMs'] as const
const DEFAULT_LEASE_MS = 3_600_000
const DEFAULT_STORE_TIMEOUT_MS = 5_000

/** @throws TypeError or RangeError for a limit that is none, saying which. */
export function parseRolling(label: string, value: unknown): ParsedRolling {
  const given = readOptions(label, value, OPTIONS)
  const windows: WindowLimits[] = []
  for (const scope of ['user', 'agent'] as const) {
    const name = scope === 'user' ? 'perUser' : 'perAgent'
    if (given[name] !== undefined) windows.push(parseWindow(`${label}.${name}`, scope, given[name]))
  }
  if (windows.length === 0) throw new TypeError(`${label}: sets no limit; set perUser, perAgent or both`)
  const store = given.store === undefined ? undefined : parseStore(`${label}.store`, given.store)
  for (const name of ['leaseMs', 'storeTimeoutMs'] as const) {
    if (given[name] !== undefined && store === undefined)
      throw new TypeError(`${label}.${name}: says something of a store, and there is none`)
  }
  return Object.freeze({
    windows: Object.freeze(windows),
    store,
    leaseMs: given.leaseMs === undefined ? DEFAULT_LEASE_MS : readSpan(`${label}.leaseMs`, given.leaseMs),
    storeTimeoutMs:
      given.storeTimeoutMs === undefined
        ? DEFAULT_STORE_TIMEOUT_MS
        : readSpan(`${label}.storeTimeoutMs`, given.storeTimeoutMs),
  })
}

function parseWindow(label: string, scope: 'user' | 'agent', value: unknown): WindowLimits {
  const given = readOptions(label, value, ['windowMs', ...AMOUNTS])
  if (given.windowMs === undefined)
    throw new TypeError(`${label}.windowMs: expected a number of milliseconds, got ${describe(undefined)}`)
  if (AMOUNTS.every((name) => given[name] === undefined)) {
    throw new TypeError(`${label}: sets no limit; set at least one of ${AMOUNTS.join(', ')}`)
  }
  const count = (name: Exclude<RollingLimitName, 'usd'>): number =>
    given[name] === undefined ? Number.POSITIVE_INFINITY : readCount(`${label}.${name}`, given[name])
  return Object.freeze({
    label: Object.freeze({ scope, windowMs: readSpan(`${label}.windowMs`, given.windowMs) }),
    limits: Object.freeze({
      usd: given.usd === undefined ? Number.POSITIVE_INFINITY : readUsd(`${label}.usd`, given.usd),
      tokens: count('tokens'),
      toolCalls: count('toolCalls'),
      llmCalls: count('llmCalls'),
      wallMs: Number.POSITIVE_INFINITY,
      depth: Number.POSITIVE_INFINITY,
      denials: Number.POSITIVE_INFINITY,
    }),
    sessions: count('sessions'),
  })
}

function readSpan(label: string, value: unknown): number {
  const span = readCount(label, value)
  if (span === 0) throw new RangeError(`${label}: expected at least 1 millisecond, got 0`)
  return span
}
