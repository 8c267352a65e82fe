import type { PlainData } from './json.js'

const { keys } = Object
const { isArray } = Array
const { is } = Object
const stringify = JSON.stringify

/**
 * Plain data as text: the same for two values exactly when they are the same, whatever the order of their
 * members. A member that is `undefined` is none.
 */
export function plainText(value: PlainData): string {
  switch (typeof value) {
    case 'string':
      return stringify(value)
    case 'bigint':
      return `${value}n`
    case 'number':
      return is(value, -0) ? '-0' : String(value)
    case 'object':
      if (value === null) return 'null'
      return isArray(value) ? arrayText(value) : objectText(value as { readonly [key: string]: PlainData })
    default:
      return String(value)
  }
}

function arrayText(value: readonly PlainData[]): string {
  let text = '['
  for (let index = 0; index < value.length; index++) {
    text += `${index === 0 ? '' : ','}${plainText(value[index])}`
  }
  return `${text}]`
}

function objectText(value: { readonly [key: string]: PlainData }): string {
  let text = '{'
  for (const name of keys(value).sort()) {
    const member = value[name]
    if (member !== undefined) text += `${text.length === 1 ? '' : ','}${stringify(name)}:${plainText(member)}`
  }
  return `${text}}`
}
