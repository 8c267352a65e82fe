import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, MAX_NODES, NOT_JSON, snapshot } from '../../../src/core/json.js'
import { clean, pollute } from '../../support/tools.js'

function copyOf(input: unknown): unknown {
  const copied = snapshot(input)
  if (!copied.ok) throw new TypeError(`${copied.issue.code} at ${copied.issue.path.join('.')}`)
  return copied.value
}

function issueOf(input: unknown): unknown {
  const copied = snapshot(input)
  return copied.ok ? 'copied' : [copied.issue.code, ...copied.issue.path]
}

/** An object nested this many levels deep. */
function nested(levels: number): unknown {
  let value: unknown = 'end'
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? { in: value } : [value]
  return value
}

test.each([null, undefined, true, false, '', 'text', 0, -1.5, 2 ** 60, 10n] as const)(
  '%s is its own copy',
  (value) => {
    expect(copyOf(value)).toBe(value)
  },
)

test('-0 stays -0, as the schema will see it', () => {
  expect(copyOf([-0])).toEqual([-0])
})

test('containers are copied, in their order, with what they hold', () => {
  const input = { b: 1, a: [1, [2, { c: null }]], 1: 'one', gone: undefined, 'a b': true }
  const copy = copyOf(input) as typeof input
  expect(copy).toEqual(input)
  expect(copy).not.toBe(input)
  expect(copy.a).not.toBe(input.a)
  expect(Object.keys(copy)).toEqual(Object.keys(input))
  expect('gone' in copy).toBe(true)
  expect(Array.isArray(copy.a)).toBe(true)
})

test('every container of the copy is frozen, and none of the original', () => {
  const input = { list: [{ deep: {} }], empty: {}, none: [] }
  const copy = copyOf(input) as typeof input
  for (const part of [copy, copy.list, copy.list[0], copy.list[0]?.deep, copy.empty, copy.none]) {
    expect(Object.isFrozen(part)).toBe(true)
  }
  for (const part of [input, input.list, input.list[0]]) expect(Object.isFrozen(part)).toBe(false)
})

test('objects of the copy inherit nothing, and cannot be made to', () => {
  const copy = copyOf({ a: { b: 1 } }) as { a: object }
  for (const part of [copy, copy.a]) {
    expect('toString' in part).toBe(false)
    expect('constructor' in part).toBe(false)
    expect(part).not.toBeInstanceOf(Object)
    const prototype = Object.getPrototypeOf(part)
    if (prototype !== null) {
      expect(Object.isFrozen(prototype)).toBe(true)
      expect(Reflect.ownKeys(prototype)).toEqual([])
      expect(Object.getPrototypeOf(prototype)).toBeNull()
    }
  }
  pollute({ admin: true })
  try {
    expect('admin' in copy).toBe(false)
  } finally {
    clean({ admin: true })
  }
})

test('every member is read once, whatever it answers afterwards', () => {
  let reads = 0
  const input = {
    list: [
      {
        get amount(): number {
          reads += 1
          return reads
        },
      },
    ],
  }
  expect(copyOf(input)).toEqual({ list: [{ amount: 1 }] })
  expect(reads).toBe(1)
})

test('the length of an array is read once', () => {
  let reads = 0
  const growing = new Proxy([1, 2], {
    get: (target, name, receiver) => {
      if (name === 'length') {
        reads += 1
        return reads === 1 ? 2 : 1000
      }
      return Reflect.get(target, name, receiver)
    },
  })
  expect(copyOf(growing)).toEqual([1, 2])
  expect(reads).toBe(1)
})

test('holes of an array are copied as undefined, and what else an array carries is left out', () => {
  const holes = Object.assign([1, 2, 3], { extra: true })
  delete holes[1]
  const copy = copyOf(holes) as unknown[]
  expect(Object.keys(copy)).toEqual(['0', '1', '2'])
  expect(copy[1]).toBeUndefined()
})

