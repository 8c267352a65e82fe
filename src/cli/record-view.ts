/** A JSON object out of a log. Nothing is known of its members: the log may be of anybody. */
export type JsonObject = { readonly [name: string]: unknown }

const decoder = new TextDecoder()

/** The object that a line holds; `undefined` when it is no JSON, or no object. */
export function parseLine(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member of an object as an object; empty when it is something else. */
export function objectAt(object: JsonObject, name: string): JsonObject {
  const value = own(object, name)
  return isObject(value) ? value : {}
}

/** A member of an object as a string; `undefined` when it is something else. */
export function stringAt(object: JsonObject, name: string): string | undefined {
  const value = own(object, name)
  return typeof value === 'string' ? value : undefined
}

/** A member that the object really has. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
