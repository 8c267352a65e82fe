import { expect, test } from 'vitest'
import { memorySink } from '../../../src/sinks/memory.js'
import { Host, record, records } from './records.js'

function filled(count: number): ReturnType<typeof memorySink> {
  const sink = memorySink()
  sink.open(new Host())
  for (const each of records(count)) sink.append(each)
  return sink
}

test('gives back the exact lines, as lines, as text and parsed', () => {
  const expected = records(3)
  const sink = filled(3)
  expect(sink.lines).toEqual(expected.map(({ line }) => line))
  expect(sink.text()).toBe(expected.map(({ line }) => `${line}\n`).join(''))
  expect(sink.records.map(({ seq, hash }) => [seq, hash])).toEqual(
    expected.map(({ seq, hash }) => [seq, hash]),
  )
  expect(sink.flush()).toBeUndefined()
  expect(sink.durable).toBe(false)
})

test('what was read does not change, neither by later records nor by the reader', () => {
  const sink = memorySink()
  sink.open(new Host())
  const [first, second] = records(2)
  sink.append(first!)
  const before = sink.lines
  sink.append(second!)
  expect(before).toHaveLength(1)
  expect(sink.lines).toHaveLength(2)
  expect(() => (before as string[]).push('x')).toThrow(TypeError)
  ;(sink.records as unknown[]).pop()
  Object.assign(sink.records[0]!, { seq: 99 })
  expect(sink.records.map(({ seq }) => seq)).toEqual([0, 1])
})

test.each([0, 2])('with maxRecords %i the next record is refused and nothing is evicted', (maxRecords) => {
  const sink = memorySink({ maxRecords })
  sink.open(new Host())
  const all = records(maxRecords + 1)
  for (const each of all.slice(0, maxRecords)) sink.append(each)
  expect(() => sink.append(all[maxRecords]!)).toThrow(
    expect.objectContaining({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining(`${maxRecords}`),
    }),
  )
  expect(sink.lines).toEqual(all.slice(0, maxRecords).map(({ line }) => line))
})

test('a log that is opened again continues the chain', async () => {
  const sink = filled(3)
  await sink.close()
  expect(sink.lines).toHaveLength(3)
  const last = records(3)[2]!
  expect(sink.open(new Host())).toEqual({ logId: last.parse().log_id, size: 3, hash: last.hash })
  sink.append(records(4)[3]!)
  expect(sink.lines).toHaveLength(4)
})

test('two logs cannot have it at a time', () => {
  const sink = filled(1)
  expect(() => sink.open(new Host())).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
})

test('refuses records before open and after close', async () => {
  const sink = memorySink()
  expect(() => sink.append(record())).toThrow('not open')
  sink.open(new Host())
  await sink.close()
  expect(() => sink.append(record())).toThrow('not open')
  expect(sink.lines).toEqual([])
})

test('refuses wrong options', () => {
  expect(() => memorySink({ maxRecord: 1 } as never)).toThrow(TypeError)
  expect(() => memorySink({ maxRecords: '1' } as never)).toThrow(TypeError)
  expect(() => memorySink({ maxRecords: -1 })).toThrow(RangeError)
  expect(() => memorySink({ maxRecords: Number.NaN })).toThrow(RangeError)
})
