const { getPrototypeOf, keys } = Object
const { isArray } = Array
const { isFinite } = Number
const stringify = JSON.stringify

/** As deep as a tool's input can be. */
const MAX_DEPTH = 64

/**
 * Plain data as the one JSON text that every implementation of RFC 8785 (JCS) makes of it: members in the
 * order of their UTF-16 code units, no blanks, numbers and strings as ECMAScript prints them.
 *
 * Strict: what has no JSON text, or more than one reading, is refused and never replaced. As in
 * `JSON.stringify`, a member that is `undefined` is left out; −0 is `0`, as the RFC has it.
 *
 * @throws TypeError for anything but plain JSON data, half a surrogate pair, a number that is not finite, or
 *   more than 64 levels. No message holds a value or a name.
 * @example
 * canonicalJson({ b: [1e21, 'é'], a: null }) // {"a":null,"b":[1e+21,"é"]}
 * @see RFC 8785, section 3.2
 */
export function canonicalJson(value: unknown): string {
  return encode(value, 0)
}

function encode(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return encodeString(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!isFinite(value)) throw new TypeError('canonical JSON: a number that is not finite')
      return String(value)
    case 'object':
      if (value === null) return 'null'
      if (depth === MAX_DEPTH) throw new TypeError(`canonical JSON: nested deeper than ${MAX_DEPTH} levels`)
      return isArray(value) ? encodeArray(value, depth) : encodeObject(value, depth)
    default:
      throw new TypeError(`canonical JSON: a ${typeof value}`)
  }
}

function encodeString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('canonical JSON: half of a surrogate pair')
  return stringify(text)
}

function encodeArray(value: readonly unknown[], depth: number): string {
  let text = '['
  for (let index = 0; index < value.length; index++) {
    text += `${index === 0 ? '' : ','}${encode(value[index], depth + 1)}`
  }
  return `${text}]`
}

function encodeObject(value: object, depth: number): string {
  const prototype: unknown = getPrototypeOf(value)
  if (prototype !== null && getPrototypeOf(prototype) !== null) {
    throw new TypeError('canonical JSON: an instance of a class')
  }
  let text = '{'
  // Without a function to compare, the order is that of UTF-16 code units.
  for (const name of keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member === undefined) continue
    text += `${text.length === 1 ? '' : ','}${encodeString(name)}:${encode(member, depth + 1)}`
  }
  return `${text}}`
}