test('an element is not given to a setter that somebody put on Array.prototype', () => {
  const caught: unknown[] = []
  Object.defineProperty(Array.prototype, '0', { set: (value) => caught.push(value), configurable: true })
  let copy: unknown
  try {
    copy = copyOf({ list: ['secret'] })
  } finally {
    Reflect.deleteProperty(Array.prototype, '0')
  }
  expect(caught).toEqual([])
  expect(copy).toEqual({ list: ['secret'] })
})

test('symbol keys, hidden and inherited members are left out', () => {
  const base = Object.assign(Object.create(null), { inherited: 1 })
  const input = Object.defineProperty(
    Object.assign(Object.create(base), { own: 1, [Symbol('s')]: 2 }),
    'hidden',
    { value: 3 },
  )
  const copy = copyOf(input) as object
  expect(Reflect.ownKeys(copy)).toEqual(['own'])
  expect('inherited' in copy).toBe(false)
})

describe('what is no plain data', () => {
  class Money {
    amount = 1
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  test.each<[string, unknown, unknown[]]>([
    ['a function', () => 1, ['not_plain_data']],
    ['a class', Money, ['not_plain_data']],
    ['a symbol', Symbol('s'), ['not_plain_data']],
    ['NaN', Number.NaN, ['not_finite']],
    ['-Infinity', Number.NEGATIVE_INFINITY, ['not_finite']],
    ['an instance', [new Money()], ['not_plain_data', 0]],
    ['an object made from another', Object.create({ inherited: true }), ['not_plain_data']],
    ['a date', { a: { at: new Date(0) } }, ['not_plain_data', 'a', 'at']],
    ['a map', new Map(), ['not_plain_data']],
    ['a typed array', new Float64Array(1), ['not_plain_data']],
    ['a buffer', Buffer.alloc(1), ['not_plain_data']],
    ['text that is not JSON', NOT_JSON, ['not_json']],
    ['a revoked proxy', [revoked.proxy], ['unreadable', 0]],
    ['__proto__ as a key', JSON.parse('{"a":{"__proto__":1}}'), ['forbidden_key', 'a', '__proto__']],
    ['constructor as a key', { constructor: 1 }, ['forbidden_key', 'constructor']],
    ['prototype as a key', [{ prototype: 1 }], ['forbidden_key', 0, 'prototype']],
  ])('%s is an issue with its place', (_label, input, issue) => {
    expect(issueOf(input)).toEqual(issue)
  })

  test('an issue says nothing of the value', () => {
    const copied = snapshot({ card: () => '4111 1111 1111 1111' })
    expect(JSON.stringify(copied)).not.toContain('4111')
  })
})

describe('bounds', () => {
  test('64 levels are copied, 65 are not', () => {
    expect(copyOf(nested(MAX_DEPTH))).toEqual(nested(MAX_DEPTH))
    expect(issueOf(nested(MAX_DEPTH + 1))).toEqual([
      'too_deep',
      ...Array(MAX_DEPTH)
        .fill(0)
        .map((_, level) => (level % 2 === 0 ? 'in' : 0)),
    ])
  })

  test('100,000 members and elements are copied, one more is not, wherever they are', () => {
    const half = Array(MAX_NODES / 2 - 1).fill(0)
    expect(snapshot({ a: half, b: half }).ok).toBe(true)
    expect(issueOf({ a: half, b: [...half, 0] })).toEqual(['too_large', 'b'])
    expect(issueOf(Array(MAX_NODES + 1))).toEqual(['too_large'])
    const wide = Object.fromEntries(Array.from({ length: MAX_NODES + 1 }, (_, index) => [`k${index}`, 0]))
    expect(issueOf(wide)).toEqual(['too_large'])
  })

  test('an object that is in many places is counted in each: no bomb goes off', () => {
    let bomb: unknown = [0]
    for (let level = 0; level < 20; level++) bomb = [bomb, bomb]
    expect(issueOf(bomb)).toEqual(expect.arrayContaining(['too_large']))
  })

  test('a cycle runs into the bound on depth', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(issueOf(cycle)).toEqual(['too_deep', ...Array(MAX_DEPTH).fill('self')])
  })
})
