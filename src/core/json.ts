import type { Issue } from './errors.js'

const { create, freeze, getPrototypeOf, keys } = Object
const { from, isArray } = Array
const { isFinite } = Number

/** A JSON value, plus `undefined` members and bigints: everything immutable or made of plain containers. */
export type PlainData =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | readonly PlainData[]
  | { readonly [key: string]: PlainData }

export type Snapshot =
  | { readonly ok: true; readonly value: PlainData }
  | { readonly ok: false; readonly issue: Issue }

/** Deeper than any real tool input; what a cycle runs into. */
export const MAX_DEPTH = 64
/** Members and elements in one value. */
export const MAX_NODES = 100_000

/** Names that reach a prototype when a careless merge copies them. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** By its length first: most names need no more. */
function isForbidden(name: string): boolean {
  const { length } = name
  return (length === 9 || length === 11) && FORBIDDEN_KEYS.has(name)
}

/** Stands for text that should have been JSON and is not; its snapshot says so. */
export const NOT_JSON: unique symbol = Symbol('not JSON')

/**
 * Makes the objects of a copy. Their prototype is empty, frozen and the end of its chain, so they inherit
 * nothing, like `Object.create(null)`, but stay in the engine's fast representation: a fifth of the time.
 */
const Bare = function Bare() {
  // Nothing of its own.
} as unknown as new () => Record<string, PlainData>
Bare.prototype = freeze(create(null))

const FAULT: unique symbol = Symbol('fault')

interface Walk {
  nodes: number
  path: (string | number)[]
  code: string
  message: string
}

/**
 * Copies plain data once, freezing every container on the way, so that what is checked afterwards is what
 * runs.
 *
 * Every member is read exactly once: a getter or a proxy answers that one time and is then out of reach.
 * Objects of the copy inherit nothing, so neither `toJSON` nor anything else can be put under them by
 * polluting `Object.prototype`. Like JSON, a copy has no symbol keys and no hidden members.
 *
 * Never throws: what is no plain data (functions, symbols, class instances, dates, maps, buffers,
 * non-finite numbers, cycles, more than {@link MAX_DEPTH} levels, the keys `__proto__`, `constructor` and
 * `prototype`, or a getter that throws) comes back as an {@link Issue} with its path.
 */
export function snapshot(value: unknown): Snapshot {
  const walk: Walk = { nodes: 0, path: [], code: '', message: '' }
  const copied = copy(value, 0, walk)
  if (copied !== FAULT) return { ok: true, value: copied }
  return { ok: false, issue: { path: walk.path.reverse(), code: walk.code, message: walk.message } }
}

function fault(walk: Walk, code: string, message: string): typeof FAULT {
  walk.code = code
  walk.message = message
  return FAULT
}

function copy(value: unknown, depth: number, walk: Walk): PlainData | typeof FAULT {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
    case 'bigint':
      return value
    case 'number':
      return isFinite(value) ? value : fault(walk, 'not_finite', 'a number that is not finite')
    case 'object':
      if (value === null) return null
      if (depth === MAX_DEPTH)
        return fault(walk, 'too_deep', `nested deeper than ${MAX_DEPTH} levels, or a cycle`)
      try {
        return isArray(value) ? copyArray(value, depth, walk) : copyObject(value, depth, walk)
      } catch {
        return fault(walk, 'unreadable', 'a member that throws when it is read')
      }
    default:
      if (value === NOT_JSON) return fault(walk, 'not_json', 'text that is not JSON')
      return fault(walk, 'not_plain_data', `a ${typeof value}`)
  }
}

function nothing(): undefined {
  return undefined
}

function copyArray(source: readonly unknown[], depth: number, walk: Walk): PlainData | typeof FAULT {
  const { length } = source
  walk.nodes += length
  if (walk.nodes > MAX_NODES) return fault(walk, 'too_large', `more than ${MAX_NODES} members`)
  // Own elements first: assigning to a hole would call a setter put on a prototype.
  const target: PlainData[] = from({ length }, nothing)
  for (let index = 0; index < length; index++) {
    const copied = copy(source[index], depth + 1, walk)
    if (copied === FAULT) {
      walk.path.push(index)
      return FAULT
    }
    target[index] = copied
  }
  return freeze(target)
}

function copyObject(source: object, depth: number, walk: Walk): PlainData | typeof FAULT {
  const prototype: unknown = getPrototypeOf(source)
  if (prototype !== null && getPrototypeOf(prototype) !== null) {
    return fault(walk, 'not_plain_data', 'an instance of a class')
  }
  const names = keys(source)
  walk.nodes += names.length
  if (walk.nodes > MAX_NODES) return fault(walk, 'too_large', `more than ${MAX_NODES} members`)
  const target = new Bare()
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string
    const copied = isForbidden(name)
      ? fault(walk, 'forbidden_key', `the key ${name}`)
      : copy((source as Record<string, unknown>)[name], depth + 1, walk)
    if (copied === FAULT) {
      walk.path.push(name)
      return FAULT
    }
    target[name] = copied
  }
  return freeze(target)
}
