import { utf8Bytes } from './text-size.js'

/** What the input of a request comes to. */
export interface InputSize {
  /** Bytes of text, and a little for each number and member. */
  readonly bytes: number
  /** True where there is more to it than what is sent: media, and what is kept elsewhere. */
  readonly isUnbounded: boolean
}

/** What a member of a request is: part of it, data that only a tool understands, or more than what is sent. */
export type InputKind = 'part' | 'data' | 'unbounded'

const MAX_DEPTH = 256

/** Adds up what a request has as text. Bytes are encoded media: what they cost has nothing to do with length. */
export function inputSize(request: unknown, kindOf: (name: string) => InputKind): InputSize {
  let bytes = 0
  let isUnbounded = false
  const measure = (value: unknown, kind: InputKind, depth: number): void => {
    if (typeof value === 'string') bytes += utf8Bytes(value) + 3
    else if (typeof value !== 'object' || value === null) bytes += 3
    else if (depth > MAX_DEPTH || ArrayBuffer.isView(value)) isUnbounded = true
    else if (Array.isArray(value)) for (const member of value) measure(member, kind, depth + 1)
    else {
      for (const [name, member] of Object.entries(value)) {
        // Clients leave out what is undefined.
        if (member === undefined) continue
        const inner = kind === 'data' ? 'data' : kindOf(name)
        bytes += utf8Bytes(name) + 3
        if (inner === 'unbounded') isUnbounded = true
        else measure(member, inner, depth + 1)
      }
    }
  }
  measure(request, 'part', 0)
  return { bytes, isUnbounded }
}
