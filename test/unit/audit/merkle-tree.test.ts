import { createHash } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CompactTree, type CompactTreeState, leafHash, nodeHash } from 'writ/verify'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

const prefixed = (prefix: number, ...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(
    createHash('sha256')
      .update(Buffer.concat([Uint8Array.of(prefix), ...parts]))
      .digest(),
  )

const numbered = (index: number): Uint8Array => leafHash(String(index))

function treeOf(size: number): CompactTree {
  const tree = new CompactTree()
  for (let index = 0; index < size; index++) tree.append(numbered(index))
  return tree
}

describe('the hash of a leaf', () => {
  const entries = [
    '',
    'a',
    '\n',
    '\u00e9\u{1f600}',
    'x'.repeat(65_534),
    'x'.repeat(65_536),
    '\u20ac'.repeat(70_000),
  ]

  test.each(entries)('is that of 0x00 and its bytes, of whatever length (%#)', (entry) => {
    const bytes = new TextEncoder().encode(entry)
    expect(leafHash(bytes)).toEqual(prefixed(0, bytes))
    expect(leafHash(entry)).toEqual(prefixed(0, bytes))
    expect(leafHash(new Uint8Array(300_000))).toEqual(prefixed(0, new Uint8Array(300_000)))
  })

  test.each([3 * 65_535 - 1, 3 * 65_535, 3 * 65_535 + 1])(
    'is that of %i bytes, where its own memory ends',
    (length) => {
      const bytes = new Uint8Array(length).fill(0x61)
      expect(leafHash(bytes)).toEqual(prefixed(0, bytes))
    },
  )

  test('nothing of a longer entry before it is left in a shorter one', () => {
    leafHash('a long entry')
    expect(leafHash('b')).toEqual(prefixed(0, Uint8Array.of(0x62)))
  })

  test('is the same where there is no native hash', async () => {
    const expected = [leafHash('entry'), nodeHash(numbered(0), numbered(1))]
    vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
    vi.resetModules()
    const portable = await import('../../../src/audit/merkle/hash.js')
    expect([portable.leafHash('entry'), portable.nodeHash(numbered(0), numbered(1))]).toEqual(expected)
  })
})

test('the hash of a node is that of 0x01 and its children', () => {
  const [left, right] = [numbered(0), numbered(1)]
  expect(nodeHash(left, right)).toEqual(prefixed(1, left, right))
  expect(nodeHash(right, left)).not.toEqual(nodeHash(left, right))
})

test('each result is memory of its own', () => {
  const tree = treeOf(1)
  const root = tree.root()
  root.fill(0)
  expect(tree.root()).toEqual(numbered(0))
})

test('what is not 32 bytes is no leaf hash', () => {
  const tree = treeOf(3)
  const before = tree.root()
  for (const bad of [new Uint8Array(31), new Uint8Array(33), 'x'.repeat(32), undefined, Array(32).fill(0)]) {
    expect(() => tree.append(bad as Uint8Array)).toThrow(TypeError)
  }
  expect(tree.root()).toEqual(before)
  expect(tree.size).toBe(3)
})

test('it holds one hash for each one in the binary size', () => {
  expect(treeOf(0).toJSON()).toEqual({ size: 0, nodes: [] })
  expect(treeOf(1023).toJSON().nodes).toHaveLength(10)
  expect(treeOf(1024).toJSON().nodes).toHaveLength(1)
})

test('a tree goes on from its state as if nothing had happened', () => {
  for (const size of [0, 1, 2, 7, 8, 13]) {
    const original = treeOf(size)
    const resumed = CompactTree.from(JSON.parse(JSON.stringify(original)) as CompactTreeState)
    for (let index = size; index < size + 9; index++) {
      expect(resumed.root()).toEqual(original.root())
      original.append(numbered(index))
      resumed.append(numbered(index))
    }
    expect(resumed.toJSON()).toEqual(original.toJSON())
  }
})

test('sizes beyond 32 bits count as they should', () => {
  const nodes = Array.from({ length: 32 }, (_, index) => Buffer.from(numbered(index)).toString('hex'))
  const tree = CompactTree.from({ size: 2 ** 32 - 1, nodes })
  tree.append(numbered(99))
  expect(tree.toJSON()).toMatchObject({ size: 2 ** 32, nodes: [expect.any(String)] })
  tree.append(numbered(100))
  expect(tree.toJSON().nodes).toHaveLength(2)
})

test('a full tree takes no more', () => {
  const nodes = Array.from({ length: 53 }, () => '0'.repeat(64))
  const tree = CompactTree.from({ size: 2 ** 53 - 1, nodes })
  expect(() => tree.append(numbered(0))).toThrow(RangeError)
})

const hash = 'a'.repeat(64)

test.each<[string, unknown]>([
  ['null', null],
  ['an array', []],
  ['no size', { nodes: [] }],
  ['a negative size', { size: -1, nodes: [] }],
  ['a fraction', { size: 1.5, nodes: [hash] }],
  ['a size of 2^53', { size: 2 ** 53, nodes: [hash] }],
  ['no nodes', { size: 0 }],
  ['too few nodes', { size: 3, nodes: [hash] }],
  ['too many nodes', { size: 4, nodes: [hash, hash] }],
  ['a short hash', { size: 1, nodes: ['aa'] }],
  ['upper case', { size: 1, nodes: ['A'.repeat(64)] }],
  ['a number', { size: 1, nodes: [1] }],
])('%s is no state of a tree', (_, state) => {
  expect(() => CompactTree.from(state as CompactTreeState)).toThrow(/tree state/)
})
