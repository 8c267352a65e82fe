import { expect, test } from 'vitest'
import { describe } from '../../../src/core/describe.js'

test.each([
  ['p\u0430y', '"p\\u0430y"'],
  ['a\n', '"a\\n"'],
  ['\u202efdp', '"\\u202efdp"'],
  ['plain', '"plain"'],
  ['x'.repeat(65), 'a string of 65 characters'],
  [{ secret: 1 }, 'an object'],
  [[1], 'an array'],
  [Number.NaN, 'NaN'],
  [10n, 'a bigint'],
])('%o is described without showing what could mislead', (value, text) => {
  expect(describe(value)).toBe(text)
})
