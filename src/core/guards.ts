import { describe } from './describe.js'

const { getPrototypeOf, hasOwn, prototype: objectPrototype } = Object
const { ownKeys } = Reflect
const { isArray } = Array

/** Largest count, amount or time that is exact as a JavaScript number. */
export const MAX_COUNT: number = Number.MAX_SAFE_INTEGER

/** True for an object made by a literal, by `JSON.parse` or without a prototype, of any realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || isArray(value)) return false
  const prototype: unknown = getPrototypeOf(value)
  return prototype === null || getPrototypeOf(prototype) === null
}

/** True for anything `await` would wait for, but not for every object when `Object.prototype` has a `then`. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  const { then } = value as { then?: unknown }
  return typeof then === 'function' && then !== (objectPrototype as { then?: unknown }).then
}

/** A member of one of our own objects that may be absent, whatever `Object.prototype` was made to answer. */
export function own<T extends object, K extends keyof T>(value: T, name: K): T[K] | undefined {
  return hasOwn(value, name) ? value[name] : undefined
}

/** A member of somebody else's object: its own or its class's, never one that every object was made to have. */
export function readMember(value: unknown, name: string): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return undefined
  for (
    let holder: unknown = value;
    holder !== null && holder !== objectPrototype;
    holder = getPrototypeOf(holder)
  ) {
    if (hasOwn(holder as object, name)) return (value as Record<string, unknown>)[name]
  }
  return undefined
}

/**
 * Reads an options object once: own members only, each of them known.
 *
 * @throws TypeError when `value` is no plain object or has a member that is not in `known`.
 */
export function readOptions<K extends string>(
  label: string,
  value: unknown,
  known: readonly K[],
): { readonly [P in K]?: unknown } {
  if (!isPlainObject(value))
    throw new TypeError(`${label}: expected an options object, got ${describe(value)}`)
  const options: { [P in K]?: unknown } = Object.create(null)
  for (const key of ownKeys(value)) {
    if (typeof key === 'symbol' || !known.includes(key as K)) {
      throw new TypeError(`${label}: unknown option ${String(key)}; known options are ${known.join(', ')}`)
    }
    const member = value[key]
    if (member !== undefined) options[key as K] = member
  }
  return options
}

/**
 * @throws TypeError when `value` is no number, RangeError when it is not an integer from 0 to 2^53 − 1.
 */
export function readCount(label: string, value: unknown, max: number = MAX_COUNT): number {
  if (typeof value !== 'number') throw new TypeError(`${label}: expected a number, got ${describe(value)}`)
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${label}: expected an integer from 0 to ${max}, got ${value}`)
  }
  return value === 0 ? 0 : value
}

/** @throws TypeError when `value` is no function. */
export function readFunction<F extends (...args: never[]) => unknown>(label: string, value: unknown): F {
  if (typeof value !== 'function')
    throw new TypeError(`${label}: expected a function, got ${describe(value)}`)
  return value as F
}

/**
 * A non-empty text without control characters or lone surrogates.
 *
 * @throws TypeError when `value` is no string, RangeError when it is empty, too long or holds such characters.
 */
export function readText(label: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string') throw new TypeError(`${label}: expected a string, got ${describe(value)}`)
  if (value.length === 0 || value.length > maxLength) {
    throw new RangeError(`${label}: expected 1 to ${maxLength} characters, got ${value.length}`)
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) throw new RangeError(`${label}: holds a control character`)
  if (!value.isWellFormed()) throw new RangeError(`${label}: holds half of a surrogate pair`)
  return value
}
