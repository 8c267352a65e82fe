import { expect, test } from 'vitest'
import type { PlainData } from '../../../src/core/json.js'
import { parseJsonPointer, valueAt } from '../../../src/core/json-pointer.js'

const at = (value: PlainData, text: string): PlainData => valueAt(value, parseJsonPointer('pointer', text))

/** The document of RFC 6901, section 5. */
const rfc = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
}

test.each<[string, PlainData]>([
  ['', rfc],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('RFC 6901, section 5: %j', (pointer, value) => {
  expect(at(rfc, pointer)).toEqual(value)
})

test.each([
  '/foo/2',
  '/foo/-',
  '/foo/01',
  '/foo/1e0',
  '/foo/length',
  '/foo/0/0',
  '/bar',
  '//',
  '/toString',
  '/foo/',
])('nothing is at %j', (pointer) => {
  expect(at(rfc, pointer)).toBeUndefined()
})

test('a name may look like an escape or an index', () => {
  expect(at({ '~1': 1, '/': 2, '01': 3 }, '/~01')).toBe(1)
  expect(at({ '~1': 1, '/': 2, '01': 3 }, '/~1')).toBe(2)
  expect(at({ '~1': 1, '/': 2, '01': 3 }, '/01')).toBe(3)
  expect(at({ a: null }, '/a')).toBeNull()
  expect(at({ a: null }, '/a/b')).toBeUndefined()
})

test.each(['card', '#/card', '/~', '/a~2', '/a~', '/\ud800', `/${'a'.repeat(256)}`])(
  '%j is refused',
  (text) => {
    expect(() => parseJsonPointer('commit[0]', text)).toThrow(RangeError)
    expect(() => parseJsonPointer('commit[0]', text)).toThrow('commit[0]: expected a JSON pointer')
  },
)
