import { describe, expect, test } from 'vitest'
import { MAX_LINE_BYTES } from '../../../src/audit/record.js'
import type { SealedRecord } from '../../../src/audit/sink.js'
import { LineBuffer, wholeLines } from '../../../src/sinks/line-buffer.js'
import { records } from './records.js'

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

test('gives back what was added, in order, each line ended by LF, and is empty then', () => {
  const buffer = new LineBuffer()
  expect(buffer.isEmpty).toBe(true)
  for (const line of ['a', '', 'Grüße, 東京 😀']) expect(buffer.add(line)).toBe(true)
  expect(buffer.isEmpty).toBe(false)
  expect(textOf(buffer.take())).toBe('a\n\nGrüße, 東京 😀\n')
  expect(buffer.isEmpty).toBe(true)
  expect(buffer.take()).toHaveLength(0)
})

test.each(['x', 'é', '東', '😀'])('takes the longest line, of %s, and no second', (character) => {
  const buffer = new LineBuffer()
  const width = new TextEncoder().encode(character).length
  const room = MAX_LINE_BYTES - 1
  const line = character.repeat(Math.floor(room / width)) + 'x'.repeat(room % width)
  expect([buffer.add(line), buffer.add(line)]).toEqual([true, false])
  expect(textOf(buffer.take())).toBe(`${line}\n`)
  expect(buffer.add(line)).toBe(true)
})

test('a line that is refused leaves what is there as it was', () => {
  const buffer = new LineBuffer()
  buffer.add('x'.repeat(40_000))
  expect(buffer.add('y'.repeat(40_000))).toBe(false)
  expect(buffer.add('z')).toBe(true)
  expect(textOf(buffer.take())).toBe(`${'x'.repeat(40_000)}\nz\n`)
})

test('fills up to the last byte', () => {
  const buffer = new LineBuffer()
  const first = 'x'.repeat(64 * 1024 - 3)
  expect(buffer.add(first)).toBe(true)
  expect(buffer.add('ab')).toBe(false)
  expect(buffer.add('a')).toBe(true)
  expect(buffer.add('')).toBe(false)
  expect(buffer.take()).toHaveLength(64 * 1024)
})

test('takes the lines of records, whether or not they were sealed last', () => {
  const buffer = new LineBuffer()
  const [first, second] = records(2) as [SealedRecord, SealedRecord]
  expect([buffer.addRecord(first), buffer.addRecord(second)]).toEqual([true, true])
  expect(textOf(buffer.take())).toBe(`${first.line}\n${second.line}\n`)
})

test.each([0, 1])('refuses the line of a record as long as there is no room for it: record %i', (index) => {
  const buffer = new LineBuffer()
  const record = records(2, `{"task":"${'é'.repeat(20_000)}"}`)[index] as SealedRecord
  expect([buffer.addRecord(record), buffer.add('b'), buffer.addRecord(record)]).toEqual([true, true, false])
  expect(textOf(buffer.take())).toBe(`${record.line}\nb\n`)
  expect(buffer.addRecord(record)).toBe(true)
})

describe('whole lines', () => {
  test.each([
    ['', { lines: 0, end: 0 }],
    ['abc', { lines: 0, end: 0 }],
    ['abc\n', { lines: 1, end: 4 }],
    ['abc\nde', { lines: 1, end: 4 }],
    ['\n\nx\n', { lines: 3, end: 4 }],
  ])('in %j', (text, expected) => {
    expect(wholeLines(new TextEncoder().encode(text))).toEqual(expected)
  })
})
