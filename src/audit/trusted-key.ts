import { describe } from '../core/describe.js'
import { isPlainObject, readOptions } from '../core/guards.js'
import type { TimeSpan } from './expectation.js'
import { VerifierKey } from './note/verifier-key.js'

const LINE = /^(\S+)((?:\s+(?:from|until)=\S+)*)$/
const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/

/** A key that the verifier supplied, and the time it is good for. */
export interface TrustedKey {
  readonly key: VerifierKey
  /** ISO 8601, or milliseconds since the Unix epoch. A checkpoint over records up to before it is not believed. */
  readonly validFrom?: string | number
  /** The same; a checkpoint over records up to this time or later is not believed. */
  readonly validUntil?: string | number
}

/** A key with its time in milliseconds; `undefined` where it is good for ever. */
export interface DatedKey {
  readonly key: VerifierKey
  readonly span: TimeSpan | undefined
}

/** @throws TypeError or RangeError for what is no key, or a time that is none or ends before it begins. */
export function readTrustedKey(label: string, value: unknown): DatedKey {
  if (value instanceof VerifierKey) return { key: value, span: undefined }
  if (!isPlainObject(value)) throw new TypeError(`${label}: expected a VerifierKey, got ${describe(value)}`)
  const { key, validFrom, validUntil } = readOptions(label, value, ['key', 'validFrom', 'validUntil'])
  if (!(key instanceof VerifierKey)) {
    throw new TypeError(`${label}.key: expected a VerifierKey, got ${describe(key)}`)
  }
  if (validFrom === undefined && validUntil === undefined) return { key, span: undefined }
  const fromMs =
    validFrom === undefined ? Number.NEGATIVE_INFINITY : readTime(`${label}.validFrom`, validFrom)
  const untilMs =
    validUntil === undefined ? Number.POSITIVE_INFINITY : readTime(`${label}.validUntil`, validUntil)
  if (fromMs >= untilMs) throw new RangeError(`${label}: validFrom is not before validUntil`)
  return { key, span: { fromMs, untilMs } }
}

function readTime(label: string, value: unknown): number {
  const isText = typeof value === 'string'
  if (!isText && typeof value !== 'number') {
    throw new TypeError(`${label}: expected an ISO 8601 time or milliseconds, got ${describe(value)}`)
  }
  const atMs = isText ? (DATE.test(value) ? Date.parse(value) : Number.NaN) : value
  if (!Number.isFinite(atMs)) {
    throw new RangeError(`${label}: expected an ISO 8601 time or milliseconds, got ${describe(value)}`)
  }
  return atMs
}

/**
 * Reads a file of trusted keys: on each line `name+id+base64`, optionally followed by ` from=<ISO 8601>` and
 * ` until=<ISO 8601>`. Blank lines, and those that begin with `#`, are passed over.
 *
 * @throws TypeError or RangeError with the number of the line, for anything else and for a file without keys.
 */
export function parseTrustedKeys(text: string): TrustedKey[] {
  const keys: TrustedKey[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const label = `line ${index + 1}`
    const [, name, times = ''] = LINE.exec(line) ?? []
    if (name === undefined) throw new TypeError(`${label}: expected name+id+base64 [from=TIME] [until=TIME]`)
    const given: { validFrom?: string; validUntil?: string } = {}
    for (const [, which, time = ''] of times.matchAll(/(from|until)=(\S+)/g)) {
      const member = which === 'from' ? 'validFrom' : 'validUntil'
      if (given[member] !== undefined) throw new TypeError(`${label}: ${which} is given twice`)
      given[member] = time
    }
    const trusted = { key: keyOf(label, name), ...given }
    readTrustedKey(label, trusted)
    keys.push(trusted)
  }
  if (keys.length === 0) throw new TypeError('it holds no key')
  return keys
}

function keyOf(label: string, text: string): VerifierKey {
  try {
    return VerifierKey.parse(text)
  } catch (cause) {
    throw new TypeError(`${label}: ${(cause as Error).message}`, { cause })
  }
}
