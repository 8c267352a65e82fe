import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ScopeKey, ScopeKeys } from 'writ'
import { type Disclosure, disclose, verifyDisclosure } from 'writ/verify'
import { canonicalJson } from '../../src/core/canonical-json.js'
import { snapshot } from '../../src/core/json.js'
import { committing, payAgent } from '../support/committing.js'

/** Names as JSON has them, without those that no input may have. */
const name = fc
  .string({ unit: 'grapheme-composite', maxLength: 8 })
  .filter((text) => text.isWellFormed() && !['__proto__', 'constructor', 'prototype'].includes(text))

const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    name,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
})).value

/** The same value with the members of every object in the opposite order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reordered(member)]),
  )
}

test('canonical JSON is JSON of the same value, and one text for it', () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value)
      const read: unknown = JSON.parse(text)
      expect(read).toEqual(JSON.parse(JSON.stringify(value)))
      expect(canonicalJson(read)).toBe(text)
      expect(canonicalJson(reordered(value))).toBe(text)
    }),
  )
})

test('two values have one canonical text only if they are equal', () => {
  fc.assert(
    fc.property(json, json, (left, right) => {
      const equal = JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
      expect(canonicalJson(left) === canonicalJson(right)).toBe(equal)
    }),
  )
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => [key, { of: sorted(member) }])
    .concat([['object', { of: null }]])
}

const POINTERS = ['/a', '/b', '/c'] as const

/** The lines of calls with these inputs, and the key behind them. */
async function linesOf(inputs: readonly unknown[]): Promise<{ lines: string[]; scope: ScopeKey }> {
  const scopeKeys = ScopeKeys.memory()
  const { agent, sink } = payAgent(committing(POINTERS), scopeKeys)
  await agent.session('alice', async (s) => {
    for (const input of inputs) await s.callTool('pay', input)
  })
  const lines = sink
    .text()
    .split('\n')
    .filter((line) => line.includes('"event":"tool_call"'))
  return { lines, scope: scopeKeys.keyFor('alice') as ScopeKey }
}

test('one value, in whatever places and calls, never has the same commitment twice', async () => {
  await fc.assert(
    fc.asyncProperty(json, fc.integer({ min: 1, max: 4 }), async (value, calls) => {
      const { lines } = await linesOf(Array(calls).fill({ a: value, b: value, c: value }))
      const found = lines.flatMap((line) => Object.values(JSON.parse(line).payload.commitments))
      expect(found).toHaveLength(3 * calls)
      expect(new Set(found).size).toBe(3 * calls)
    }),
    { numRuns: 50 },
  )
})

test('a disclosure opens its own value in its own record, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(json, json, fc.constantFrom(...POINTERS), async (value, other, pointer) => {
      const { lines, scope } = await linesOf([
        { a: value, b: value, c: value },
        { a: value, b: value, c: value },
      ])
      const copied = snapshot(value)
      const made = disclose(lines[0] as string, pointer, copied.ok ? copied.value : null, scope)
      if (!made.ok) throw new TypeError(made.refusal.detail)
      const opens = (line: string | undefined, change: Partial<Disclosure> = {}): boolean =>
        verifyDisclosure(line ?? '', { ...made.value, ...change }).ok
      expect(opens(lines[0])).toBe(true)
      expect(opens(lines[1])).toBe(false)
      expect(opens(lines[1], { seq: made.value.seq + 2 })).toBe(false)
      expect(opens(lines[0], { log_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' })).toBe(false)
      for (const elsewhere of POINTERS)
        expect(opens(lines[0], { pointer: elsewhere })).toBe(elsewhere === pointer)
      expect(opens(lines[0], { value: other as never })).toBe(canonicalJson(other) === canonicalJson(value))
    }),
    { numRuns: 50 },
  )
})
