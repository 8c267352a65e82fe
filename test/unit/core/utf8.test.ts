import fc from 'fast-check'
import { expect, test } from 'vitest'
import { utf8Length } from '../../../src/core/utf8.js'

const encoder = new TextEncoder()

test.each([
  ['', 0],
  ['a', 1],
  ['\u007f', 1],
  ['\u0080', 2],
  ['\u07ff', 2],
  ['\u0800', 3],
  ['\uffff', 3],
  ['\u{10000}', 4],
  ['\u{10ffff}', 4],
  ['😀😀', 8],
  ['\ud800', 3],
  ['\udbff', 3],
  ['\udc00', 3],
  ['\udfff', 3],
  ['\ud800a', 4],
  ['\ud800\ud800\udc00', 7],
  ['\udc00\ud800', 6],
  ['\ue000', 3],
  ['\ud7ff', 3],
])('%j is %i bytes', (text, bytes) => {
  expect(utf8Length(text)).toBe(bytes)
  expect(encoder.encode(text)).toHaveLength(bytes)
})

test('any text, well-formed or not, is as long as its encoding', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }), (units) => {
      const text = String.fromCharCode(...units)
      return utf8Length(text) === encoder.encode(text).length
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0xd700, max: 0xe0ff }), { maxLength: 40 }), (units) => {
      const text = String.fromCharCode(...units)
      return utf8Length(text) === encoder.encode(text).length
    }),
  )
})
