const { getPrototypeOf, keys } = Object
const { isArray } = Array
const { isFinite } = Number
const stringify = JSON.stringify

/** Nesting beyond this is replaced by a marker, which also ends cycles. */
const MAX_DEPTH = 64

/** Members and elements of one value; a graph that shares its parts can be exponentially larger than it looks. */
const MAX_NODES = 100_000

interface Room {
  left: number
}

/** Printable ASCII that needs no escape: nearly every string of a log. */
const PLAIN = /^[ !#-[\]-~]*$/

/**
 * What `JSON.stringify` leaves raw although it can steer a terminal or hide in a text: DEL and the C1
 * controls (U+009B starts a terminal escape), the bidirectional controls, zero-width characters, line and
 * paragraph separators, the byte order mark and the invisible tag characters.
 */
const UNSAFE =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu

function escapeUnits(text: string): string {
  let escaped = ''
  for (let index = 0; index < text.length; index++) {
    escaped += `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return escaped
}

/**
 * A string as a JSON string that is safe to print. Lone surrogates, which JSON text cannot carry, become
 * U+FFFD.
 */
export function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  return stringify(text.toWellFormed()).replace(UNSAFE, escapeUnits)
}

/**
 * Plain data as JSON text, in one line.
 *
 * Never throws and never calls into its argument's prototype (no `toJSON`): what JSON cannot represent (a
 * function, a cycle, a class instance, NaN) becomes `{"$omitted":"<kind>"}`, so that no value can stop a
 * record from being written. `undefined` members are left out.
 */
export function encodeJson(value: unknown): string {
  return encode(value, 0, { left: MAX_NODES })
}

/** What stands in a record for a value that cannot. */
export function omitted(kind: string): string {
  return `{"$omitted":"${kind}"}`
}

function encode(value: unknown, depth: number, room: Room): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      return isFinite(value) ? String(value) : omitted('number')
    case 'object':
      if (value === null) return 'null'
      if (depth === MAX_DEPTH) return omitted('depth')
      if (room.left <= 0) return omitted('too_large')
      try {
        return isArray(value) ? encodeArray(value, depth, room) : encodeObject(value, depth, room)
      } catch {
        return omitted('unreadable')
      }
    default:
      return omitted(typeof value)
  }
}

function encodeArray(value: readonly unknown[], depth: number, room: Room): string {
  room.left -= value.length
  if (room.left < 0) return omitted('too_large')
  let text = '['
  for (let index = 0; index < value.length; index++) {
    text += `${index === 0 ? '' : ','}${encode(value[index], depth + 1, room)}`
  }
  return `${text}]`
}

function encodeObject(value: object, depth: number, room: Room): string {
  const prototype: unknown = getPrototypeOf(value)
  if (prototype !== null && getPrototypeOf(prototype) !== null) return omitted('instance')
  let text = '{'
  const names = keys(value)
  room.left -= names.length
  if (room.left < 0) return omitted('too_large')
  for (const name of names) {
    const member = (value as Record<string, unknown>)[name]
    if (member === undefined) continue
    text += `${text.length === 1 ? '' : ','}${quote(name)}:${encode(member, depth + 1, room)}`
  }
  return `${text}}`
}
