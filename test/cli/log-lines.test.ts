import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_LINE_BYTES } from '../../src/audit/record.js'
import { LogLines } from '../../src/cli/log-lines.js'
import { piecesOf } from '../support/audit-logs.js'

interface Seen {
  readonly index: number
  readonly offset: number
  readonly text: string
  readonly broken: string | undefined
}

function linesIn(bytes: Uint8Array, pieceBytes: number): Seen[] {
  const lines = new LogLines()
  const seen: Seen[] = []
  const see = ({ index, offset, bytes: line, broken }: NonNullable<ReturnType<LogLines['finish']>>): void => {
    seen.push({ index, offset, text: Buffer.from(line).toString('latin1'), broken })
  }
  for (const piece of piecesOf(bytes, pieceBytes)) for (const line of lines.push(piece)) see(line)
  const last = lines.finish()
  if (last !== undefined) see(last)
  return seen
}

test('every line comes with its index and offset, whatever the pieces', () => {
  const lines = fc.array(fc.string({ unit: fc.constantFrom('a', '\0', '\r', '\xff'), maxLength: 12 }), {
    maxLength: 8,
  })
  fc.assert(
    fc.property(
      lines,
      fc.string({ unit: fc.constantFrom('b', 'c'), maxLength: 5 }),
      fc.integer({ min: 1, max: 40 }),
      (whole, rest, size) => {
        let offset = 0
        const expected: Seen[] = whole.map((text, index) => {
          const line = { index, offset, text, broken: undefined }
          offset += text.length + 1
          return line
        })
        if (rest !== '') expected.push({ index: whole.length, offset, text: rest, broken: 'cut' })
        const bytes = Buffer.from(whole.map((text) => `${text}\n`).join('') + rest, 'latin1')
        expect(linesIn(bytes, size)).toEqual(expected)
      },
    ),
  )
})

test.each([7, 4096, 65_535, 1_000_000])(
  'a line that is too long is cut short and called so, in pieces of %i',
  (size) => {
    const longest = 'x'.repeat(MAX_LINE_BYTES - 1)
    const seen = linesIn(Buffer.from(`${longest}\n${longest}y\nshort\n${'z'.repeat(300_000)}`), size)
    expect(seen.map(({ text, broken }) => [text.length, broken])).toEqual([
      [MAX_LINE_BYTES - 1, undefined],
      [MAX_LINE_BYTES, 'too long'],
      [5, undefined],
      [MAX_LINE_BYTES, 'too long'],
    ])
    expect(seen.map(({ offset }) => offset)).toEqual([0, 65_535, 131_071, 131_077])
  },
)

test('a line without an end takes no memory', () => {
  const lines = new LogLines()
  const chunk = new Uint8Array(1024 * 1024).fill(0x78)
  globalThis.gc?.()
  const before = process.memoryUsage().arrayBuffers
  for (let pushed = 0; pushed < 64; pushed++) expect([...lines.push(chunk)]).toEqual([])
  globalThis.gc?.()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
  expect(lines.finish()?.bytes).toHaveLength(MAX_LINE_BYTES)
})
