import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { snapshot } from '../../src/core/json.js'
import { encodeJson, quote } from '../../src/core/json-text.js'

/** Texts with more of what is dangerous than chance would give: controls, bidi, halves of pairs. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        'a',
        '"',
        '\\',
        '\n',
        '\u007f',
        '\u009b',
        '\u200b',
        '\u2028',
        '\u202e',
        '\ufeff',
        '\ud800',
        '\udc00',
        '😀',
      ),
    )
    .map((parts) => parts.join('')),
)

const FORBIDDEN = ['__proto__', 'constructor', 'prototype']
const key = text.filter((name) => !FORBIDDEN.includes(name))

/** What JSON can say: whatever `JSON.parse` can return, apart from the keys that lead to prototypes. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
})).value

/** Anything at all that a caller could pass. */
const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

/** Everything that is escaped, and some of its neighbours. */
const SUSPECT = /[\u007f-\u009f\u00ad\u061c\u180e\u2000-\u20ff\ufeff]|[\u{e0000}-\u{e007f}]/u

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)]),
  )
}

function expectFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  expect(Object.isFrozen(value)).toBe(true)
  for (const member of Object.values(value)) expectFrozen(member)
}

describe('encodeJson', () => {
  test('what is written reads back as it was, in one safe line', () => {
    fc.assert(
      fc.property(json, (value) => {
        const written = encodeJson(value)
        expect(JSON.parse(written)).toEqual(wellFormed(value))
        expect(written).not.toMatch(UNSAFE)
        expect(written.isWellFormed()).toBe(true)
      }),
    )
  })

  test('anything at all comes out as one safe line of JSON', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const written = encodeJson(value)
        expect(() => JSON.parse(written)).not.toThrow()
        expect(written).not.toMatch(UNSAFE)
        expect(written.isWellFormed()).toBe(true)
      }),
    )
  })

  test('a text is written as JSON.stringify writes it, but for what is not safe', () => {
    fc.assert(
      fc.property(text, (value) => {
        const written = quote(value)
        expect(JSON.parse(written)).toBe(value.toWellFormed())
        if (!SUSPECT.test(value)) expect(written).toBe(JSON.stringify(value.toWellFormed()))
      }),
    )
  })
})

describe('snapshot', () => {
  test('a copy of what JSON can say is equal to it, frozen, and written the same', () => {
    fc.assert(
      fc.property(json, (value) => {
        const copied = snapshot(value)
        if (!copied.ok) throw new TypeError(copied.issue.code)
        expect(copied.value).toEqual(value)
        expectFrozen(copied.value)
        expect(encodeJson(copied.value)).toBe(encodeJson(value))
      }),
    )
  })

  test('anything at all is copied or refused with its place, and never throws', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const copied = snapshot(value)
        if (copied.ok) {
          expectFrozen(copied.value)
          return
        }
        expect(copied.issue.code).toMatch(/^[a-z_]+$/)
        // The place is real: it leads from the value to what was refused.
        let place: unknown = value
        for (const step of copied.issue.path) place = (place as Record<string | number, unknown>)[step]
        expect(snapshot(place).ok && !FORBIDDEN.includes(String(copied.issue.path.at(-1)))).toBe(false)
      }),
    )
  })

  test('a second copy is equal to the first: nothing is left to change', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const first = snapshot(value)
        if (!first.ok) return
        const second = snapshot(first.value)
        expect(second).toEqual(first)
      }),
    )
  })
})
