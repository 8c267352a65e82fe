import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter, type SplitLine } from '../../../src/audit/line-splitter.js'
import { piecesOf } from '../../support/audit-logs.js'

const MAX = 8

interface Seen extends Omit<SplitLine, 'bytes'> {
  readonly text: string
}

function split(bytes: Uint8Array, pieceBytes: number): Seen[] {
  const lines = new LineSplitter(MAX)
  const seen: Seen[] = []
  const see = ({ bytes: line, ...rest }: SplitLine): void => {
    seen.push({ ...rest, text: Buffer.from(line).toString('latin1') })
  }
  const buffer = new Uint8Array(pieceBytes)
  for (const piece of piecesOf(bytes, pieceBytes)) {
    // One buffer for every piece, as some streams do it.
    buffer.set(piece)
    for (const line of lines.push(buffer.subarray(0, piece.length))) see(line)
  }
  const last = lines.finish()
  if (last !== undefined) see(last)
  return seen
}

test('every line comes with its place and what is wrong with it, whatever the pieces', () => {
  const content = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', '\0', '\r', '\n'), maxLength: 60 })
  fc.assert(
    fc.property(content, fc.integer({ min: 1, max: 70 }), (text, pieceBytes) => {
      const parts = text.split('\n')
      let offset = 0
      const expected = parts.map((part, index): Seen => {
        const isTooLong = part.length >= MAX
        const broken = isTooLong ? 'too long' : index === parts.length - 1 ? 'cut' : undefined
        const line = {
          index,
          offset,
          broken,
          holed: isTooLong && part.includes('\0'),
          text: part.slice(0, MAX),
        } as const
        offset += part.length + 1
        return line
      })
      if (parts.at(-1) === '') expected.pop()
      expect(split(Buffer.from(text, 'latin1'), pieceBytes)).toEqual(expected)
    }),
    { numRuns: 2000 },
  )
})

test('pieces of one byte take time linear in their number', () => {
  const lines = new LineSplitter(4_000_000)
  const piece = Uint8Array.of(0x78)
  const beganMs = performance.now()
  for (let pushed = 0; pushed < 2_000_000; pushed++) for (const _ of lines.push(piece)) expect.unreachable()
  expect(lines.finish()?.bytes).toHaveLength(2_000_000)
  expect(performance.now() - beganMs).toBeLessThan(5000)
})
