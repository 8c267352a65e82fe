import { expect, test } from 'vitest'
import { CompactTree, leafHash, nodeHash } from 'writ/verify'
import vectors from '../../vectors/rfc6962.json' with { type: 'json' }

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const leaves = vectors.leaves_hex.map((text) => Uint8Array.from(Buffer.from(text, 'hex')))

test('the root at every size is the published one', () => {
  const tree = new CompactTree()
  expect(hex(tree.root())).toBe(vectors.roots_hex[0])
  for (const [index, leaf] of leaves.entries()) {
    tree.append(leafHash(leaf))
    expect(tree.size).toBe(index + 1)
    expect(hex(tree.root())).toBe(vectors.roots_hex[index + 1])
  }
})

test('so is every inner node on the way', () => {
  const [a, b] = leaves.map((leaf) => leafHash(leaf))
  expect(hex(nodeHash(a!, b!))).toBe(vectors.roots_hex[2])
})
