import { isObject, type JsonObject, own } from './record-view.js'
import { safeValue } from './safe-text.js'

/** How a record reads: `plain`, or one of those that a reader looks for. */
export type Tone = 'plain' | 'good' | 'warning' | 'bad' | 'quiet'

/** What happened, in words that are safe to print. */
export interface Details {
  readonly details: string
  readonly tone: Tone
}

export function errorOf(value: unknown): string {
  if (!isObject(value)) return safeValue(value)
  return text(value, 'name') + maybe(value, 'code', ' ')
}

export function usd(amount: unknown): string {
  if (typeof amount !== 'number') return safeValue(amount)
  const text = amount.toFixed(9)
  return `$${text.includes('.') ? text.replace(/\.?0+$/, '') : text}`
}

export function text(p: JsonObject, name: string): string {
  const value = own(p, name)
  return value === undefined ? '?' : safeValue(value)
}

export function maybe(
  p: JsonObject,
  name: string,
  before: string,
  show: (value: unknown) => string = safeValue,
): string {
  const value = own(p, name)
  return value === undefined ? '' : before + show(value)
}

export function list(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(', ')
}

export function plain(details: string): Details {
  return { details, tone: 'plain' }
}

export function quiet(details: string): Details {
  return { details, tone: 'quiet' }
}

export function warning(details: string): Details {
  return { details, tone: 'warning' }
}

export function bad(details: string): Details {
  return { details, tone: 'bad' }
}
