import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  isPlainObject,
  isThenable,
  readCount,
  readFunction,
  readOptions,
  readText,
} from '../../../src/core/guards.js'

describe('isPlainObject', () => {
  test.each([
    ['a literal', {}],
    ['an object without a prototype', Object.create(null)],
    ['what JSON.parse returns', JSON.parse('{"a":1}')],
    ['a literal of another realm', runInNewContext('({ a: 1 })')],
  ])('%s is one', (_what, value) => {
    expect(isPlainObject(value)).toBe(true)
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a string', 'text'],
    ['a number', 5],
    ['a function', () => 1],
    ['an array', []],
    ['an array of another realm', runInNewContext('[]')],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a boxed number', Object(5)],
    ['an instance of a class', new (class Options {})()],
    ['what inherits from a literal', Object.create({ usd: 5 })],
  ])('%s is none', (_what, value) => {
    expect(isPlainObject(value)).toBe(false)
  })
})

/** An object with a `then` of its own. */
function withThen(then: unknown): object {
  return Object.defineProperty({}, 'then', { value: then })
}

describe('isThenable', () => {
  test.each([
    ['a promise', Promise.resolve()],
    ['an object with then', withThen(() => undefined)],
    ['a function with then', Object.defineProperty(() => undefined, 'then', { value: () => undefined })],
  ])('%s is one', (_what, value) => {
    expect(isThenable(value)).toBe(true)
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a string', 'then'],
    ['an object', {}],
    ['an object whose then is no function', withThen(true)],
  ])('%s is none', (_what, value) => {
    expect(isThenable(value)).toBe(false)
  })
})

describe('readOptions', () => {
  const known = ['a', 'b'] as const

  test('reads what is known, and leaves out what is undefined', () => {
    expect({ ...readOptions('test', { a: 1, b: undefined }, known) }).toEqual({ a: 1 })
    expect({ ...readOptions('test', { a: null }, known) }).toEqual({ a: null })
  })

  test('reads every member once', () => {
    let reads = 0
    const options = {
      get a() {
        reads += 1
        return reads === 1 ? 'checked' : undefined
      },
    }
    expect(readOptions('test', options, known).a).toBe('checked')
    expect(reads).toBe(1)
  })

  test('returns a copy that nothing later changes', () => {
    const options = { a: 1 }
    const read = readOptions('test', options, known)
    options.a = 2
    expect(read.a).toBe(1)
  })

  test('reads nothing from a prototype', () => {
    const read = readOptions('test', { a: 1 }, ['a', 'toString'])
    expect(read.toString).toBeUndefined()
    expect(() => readOptions('test', Object.create({ a: 1 }), known)).toThrow(TypeError)
  })

  test.each([
    ['an unknown member', { c: 1 }, 'test: unknown option c; known options are a, b'],
    ['an unknown member that is undefined', { c: undefined }, 'test: unknown option c'],
    ['a hidden unknown member', Object.defineProperty({}, 'c', { value: 1 }), 'test: unknown option c'],
    ['a symbol', { [Symbol('a')]: 1 }, 'test: unknown option Symbol(a)'],
    ['an own __proto__', JSON.parse('{"__proto__":{"a":1}}'), 'test: unknown option __proto__'],
    ['null', null, 'test: expected an options object, got null'],
    ['undefined', undefined, 'test: expected an options object, got undefined'],
    ['an array', [], 'test: expected an options object, got an array'],
    ['a string', 'a', 'test: expected an options object, got "a"'],
    ['a class instance', new (class Options {})(), 'test: expected an options object, got an object'],
  ])('refuses %s', (_what, options, message) => {
    expect(() => readOptions('test', options, known)).toThrow(TypeError)
    expect(() => readOptions('test', options, known)).toThrow(message)
  })
})

describe('readCount', () => {
  test.each([0, 1, 2 ** 31, Number.MAX_SAFE_INTEGER])('takes %d', (value) => {
    expect(readCount('n', value)).toBe(value)
  })

  test('takes minus zero as zero', () => {
    expect(Object.is(readCount('n', -0), 0)).toBe(true)
  })

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-1', -1],
    ['a fraction', 1.5],
    ['2^53', 2 ** 53],
  ])('refuses %s as out of range', (_what, value) => {
    expect(() => readCount('n', value)).toThrow(RangeError)
  })

  test.each([
    ['a string', '5'],
    ['a bigint', 5n],
    ['null', null],
    ['undefined', undefined],
    ['a boxed number', Object(5)],
    ['an object that is a number when asked', { valueOf: () => 5 }],
  ])('refuses %s as of the wrong type', (_what, value) => {
    expect(() => readCount('n', value)).toThrow(TypeError)
  })

  test('takes what is up to a maximum of its own', () => {
    expect(readCount('n', 10, 10)).toBe(10)
    expect(() => readCount('n', 11, 10)).toThrow('n: expected an integer from 0 to 10, got 11')
  })
})

test('readFunction takes functions alone', () => {
  const fn = (): number => 1
  expect(readFunction('fn', fn)).toBe(fn)
  expect(() => readFunction('fn', {})).toThrow(TypeError)
  expect(() => readFunction('fn', undefined)).toThrow('fn: expected a function, got undefined')
})

describe('readText', () => {
  test.each(['a', 'bob@example.com', 'søren', '李', 'a b', '😀', 'x'.repeat(16)])('takes %s', (value) => {
    expect(readText('t', value, 16)).toBe(value)
  })

  test.each([
    ['an empty text', ''],
    ['one that is too long', 'x'.repeat(17)],
    ['a line feed', 'alice\n'],
    ['NUL', 'a\u0000b'],
    ['ESC', '\u001b[31m'],
    ['DEL', 'a\u007f'],
    ['a C1 control', 'a\u009b'],
    ['half of a surrogate pair', '\ud83d'],
  ])('refuses %s', (_what, value) => {
    expect(() => readText('t', value, 16)).toThrow(RangeError)
  })

  test.each([5, null, undefined, ['a'], Object('a')])('refuses what is no string', (value) => {
    expect(() => readText('t', value, 16)).toThrow(TypeError)
  })
})
