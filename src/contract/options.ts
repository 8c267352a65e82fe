import type { Clock } from '../core/clock.js'
import { describe } from '../core/describe.js'
import { readText } from '../core/guards.js'
import type { LimitName } from '../core/limits.js'
import { LIMIT_NAMES, parseBudget } from './budget.js'

const IDENTITY = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)?$/
const MAX_IDENTITY_LENGTH = 128
const MAX_USER_LENGTH = 256
const MAX_TASK_LENGTH = 4096

/**
 * An agent's identity: `name` or `name/version`, up to 128 characters of `a-z 0-9 . _ -`.
 *
 * @throws TypeError or RangeError when `value` is not one.
 */
export function parseIdentity(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`identity: expected a string, got ${describe(value)}`)
  if (value.length > MAX_IDENTITY_LENGTH || !IDENTITY.test(value)) {
    throw new RangeError(
      `identity: expected name or name/version of a-z 0-9 . _ -, at most ${MAX_IDENTITY_LENGTH} characters, got ${describe(value)}`,
    )
  }
  return value
}

/** @throws TypeError or RangeError when `value` is no usable user id. */
export function parseUser(value: unknown): string {
  return readText('userId', value, MAX_USER_LENGTH)
}

/** @throws TypeError or RangeError when `value` is no usable task. */
export function parseTask(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`task: expected a string, got ${describe(value)}`)
  if (value.length > MAX_TASK_LENGTH) {
    throw new RangeError(`task: expected at most ${MAX_TASK_LENGTH} characters, got ${value.length}`)
  }
  return value
}

/** @throws TypeError when `value` is no {@link Clock}. */
export function parseClock(value: unknown): Clock {
  const clock = value as Partial<Clock> | null | undefined
  for (const method of ['nowMs', 'monotonicMs', 'setTimer', 'clearTimer'] as const) {
    if (typeof clock?.[method] !== 'function')
      throw new TypeError(`clock: expected a Clock, and ${method} is no function`)
  }
  return clock as Clock
}

/** @throws TypeError when `value` is no AbortSignal. */
export function parseSignal(label: string, value: unknown): AbortSignal {
  const signal = value as Partial<AbortSignal> | null | undefined
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    throw new TypeError(`${label}: expected an AbortSignal, got ${describe(value)}`)
  }
  return signal as AbortSignal
}

const VARIABLES: { readonly [L in LimitName]: string } = {
  usd: 'WRIT_BUDGET_USD',
  tokens: 'WRIT_BUDGET_TOKENS',
  wallMs: 'WRIT_BUDGET_WALL_MS',
  toolCalls: 'WRIT_BUDGET_TOOL_CALLS',
  llmCalls: 'WRIT_BUDGET_LLM_CALLS',
  depth: 'WRIT_BUDGET_DEPTH',
  denials: 'WRIT_BUDGET_DENIALS',
}

/** What the environment says of an agent; absent where it says nothing. */
export interface Environment {
  readonly identity?: string
  readonly budget?: { readonly [L in LimitName]?: number }
  readonly auditFile?: string
}

/**
 * Reads `WRIT_AGENT_IDENTITY`, `WRIT_BUDGET_*` and `WRIT_AUDIT_FILE`.
 *
 * @throws RangeError naming the variable, when one is set and does not parse.
 */
export function readEnvironment(env: { readonly [name: string]: string | undefined }): Environment {
  const identity = env['WRIT_AGENT_IDENTITY']
  const auditFile = env['WRIT_AUDIT_FILE']
  const budget: { -readonly [L in LimitName]?: number } = {}
  for (const limit of LIMIT_NAMES) {
    const variable = VARIABLES[limit]
    const text = env[variable]
    if (text === undefined) continue
    if (!(limit === 'usd' ? /^\d+(?:\.\d{1,9})?$/ : /^\d+$/).test(text)) {
      throw new RangeError(
        `${variable}: expected ${limit === 'usd' ? 'US dollars as a decimal number' : 'a whole number'}, got ${describe(text)}`,
      )
    }
    const amount = Number(text)
    labelled(variable, () => parseBudget('budget', { [limit]: amount }))
    budget[limit] = amount
  }
  if (auditFile === '') throw new RangeError('WRIT_AUDIT_FILE: expected a path, got an empty string')
  if (identity !== undefined) labelled('WRIT_AGENT_IDENTITY', () => parseIdentity(identity))
  return {
    ...(identity === undefined ? {} : { identity }),
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
    ...(auditFile === undefined ? {} : { auditFile }),
  }
}

function labelled(variable: string, check: () => unknown): void {
  try {
    check()
  } catch (cause) {
    throw new RangeError(`${variable}: ${cause instanceof Error ? cause.message : 'not usable'}`, { cause })
  }
}
