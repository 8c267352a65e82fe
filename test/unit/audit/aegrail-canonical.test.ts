import { describe, expect, test } from 'vitest'
import {
  canonicalMembers,
  compareCodePoints,
  joinMembers,
  MAX_DEPTH,
} from '../../../src/audit/aegrail/canonical.js'
import { NotJson } from '../../../src/audit/aegrail/lexer.js'
import { pythonFloat, pythonNumber } from '../../../src/audit/aegrail/number.js'
import { sha256Hex } from '../../../src/core/digest.js'
import { aegrailJson } from '../../support/aegrail-logs.js'

interface Canonical {
  readonly file: string
  readonly line: number
  readonly canonical: string
  readonly sha256: string
}

const texts = aegrailJson<Canonical[]>('canonical.json')
const canonicalOf = (value: string): string | undefined => canonicalMembers(`{"x":${value}}`).get('x')
const faultOf = (value: string): NotJson => {
  try {
    canonicalOf(value)
  } catch (error) {
    if (error instanceof NotJson) return error
  }
  throw new TypeError(`${value.slice(0, 50)} was taken`)
}

test('there are canonical texts', () => {
  expect(texts).toHaveLength(34)
})

test.each(texts)('$file, line $line: the canonical text and its hash', ({ canonical, sha256 }) => {
  const members = canonicalMembers(canonical)
  const again = joinMembers(members, [...members.keys()].sort(compareCodePoints))
  expect(again).toBe(canonical)
  expect(sha256Hex(again)).toBe(sha256)
})

