import { describe } from '../core/describe.js'
import { readCount, readOptions } from '../core/guards.js'

/** When the calls of a session go round in circles, and what comes of it. */
export interface LoopOptions {
  /** The same tool with the same input: `times` within `windowMs` may run. 5 in 60,000 ms when absent. */
  readonly repeat?: { readonly times?: number; readonly windowMs?: number } | false
  /**
   * Two to `maxPeriod` calls over and over (A-B-A-B): `times` rounds may run. 3 rounds of up to 4 calls
   * when absent.
   */
  readonly cycle?: { readonly times?: number; readonly maxPeriod?: number } | false
  /** One tool failing with one error: `times` in a row may run. 5 when absent. */
  readonly errors?: { readonly times?: number } | false
  /** Whether the next call is denied, or a person is asked. `deny` when absent. */
  readonly action?: 'deny' | 'approve'
}

/** Parsed; `undefined` for what is not looked for. */
export interface ParsedLoops {
  readonly repeat: { readonly times: number; readonly windowMs: number } | undefined
  readonly cycle: { readonly times: number; readonly maxPeriod: number } | undefined
  readonly errors: { readonly times: number } | undefined
  readonly action: 'deny' | 'approve'
}

/** What one session remembers of its calls. */
export const MAX_REMEMBERED = 256
/** Longest pattern that is looked for. */
const MAX_PERIOD = 8

const DEFAULTS = {
  repeat: { times: 5, windowMs: 60_000 },
  cycle: { times: 3, maxPeriod: 4 },
  errors: { times: 5 },
} as const

/** @throws TypeError or RangeError for options that are none, saying which. */
export function parseLoops(label: string, value: unknown): ParsedLoops | undefined {
  if (value === undefined || value === false) return undefined
  if (value !== true && typeof value !== 'object')
    throw new TypeError(`${label}: expected true, false or an options object, got ${describe(value)}`)
  const given = value === true ? {} : readOptions(label, value, ['repeat', 'cycle', 'errors', 'action'])
  const { action = 'deny' } = given
  if (action !== 'deny' && action !== 'approve') {
    throw new RangeError(`${label}.action: expected 'deny' or 'approve', got ${describe(action)}`)
  }
  const repeat = parsePart(`${label}.repeat`, given.repeat, DEFAULTS.repeat, {
    times: [1, MAX_REMEMBERED],
    windowMs: [1, Number.MAX_SAFE_INTEGER],
  })
  const cycle = parsePart(`${label}.cycle`, given.cycle, DEFAULTS.cycle, {
    times: [2, MAX_REMEMBERED],
    maxPeriod: [2, MAX_PERIOD],
  })
  const errors = parsePart(`${label}.errors`, given.errors, DEFAULTS.errors, { times: [1, MAX_REMEMBERED] })
  if (repeat === undefined && cycle === undefined && errors === undefined) {
    throw new TypeError(`${label}: looks for nothing; leave one of repeat, cycle and errors on`)
  }
  return Object.freeze({ repeat, cycle, errors, action })
}

function parsePart<P extends { readonly [name: string]: number }>(
  label: string,
  value: unknown,
  defaults: P,
  ranges: { readonly [K in keyof P]: readonly [least: number, most: number] },
): P | undefined {
  if (value === false) return undefined
  const names = Object.keys(defaults)
  const given = value === undefined ? {} : readOptions(label, value, names)
  const parsed: Record<string, number> = {}
  for (const name of names) {
    const [least, most] = ranges[name] as readonly [number, number]
    const number =
      given[name] === undefined ? defaults[name] : readCount(`${label}.${name}`, given[name], most)
    if (number === undefined || number < least) {
      throw new RangeError(`${label}.${name}: expected an integer from ${least} to ${most}, got ${number}`)
    }
    parsed[name] = number
  }
  return Object.freeze(parsed) as P
}
