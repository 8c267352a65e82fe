import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PlainData, snapshot } from '../../../src/core/json.js'
import { plainText } from '../../../src/core/plain-text.js'

const textOf = (value: unknown): string => {
  const copy = snapshot(value)
  if (!copy.ok) throw new TypeError(copy.issue.message)
  return plainText(copy.value)
}

const { value } = fc.letrec<{ value: PlainData }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<PlainData>(
      null,
      undefined,
      true,
      false,
      0,
      -0,
      1,
      1n,
      '',
      '1',
      'null',
      '1n',
      '\ud800',
      '"',
    ),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'a"', 'b:1'), tie('value'), { maxKeys: 4 }),
  ),
}))

/** As two values are told apart by whoever receives them; a member that is undefined is none. */
function isSame(one: PlainData, other: PlainData): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return Object.is(one, other)
  if (Array.isArray(one) !== Array.isArray(other)) return false
  if (Array.isArray(one) && one.length !== (other as readonly PlainData[]).length) return false
  const members = (data: object): [string, PlainData][] =>
    Object.entries(data).filter(([, member]) => Array.isArray(data) || member !== undefined)
  const [left, right] = [new Map(members(one)), new Map(members(other))]
  return (
    left.size === right.size &&
    [...left].every(([name, member]) => right.has(name) && isSame(member, right.get(name)))
  )
}

test('two values have the same text exactly when they are the same', () => {
  fc.assert(
    fc.property(value, value, (one, other) => {
      expect(textOf(one) === textOf(other)).toBe(isSame(one, other))
    }),
    { numRuns: 2000 },
  )
})

test('the order of members makes no difference', () => {
  expect(textOf({ a: 1, b: { c: 2, d: 3 } })).toBe(textOf({ b: { d: 3, c: 2 }, a: 1 }))
})