test.each(texts)('$file, line $line: out of another spelling', ({ canonical }) => {
  // Every member in the opposite order, blanks everywhere, every character escaped or none.
  const turned = canonical
    .replace(/\\u([0-9a-f]{4})/g, (whole, unit: string) =>
      /^(00[01]|007f|d[89ab]|d[c-f])/.test(unit)
        ? whole.toUpperCase().replace('\\U', '\\u')
        : String.fromCharCode(Number.parseInt(unit, 16)),
    )
    .replace(
      /"event":"([a-z])/,
      (_, letter: string) => ` "\\u0065vent" :\t"\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
  const members = canonicalMembers(`\t${turned} \r`)
  expect(joinMembers(members, [...members.keys()].sort())).toBe(canonical)
})

test.each([
  ['0', '0'],
  ['-0', '0'],
  ['-1', '-1'],
  ['123456789012345678901234567890', '123456789012345678901234567890'],
  ['-9223372036854775809', '-9223372036854775809'],
  ['1.0', '1.0'],
  ['1.00', '1.0'],
  ['100E-2', '1.0'],
  ['1e0', '1.0'],
  ['-0.0', '-0.0'],
  ['-0e5', '-0.0'],
  ['8e-6', '8e-06'],
  ['1e-400', '0.0'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['123456.789e-10', '1.23456789e-05'],
  ['9999999999999998.0', '9999999999999998.0'],
  ['1e15', '1000000000000000.0'],
  ['1e16', '1e+16'],
  ['12345678901234567.0', '1.2345678901234568e+16'],
  ['1.5e300', '1.5e+300'],
  ['5e-324', '5e-324'],
  ['1.7976931348623157e308', '1.7976931348623157e+308'],
])('the number %s is %s', (lexeme, printed) => {
  expect(pythonNumber(lexeme)).toBe(printed)
  expect(canonicalOf(lexeme)).toBe(printed)
})

test('an integer of any size is taken digit by digit', () => {
  const digits = '9'.repeat(100_000)
  expect(canonicalOf(digits)).toBe(digits)
})

test('every double of the table is printed as Python prints it', () => {
  const table = aegrailJson<[bits: string, printed: string][]>('python-floats.json')
  expect(table).toHaveLength(4000)
  const view = new DataView(new ArrayBuffer(8))
  const wrong = table.filter(([bits, printed]) => {
    view.setBigUint64(0, BigInt(`0x${bits}`))
    return pythonFloat(view.getFloat64(0)) !== printed || pythonNumber(printed) !== printed
  })
  expect(wrong).toEqual([])
})

test.each([
  ['"a"', '"a"'],
  ['"\\/"', '"/"'],
  ['"\u007f\u0080"', '"\\u007f\\u0080"'],
  ['"\\u0000\\u001F"', '"\\u0000\\u001f"'],
  ['"\\b\\f\\n\\r\\t\\"\\\\"', '"\\b\\f\\n\\r\\t\\"\\\\"'],
  ['"\\u0008\\u000A"', '"\\b\\n"'],
  ['"é\u2028😀"', '"\\u00e9\\u2028\\ud83d\\ude00"'],
  ['"\\uD83D\\uDE00"', '"\\ud83d\\ude00"'],
  ['"\ufeff"', '"\\ufeff"'],
])('the string %s is %s', (text, printed) => {
  expect(canonicalOf(text)).toBe(printed)
})

describe('members', () => {
  test('go by code point, not by UTF-16 unit, at every depth', () => {
    const names = [
      '',
      '10',
      '2',
      'B',
      '__proto__',
      'a',
      '\u00e9',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '😀',
      '\u{10ffff}',
    ]
    const object = (order: readonly string[]): string =>
      `{${order.map((name) => `${JSON.stringify(name)}:0`).join(', ')}}`
    const expected = canonicalOf(object(names))
    expect(
      [...(expected ?? '').matchAll(/"((?:\\.|[^"\\])*)":/g)].map(([, name]) => JSON.parse(`"${name}"`)),
    ).toEqual(names)
    expect(canonicalOf(`[[${object(names.toReversed())}]]`)).toBe(`[[${expected}]]`)
  })

  test('a prefix goes first', () => {
    expect(canonicalOf('{"ab":1,"a":2}')).toBe('{"a":2,"ab":1}')
  })
})

test.each([
  ['[ ]', '[]'],
  ['{ }', '{}'],
  ['[[],{},[{}]]', '[[],{},[{}]]'],
  ['[ 1 , [ true ] , false,null ]', '[1,[true],false,null]'],
  ['{"a" : {"b":[1, {"c" :2}]}}', '{"a":{"b":[1,{"c":2}]}}'],
])('%s is %s', (text, printed) => {
  expect(canonicalOf(text)).toBe(printed)
})

describe('what Python does not write is refused', () => {
  test.each([
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x1',
    '1_0',
    '--1',
    'NaN',
    'Infinity',
    '-Infinity',
    '1e400',
    '-1e309',
    '1.8e308',
    'True',
    'None',
    'undefined',
    'nulls',
    '"\u0000"',
    '"\u001f"',
    '"\\x41"',
    '"\\u12g4"',
    '"\\ud800"',
    '"\\ude00\\ud83d"',
    '"\\ud83dx"',
    "'a'",
    '[1,]',
    '[,1]',
    '[1 2]',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":}',
    '{a:1}',
    '{1:1}',
    '{,}',
    '[}',
    '{]',
    '}',
    ']',
    ':',
    ',',
    '1,2',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"x":[],"y":1,"x":2}}]',
    '\u00a01',
    '\ufeff1',
    '\v1',
    '1 /* one */',
  ])('%j', (text) => {
    expect(faultOf(text).isCut).toBe(false)
  })

  test.each(['', 'true', '"x"', '[{}]', '{} {}', '{}x', '\ufeff{}'])('%j is no object', (text) => {
    expect(() => canonicalMembers(text)).toThrow(NotJson)
  })
})

test('a whole object that was cut is known for that, wherever it was cut', () => {
  const whole = '{"a":{"b":[-1.5e-7,true,null,"x\\u00e9\\n"]},"c":"","d":[]}'
  expect(() => canonicalMembers(whole)).not.toThrow()
  for (let length = 0; length < whole.length; length++) {
    expect(() => canonicalMembers(whole.slice(0, length))).toThrow(expect.objectContaining({ isCut: true }))
  }
})

test('a thousand levels are read, and no more', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  expect(canonicalOf(nested(MAX_DEPTH - 1))).toBe(nested(MAX_DEPTH - 1))
  expect(faultOf(nested(MAX_DEPTH)).message).toContain('deeper than 1000')
  expect(faultOf('{"a":'.repeat(1_000_000)).message).toContain('deeper than 1000')
})
