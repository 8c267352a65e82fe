import { describe } from '../core/describe.js'
import { type PlainData, snapshot } from '../core/json.js'

const { isArray } = Array
const { keys } = Object
const { stringify } = JSON

/**
 * The input as the JSON text that crosses to the tool; `undefined` for no input. Nothing is left out or
 * changed on the way but members that are `undefined`: what was checked is what the tool receives. Never
 * calls a `toJSON`.
 *
 * @throws TypeError for what JSON cannot carry, saying where it is.
 */
export function inputText(input: unknown): string | undefined {
  if (input === undefined) return undefined
  const copied = snapshot(input)
  if (!copied.ok) {
    const { path, message } = copied.issue
    throw new TypeError(`isolated tool: input${['', ...path].join('.')} is ${message}`)
  }
  return encode(copied.value, 'input')
}

function encode(value: PlainData, path: string): string {
  switch (typeof value) {
    case 'string':
      return stringify(value)
    case 'number':
      // JSON.stringify would write -0 as 0.
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
      return String(value)
    case 'object':
      if (value === null) return 'null'
      return isArray(value) ? encodeArray(value, path) : encodeObject(value, path)
    default:
      throw new TypeError(`isolated tool: ${path} is ${describe(value)}, which JSON cannot carry`)
  }
}

function encodeArray(value: readonly PlainData[], path: string): string {
  let text = '['
  for (let index = 0; index < value.length; index++) {
    text += `${index === 0 ? '' : ','}${encode(value[index], `${path}.${index}`)}`
  }
  return `${text}]`
}

function encodeObject(value: object, path: string): string {
  const members = value as { readonly [key: string]: PlainData }
  let text = '{'
  for (const name of keys(members)) {
    const member = members[name]
    if (member === undefined) continue
    text += `${text.length === 1 ? '' : ','}${stringify(name)}:${encode(member, `${path}.${name}`)}`
  }
  return `${text}}`
}
