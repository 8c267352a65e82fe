import { describe } from './describe.js'
import type { PlainData } from './json.js'

const { hasOwn } = Object
const { isArray } = Array

/** Characters of the longest pointer. */
const MAX_POINTER_LENGTH = 256

const POINTER = /^(?:\/(?:[^/~]|~[01])*)*$/
const INDEX = /^(?:0|[1-9]\d{0,15})$/

/** A place in a JSON value: nothing but the whole value for `''`. */
export interface JsonPointer {
  readonly text: string
  readonly steps: readonly string[]
}

/** True for a JSON pointer as RFC 6901 writes it, of at most 256 characters. */
export function isJsonPointer(text: string): boolean {
  return text.length <= MAX_POINTER_LENGTH && text.isWellFormed() && POINTER.test(text)
}

/**
 * @throws TypeError when `value` is no string, RangeError when it is no JSON pointer.
 * @see RFC 6901, section 3
 */
export function parseJsonPointer(label: string, value: unknown): JsonPointer {
  if (typeof value !== 'string') throw new TypeError(`${label}: expected a string, got ${describe(value)}`)
  if (!isJsonPointer(value)) {
    throw new RangeError(
      `${label}: expected a JSON pointer such as /items/0/sku (~ is written ~0, / in a name ~1), at most ${MAX_POINTER_LENGTH} characters, got ${describe(value)}`,
    )
  }
  const steps = value.split('/').slice(1)
  // ~1 first: ~01 is the name ~1.
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return Object.freeze({ text: value, steps: Object.freeze(names) })
}

/**
 * The value at a place, or `undefined` where there is none; own members only.
 *
 * @see RFC 6901, section 4
 */
export function valueAt(value: PlainData, { steps }: JsonPointer): PlainData {
  let found = value
  for (const step of steps) {
    if (typeof found !== 'object' || found === null) return undefined
    // An array also has a member `length`, and 01 is no index.
    if ((isArray(found) && !INDEX.test(step)) || !hasOwn(found, step)) return undefined
    found = (found as Readonly<Record<string, PlainData>>)[step]
  }
  return found
}
