/** What a value in the contract file has to look like: the parser and the published JSON Schema both read it. */
export type Shape =
  | { readonly type: 'any'; readonly about: string }
  | { readonly type: 'null'; readonly about: string }
  | { readonly type: 'boolean'; readonly about: string }
  | TextShape
  | { readonly type: 'choice'; readonly about: string; readonly values: readonly string[] }
  | NumberShape
  | ListShape
  | ObjectShape
  | EitherShape

export interface TextShape {
  readonly type: 'text'
  readonly about: string
  /** Code points. */
  readonly maxLength: number
  /** The whole text has to match; without it, any text without control characters. */
  readonly pattern?: string
  /** What the pattern asks for, in words. */
  readonly what?: string
}

export interface NumberShape {
  readonly type: 'integer' | 'number'
  readonly about: string
  readonly min?: number
  readonly max?: number
}

export interface ListShape {
  readonly type: 'list'
  readonly about: string
  readonly of: Shape
  readonly min: number
  readonly max: number
}

export interface ObjectShape {
  readonly type: 'object'
  /** Its name among the definitions of the JSON Schema; a shape that holds itself needs one. */
  readonly name?: string
  readonly about: string
  readonly members: { readonly [name: string]: () => Shape }
  readonly required?: readonly string[]
  /** At least one of these. */
  readonly oneOrMoreOf?: readonly string[]
  /** Exactly one of these. */
  readonly exactlyOneOf?: readonly string[]
  /** All of these or none. */
  readonly together?: readonly string[]
  /** Members with names of somebody else's making. */
  readonly others?: { readonly pattern: string; readonly what: string; readonly of: () => Shape }
}

/** Alternatives that a JSON type tells apart. */
export interface EitherShape {
  readonly type: 'either'
  readonly about: string
  readonly shapes: readonly Shape[]
}

/** A text without control characters and halves of surrogate pairs, of at least one character. */
export const PLAIN_TEXT: string = '^[^\\u0000-\\u001f\\u007f-\\u009f\\p{Cs}]+$'

export const text = (about: string, maxLength: number, pattern?: string, what?: string): TextShape => ({
  type: 'text',
  about,
  maxLength,
  ...(pattern === undefined ? {} : { pattern }),
  ...(what === undefined ? {} : { what }),
})

export const either = (about: string, ...shapes: readonly Shape[]): EitherShape => ({
  type: 'either',
  about,
  shapes,
})

/** The name of a JSON value's type in these shapes. */
export function typeOf(value: unknown): 'null' | 'boolean' | 'text' | 'number' | 'list' | 'object' {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'number') return 'number'
  return typeof value === 'string' ? 'text' : 'object'
}
