import { describe } from '../../../core/describe.js'
import { quote } from '../../../core/json-text.js'
import { suggestion } from '../../../core/nearest.js'
import { type ObjectShape, PLAIN_TEXT, type Shape, type TextShape, typeOf } from './shape.js'

/** Says what is wrong with the value at a place. */
export type Complain = (path: readonly string[], message: string) => void

/** Complains about everything in which a value is not of a shape. */
export function checkShape(shape: Shape, value: unknown, path: readonly string[], complain: Complain): void {
  switch (shape.type) {
    case 'any':
      return
    case 'null':
    case 'boolean':
      if (typeOf(value) !== shape.type) complain(path, expected(shape, value))
      return
    case 'text':
      checkText(shape, value, path, complain)
      return
    case 'choice':
      if (typeof value !== 'string' || !shape.values.includes(value)) {
        const near = typeof value === 'string' ? suggestion(value, shape.values) : ''
        complain(path, `${expected(shape, value)}.${near}`)
      }
      return
    case 'integer':
    case 'number': {
      const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE } = shape
      const isNumber = shape.type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
      if (!isNumber || (value as number) < min || (value as number) > max) {
        complain(path, expected(shape, value))
      }
      return
    }
    case 'list':
      if (!Array.isArray(value) || value.length < shape.min || value.length > shape.max) {
        complain(path, expected(shape, value))
        return
      }
      for (const [index, element] of value.entries()) {
        checkShape(shape.of, element, [...path, String(index)], complain)
      }
      return
    case 'object':
      checkObject(shape, value, path, complain)
      return
    case 'either': {
      const found = typeOf(value)
      const fitting = shape.shapes.find((one) => jsonTypeOf(one) === found)
      if (fitting === undefined) complain(path, expected(shape, value))
      else checkShape(fitting, value, path, complain)
    }
  }
}

function checkText(shape: TextShape, value: unknown, path: readonly string[], complain: Complain): void {
  if (typeof value !== 'string') {
    complain(path, expected(shape, value))
    return
  }
  const length = [...value].length
  if (length === 0 || length > shape.maxLength) {
    complain(path, `expected 1 to ${shape.maxLength} characters, got ${length}`)
    return
  }
  if (!new RegExp(PLAIN_TEXT, 'u').test(value)) {
    complain(path, 'holds a control character or half of a surrogate pair')
    return
  }
  if (shape.pattern !== undefined && !new RegExp(shape.pattern, 'u').test(value)) {
    complain(path, expected(shape, value))
  }
}

function checkObject(shape: ObjectShape, value: unknown, path: readonly string[], complain: Complain): void {
  if (typeOf(value) !== 'object') {
    complain(path, expected(shape, value))
    return
  }
  const { members, required = [], oneOrMoreOf, exactlyOneOf, together = [], others } = shape
  const given = value as Readonly<Record<string, unknown>>
  const names = Object.keys(given)
  for (const name of names) {
    const member = Object.hasOwn(members, name) ? members[name]?.() : otherMember(shape, name)
    if (member !== undefined) checkShape(member, given[name], [...path, name], complain)
    else complain([...path, name], unknownMember(shape, name))
  }
  for (const name of required) {
    if (!names.includes(name)) complain(path, `${quote(name)} is missing: ${members[name]?.().about}`)
  }
  const count = (list: readonly string[]): number => list.filter((name) => names.includes(name)).length
  if (oneOrMoreOf !== undefined && count(oneOrMoreOf) === 0) {
    complain(
      path,
      `says nothing; expected ${others === undefined ? '' : 'at least '}one of ${oneOrMoreOf.join(', ')}`,
    )
  }
  if (exactlyOneOf !== undefined && count(exactlyOneOf) !== 1) {
    complain(path, `expected exactly one of ${exactlyOneOf.join(' and ')}`)
  }
  if (count(together) !== 0 && count(together) !== together.length) {
    complain(path, `expected ${together.join(' and ')} together`)
  }
}

function otherMember({ others }: ObjectShape, name: string): Shape | undefined {
  return others !== undefined && new RegExp(others.pattern, 'u').test(name) ? others.of() : undefined
}

function unknownMember({ members, others }: ObjectShape, name: string): string {
  const known = Object.keys(members)
  const near = suggestion(name, known)
  if (others !== undefined && near === '') return `${quote(name)} is no ${others.what}`
  return `unknown.${near === '' ? ` Known here: ${known.join(', ')}.` : near}`
}

function expected(shape: Shape, value: unknown): string {
  return `expected ${wordsFor(shape)}, got ${describe(value)}`
}

function wordsFor(shape: Shape): string {
  switch (shape.type) {
    case 'any':
      return 'a value'
    case 'null':
      return 'null'
    case 'boolean':
      return 'true or false'
    case 'text':
      return shape.what ?? 'a text'
    case 'choice':
      return shape.values.map((value) => quote(value)).join(' or ')
    case 'integer':
    case 'number': {
      const kind = shape.type === 'integer' ? 'a whole number' : 'a number'
      return shape.min === undefined ? kind : `${kind} from ${shape.min} to ${shape.max}`
    }
    case 'list':
      return shape.min === shape.max ? `a list of ${shape.min}` : `a list of ${shape.min} to ${shape.max}`
    case 'object':
      return 'an object'
    case 'either':
      return shape.shapes.map(wordsFor).join(' or ')
  }
}

function jsonTypeOf(shape: Shape): string {
  if (shape.type === 'choice') return 'text'
  return shape.type === 'integer' ? 'number' : shape.type
}
