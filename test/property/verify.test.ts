import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyLog } from 'writ/verify'
import { bytesOf, chain, fileOf, piecesOf } from '../support/audit-logs.js'

const payload = fc
  .dictionary(fc.string({ unit: 'binary', maxLength: 10 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 })
  .map((members) => JSON.stringify(members))

const logs = fc
  .array(fc.record({ payload, synced: fc.constant(-1) }), { minLength: 1, maxLength: 12 })
  .map(chain)

test('a sound log is UNANCHORED with all its records, however it is cut into pieces', async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.integer({ min: 1, max: 5000 }), async (lines, size) => {
      const bytes = fileOf(lines)
      const report = await verifyLog(piecesOf(bytes, size))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', size: lines.length, bytes: bytes.length })
      expect(report).toEqual(await verifyLog(bytes))
    }),
    { numRuns: 200 },
  )
})

/** One change to the bytes of a log. */
type Edit = (bytes: number[]) => number[]

const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(
    ([at, mask]): Edit =>
      (bytes) => {
        const index = at % bytes.length
        return bytes.with(index, bytes[index]! ^ mask)
      },
  ),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 20 })).map(
    ([at, inserted]): Edit =>
      (bytes) => {
        const index = at % (bytes.length + 1)
        return [...bytes.slice(0, index), ...inserted, ...bytes.slice(index)]
      },
  ),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 500 })).map(
    ([at, length]): Edit =>
      (bytes) => {
        const index = at % bytes.length
        return [...bytes.slice(0, index), ...bytes.slice(index + length)]
      },
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 500 })).map(
    ([from, to, length]): Edit =>
      (bytes) => {
        const source = bytes.slice(from % bytes.length, (from % bytes.length) + length)
        return bytes.toSpliced(to % bytes.length, source.length, ...source)
      },
  ),
)

test('whatever is done to the bytes, the records that are said to hold are the original ones, in their place', async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.array(edits, { minLength: 1, maxLength: 3 }), async (lines, changes) => {
      const original = fileOf(lines)
      let bytes = [...original]
      for (const change of changes) if (bytes.length > 0) bytes = change(bytes)
      const { verdict, size, fault } = await verifyLog(Uint8Array.from(bytes))
      const held = fileOf(lines.slice(0, size))
      expect(size).toBeLessThanOrEqual(lines.length)
      expect(bytes.slice(0, held.length)).toEqual([...held])
      // Nothing follows what holds, or it is said where.
      if (verdict === 'UNANCHORED') expect(bytes).toHaveLength(held.length)
      else expect(fault).toMatchObject({ seq: size, offset: held.length })
    }),
    { numRuns: 500 },
  )
})

test('arbitrary bytes never make it throw, and never make a log', async () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }).map(bytesOf),
    fc.string({ maxLength: 300 }).map((text) => bytesOf(`{"v":1,"seq":0,"synced":${text}\n`)),
  )
  await fc.assert(
    fc.asyncProperty(anything, fc.integer({ min: 1, max: 400 }), async (bytes, size) => {
      const { verdict, size: records } = await verifyLog(piecesOf(bytes, size))
      expect(verdict).not.toBe('UNANCHORED')
      expect(records).toBe(0)
    }),
    { numRuns: 500 },
  )
})
