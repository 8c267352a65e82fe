import { describe, expect, test } from 'vitest'
import { encodeJson, omitted, quote } from '../../../src/core/json-text.js'
import { clean, pollute } from '../../support/tools.js'

describe('quote', () => {
  test.each([
    '',
    'plain',
    'a "quoted" \\ text',
    'tab\there',
    'Grüße, 東京 😀',
    '\u0000\u001f',
    '</script>',
    '~ }',
  ])('%j is written as JSON.stringify writes it', (text) => {
    expect(quote(text)).toBe(JSON.stringify(text))
  })

  test.each([
    ['\u007f', '"\\u007f"'],
    ['\u0080', '"\\u0080"'],
    ['\u009b31m', '"\\u009b31m"'],
    ['\u009f', '"\\u009f"'],
    ['\u00ad', '"\\u00ad"'],
    ['\u061c', '"\\u061c"'],
    ['\u180e', '"\\u180e"'],
    ['a\u200bb', '"a\\u200bb"'],
    ['\u200f', '"\\u200f"'],
    ['\u2028\u2029', '"\\u2028\\u2029"'],
    ['\u202e', '"\\u202e"'],
    ['\u2060', '"\\u2060"'],
    ['\u2066\u2069', '"\\u2066\\u2069"'],
    ['\ufeff', '"\\ufeff"'],
    ['\u{e0001}', '"\\udb40\\udc01"'],
    ['\u{e007f}', '"\\udb40\\udc7f"'],
  ])('%j is written as escapes that read back as it was', (text, written) => {
    expect(quote(text)).toBe(written)
    expect(JSON.parse(written)).toBe(text)
  })

  test.each([
    '\u00a0',
    '\u00ae',
    '\u200a',
    '\u2010',
    '\u2027',
    '\u202f',
    '\u2070',
    '\ufefe',
    '\u{e0080}',
    '\u{dffff}',
  ])('%j, beside what is escaped, is left as it is', (text) => {
    expect(quote(text)).toBe(`"${text}"`)
  })

  test.each([
    ['\ud800', '"\ufffd"'],
    ['a\udfffb', '"a\ufffdb"'],
    ['\udc00\ud800', '"\ufffd\ufffd"'],
    ['\ud83d\ude00\ud83d', '"😀\ufffd"'],
  ])('%j, half of a pair, is written as U+FFFD', (text, written) => {
    expect(quote(text)).toBe(written)
  })
})

describe('encodeJson', () => {
  test('writes plain data as JSON.stringify does', () => {
    const value = {
      a: [1, -1.5, 1e21, 5e-324, true, null, 'x', []],
      '': {},
      'b c': { d: [[{}]] },
      gone: undefined,
      2: 0,
    }
    expect(encodeJson(value)).toBe(JSON.stringify(value))
  })

  test.each([true, false, null, 0, -0, 12.5, 'text'])('writes %j', (value) => {
    expect(encodeJson(value)).toBe(JSON.stringify(value))
  })

  class Account {
    secret = 'hidden'
  }

  test.each<[unknown, string]>([
    [Number.NaN, 'number'],
    [Number.POSITIVE_INFINITY, 'number'],
    [10n, 'bigint'],
    [undefined, 'undefined'],
    [Symbol('s'), 'symbol'],
    [() => 1, 'function'],
    [new Account(), 'instance'],
    [new Date(0), 'instance'],
    [new Map([[1, 2]]), 'instance'],
    [new Error('hidden'), 'instance'],
  ])('puts a marker in the place of what JSON cannot represent (%#)', (value, kind) => {
    expect(encodeJson(value)).toBe(omitted(kind))
    expect(encodeJson([value])).toBe(`[${omitted(kind)}]`)
    if (value !== undefined) expect(encodeJson({ a: value })).toBe(`{"a":${omitted(kind)}}`)
  })

  test('an array or an object that throws when it is read gives way to a marker, and the rest stands', () => {
    const torn = {
      get a(): never {
        throw new RangeError('boom')
      },
    }
    const revoked = Proxy.revocable([], {})
    revoked.revoke()
    expect(encodeJson({ before: 1, torn, list: [revoked.proxy], after: 2 })).toBe(
      `{"before":1,"torn":${omitted('unreadable')},"list":[${omitted('unreadable')}],"after":2}`,
    )
  })

  test('never asks for toJSON, neither on the value nor on Object.prototype', () => {
    const members = { toJSON: () => 'forged' }
    pollute(members)
    let text: string
    try {
      text = encodeJson({ a: [{ b: 1 }] })
    } finally {
      clean(members)
    }
    expect(text).toBe('{"a":[{"b":1}]}')
    expect(encodeJson({ toJSON: () => 'forged', a: 1 })).toBe(`{"toJSON":${omitted('function')},"a":1}`)
  })

  test('leaves out symbol keys and hidden members', () => {
    expect(encodeJson(Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 }))).toBe(
      '{"a":1}',
    )
  })

  test('names are quoted as texts are', () => {
    expect(encodeJson({ 'a"\u202e\ud800': 1 })).toBe('{"a\\"\\u202e\ufffd":1}')
  })

  test('ends a cycle, and what is nested too deeply, with a marker', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(encodeJson(cycle)).toBe(`${'{"self":'.repeat(64)}${omitted('depth')}${'}'.repeat(64)}`)
    const ring: unknown[] = []
    ring.push(ring)
    expect(encodeJson(ring)).toBe(`${'['.repeat(64)}${omitted('depth')}${']'.repeat(64)}`)
  })

  test.each<[string, (inside: unknown) => unknown]>([
    ['arrays', (inside) => [inside, inside]],
    ['objects', (inside) => ({ a: inside, b: inside })],
  ])('what would fill the memory gives way to markers (%s)', (_label, double) => {
    let bomb: unknown = double('x')
    for (let level = 0; level < 20; level++) bomb = double(bomb)
    const text = encodeJson(bomb)
    expect(text.length).toBeLessThan(3_000_000)
    expect(() => JSON.parse(text)).not.toThrow()
    expect(text).toContain(omitted('too_large'))
  })
})
