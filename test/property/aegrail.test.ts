import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyAegrailLog } from 'writ/verify'
import { canonicalMembers, compareCodePoints, pythonString } from '../../src/audit/aegrail/canonical.js'
import { NotJson } from '../../src/audit/aegrail/lexer.js'
import { pythonFloat } from '../../src/audit/aegrail/number.js'
import { aegrailBytes, aegrailChain } from '../support/aegrail-logs.js'
import { bytesOf, fileOf, piecesOf } from '../support/audit-logs.js'

const text = fc.string({ unit: 'binary' })

test('the order of members is that of their code points', () => {
  const points = (value: string): number[] => Array.from(value, (char) => char.codePointAt(0) ?? 0)
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [left, right] = [points(a), points(b)]
      const at = left.findIndex((point, index) => point !== right[index])
      const expected = at === -1 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1)
      expect(Math.sign(compareCodePoints(a, b))).toBe(Math.sign(expected))
      expect(Math.sign(compareCodePoints(b, a))).toBe(-Math.sign(expected) + 0)
    }),
  )
})

test('a string is plain ASCII that reads back as itself, however it was escaped', () => {
  const spellings = (value: string, all: boolean): string =>
    all
      ? `"${Array.from({ length: value.length }, (_, at) => `\\u${value.charCodeAt(at).toString(16).padStart(4, '0').toUpperCase()}`).join('')}"`
      : JSON.stringify(value)
  fc.assert(
    fc.property(text, fc.boolean(), (value, all) => {
      const printed = canonicalMembers(`{"x":${spellings(value, all)}}`).get('x') ?? ''
      expect(printed).toMatch(/^[ -~]*$/)
      expect(JSON.parse(printed)).toBe(value)
      expect(printed).toBe(pythonString(value))
    }),
  )
})

test('a float reads back as itself and has a fraction or an exponent, as Python writes them', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const printed = pythonFloat(value)
      expect(Number(printed)).toBe(value)
      expect(printed).toMatch(/^-?(\d{1,16}\.\d+|\d(\.\d*[1-9])?e[+-]\d{2,3})$/)
      const size = Math.abs(value)
      expect(printed.includes('e')).toBe(size !== 0 && (size < 1e-4 || size >= 1e16))
    }),
    { numRuns: 2000 },
  )
})

test('what is read is what JSON.parse reads, with its members in order', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom('', ' ', '\t'), (value, space) => {
      const printed = canonicalMembers(
        `{"x":${JSON.stringify(value, undefined, space).replaceAll('\n', '\r')}}`,
      ).get('x')
      expect(JSON.parse(printed ?? '')).toEqual(JSON.parse(JSON.stringify(value)))
      expect(canonicalMembers(`{"x":${printed}}`).get('x')).toBe(printed)
    }),
  )
})

test('a text is refused, or JSON.parse takes it too', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '"a"',
        '"x":',
        '-',
        '1',
        '0',
        '.5',
        'e3',
        'null',
        'true',
        ' ',
        '\\u00',
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(pieces, (parts) => {
      const json = `{"x":${parts.join('')}}`
      try {
        canonicalMembers(json)
      } catch (error) {
        expect(error).toBeInstanceOf(NotJson)
        return
      }
      expect(() => JSON.parse(json)).not.toThrow()
    }),
    { numRuns: 2000 },
  )
})

const payload = fc
  .dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
  .map((value) => JSON.stringify(value))
const logs = fc
  .array(
    payload.map((each) => ({ payload: each })),
    { minLength: 1, maxLength: 8 },
  )
  .map(aegrailChain)

test('a sound log has all its records, however it is cut into pieces', async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.integer({ min: 1, max: 2000 }), async (lines, size) => {
      const bytes = fileOf(lines)
      const report = await verifyAegrailLog(piecesOf(bytes, size))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', size: lines.length, bytes: bytes.length })
      expect(report).toEqual(await verifyAegrailLog(bytes))
    }),
  )
})

test('one changed byte is found in its record, unless the data stay the same', async () => {
  const original = aegrailBytes('happy.jsonl')
  const lines = new TextDecoder().decode(original).trimEnd().split('\n')
  const data = (line: string): unknown => JSON.parse(line)
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: original.length - 2 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, mask) => {
        const bytes = original.slice()
        bytes[at] = (bytes[at] ?? 0) ^ mask
        const { verdict, size } = await verifyAegrailLog(bytes)
        const held = new TextDecoder()
          .decode(bytes)
          .split('\n')
          .filter((line) => line.trim() !== '')
          .slice(0, size)
        if (verdict === 'UNANCHORED') expect(size).toBe(lines.length)
        expect(held.map(data)).toEqual(lines.slice(0, size).map(data))
      },
    ),
    { numRuns: 1000 },
  )
})

test('arbitrary bytes never make it throw, and never make a log', async () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }).map(bytesOf),
    fc.string({ maxLength: 300 }).map((rest) => bytesOf(`{"ts":"2026","event_hash":${rest}\n`)),
  )
  await fc.assert(
    fc.asyncProperty(anything, fc.integer({ min: 1, max: 400 }), async (bytes, size) => {
      expect(await verifyAegrailLog(piecesOf(bytes, size))).toMatchObject({
        size: 0,
        verdict: expect.not.stringMatching('UNANCHORED'),
      })
    }),
    { numRuns: 500 },
  )
})
