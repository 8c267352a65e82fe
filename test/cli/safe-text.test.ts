import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cut, displayWidth, pad, safeText, safeValue } from '../../src/cli/safe-text.js'

test.each([
  ['plain', 'plain'],
  ['\u001b[31m', '\\u001b[31m'],
  ['\u009b', '\\u009b'],
  ['a\nb\r\t', 'a\\nb\\r\\t'],
  ['\u202eabc\u2066', '\\u202eabc\\u2066'],
  ['\u200b\u200d\ufeff', '\\u200b\\u200d\\ufeff'],
  ['\u2028\u2029', '\\u2028\\u2029'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['"quoted" \\', '\\"quoted\\" \\\\'],
  ['Grüße 東京 😀', 'Grüße 東京 😀'],
])('%j is shown as %s', (text, shown) => {
  expect(safeText(text)).toBe(shown)
})

test('whatever the text, what is shown is one line that steers nothing, and stands for that text alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const shown = safeText(text)
      expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u200b-\u200f\ufeff]/u)
      expect(JSON.parse(`"${shown}"`)).toBe(text.toWellFormed())
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['text', 'text'],
  [12, '12'],
  [null, 'null'],
  [{ a: ['\u009b'] }, '{"a":["\\u009b"]}'],
  [Number.POSITIVE_INFINITY, '{"$omitted":"number"}'],
])('the value %j is shown as %s', (value, shown) => {
  expect(safeValue(value)).toBe(shown)
})

test.each([
  ['abc', 3],
  ['東京', 4],
  ['한국', 4],
  ['😀', 2],
  ['é', 1],
  ['e\u0301', 1],
  ['ＡＢ', 4],
])('%s takes %i columns', (text, columns) => {
  expect(displayWidth(text)).toBe(columns)
})

test.each([
  ['abcdef', 6, 'abcdef'],
  ['abcdef', 5, 'abcd…'],
  ['abcdef', 1, '…'],
  ['abcdef', 0, ''],
  ['東京都', 6, '東京都'],
  ['東京都', 5, '東京…'],
  ['東京都', 4, '東…'],
  ['a😀b', 3, 'a…'],
  ['', 0, ''],
])('%j cut to %i columns is %j', (text, columns, expected) => {
  expect(cut(text, columns)).toBe(expected)
})

test('a cut text never takes more columns than there are, and never holds half a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.nat(80), (text, columns) => {
      const shown = cut(text, columns)
      expect(displayWidth(shown)).toBeLessThanOrEqual(columns)
      expect(shown.isWellFormed()).toBe(text.isWellFormed() || shown.isWellFormed())
      if (displayWidth(text) <= columns) expect(shown).toBe(text)
    }),
  )
})

test('a padded text takes the columns that it was given, or more when it is longer', () => {
  expect(pad('東', 4)).toBe('東  ')
  expect(pad('abc', 2)).toBe('abc')
})
