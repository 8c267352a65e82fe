import { describe, expect, test } from 'vitest'
import {
  CompactTree,
  type ConsistencyClaim,
  type InclusionClaim,
  leafHash,
  MAX_PROOF_HASHES,
  nodeHash,
  ProofBuilder,
  verifyConsistency,
  verifyInclusion,
} from 'writ/verify'
import { consistencyRanges, inclusionRanges } from '../../../src/audit/merkle/ranges.js'

const leaves = Array.from({ length: 8 }, (_, index) => leafHash(String(index)))

function rootOf(size: number): Uint8Array {
  const tree = new CompactTree()
  for (const leaf of leaves.slice(0, size)) tree.append(leaf)
  return tree.root()
}

function finish(builder: ProofBuilder): Uint8Array[] {
  for (const leaf of leaves) builder.push(leaf)
  return builder.finish()
}

const included: InclusionClaim = {
  leafHash: leaves[5]!,
  index: 5,
  size: 7,
  root: rootOf(7),
  proof: finish(ProofBuilder.inclusion(5, 7)),
}
const first: InclusionClaim = {
  leafHash: leaves[0]!,
  index: 0,
  size: 7,
  root: rootOf(7),
  proof: finish(ProofBuilder.inclusion(0, 7)),
}
const extended: ConsistencyClaim = {
  firstSize: 6,
  firstRoot: rootOf(6),
  secondSize: 7,
  secondRoot: rootOf(7),
  proof: finish(ProofBuilder.consistency(6, 7)),
}

// The example of RFC 6962, section 2.1.3: seven leaves, with the letters of its figure.
test('the proofs of the example of the RFC', () => {
  const [a, b, c, d, e, f, j] = leaves as [Uint8Array, ...Uint8Array[]]
  const [g, h, i] = [nodeHash(a, b!), nodeHash(c!, d!), nodeHash(e!, f!)]
  const [k, l] = [nodeHash(g, h), nodeHash(i, j!)]
  expect(rootOf(7)).toEqual(nodeHash(k, l))
  expect(finish(ProofBuilder.inclusion(0, 7))).toEqual([b, h, l])
  expect(finish(ProofBuilder.inclusion(3, 7))).toEqual([c, g, l])
  expect(finish(ProofBuilder.inclusion(4, 7))).toEqual([f, j, k])
  expect(finish(ProofBuilder.inclusion(6, 7))).toEqual([i, k])
  expect(finish(ProofBuilder.consistency(3, 7))).toEqual([c, d, g, l])
  expect(finish(ProofBuilder.consistency(4, 7))).toEqual([l])
  expect(finish(ProofBuilder.consistency(6, 7))).toEqual([i, j, k])
})

describe('a builder', () => {
  test('refuses what is not in the tree', () => {
    expect(() => ProofBuilder.inclusion(3, 3)).toThrow(RangeError)
    expect(() => ProofBuilder.inclusion(0, 0)).toThrow(RangeError)
    expect(() => ProofBuilder.inclusion(-1, 3)).toThrow(RangeError)
    expect(() => ProofBuilder.inclusion(0.5, 3)).toThrow(RangeError)
    expect(() => ProofBuilder.inclusion(0, 2 ** 53)).toThrow(RangeError)
    expect(() => ProofBuilder.inclusion('0' as never, 3)).toThrow(TypeError)
    expect(() => ProofBuilder.consistency(4, 3)).toThrow(RangeError)
    expect(() => ProofBuilder.consistency(Number.NaN, 3)).toThrow(RangeError)
  })

  test('refuses what is no hash, also where it does not need it', () => {
    expect(() => ProofBuilder.inclusion(0, 1).push(new Uint8Array(31))).toThrow(TypeError)
  })

  test('wants every leaf, and passes over those that come later', () => {
    const builder = ProofBuilder.inclusion(1, 3)
    for (const leaf of leaves.slice(0, 2)) builder.push(leaf)
    expect(() => builder.finish()).toThrow('the proof needs 3 leaf hashes, got 2')
    builder.push(leaves[2]!)
    const proof = builder.finish()
    builder.push(leaves[3]!)
    expect(builder.finish()).toEqual(proof)
  })
})

describe('an inclusion claim does not hold', () => {
  const cases: [string, Partial<Record<keyof InclusionClaim, unknown>>][] = [
    ['of another leaf', { leafHash: leaves[4] }],
    ['at another index', { index: 4 }],
    ['at an index beyond the size', { index: 7 }],
    ['at a negative index', { index: -1 }],
    ['at a fraction', { index: 5.5 }],
    ['at 2^53', { index: 2 ** 53, size: 2 ** 53 + 2 }],
    ['at NaN', { index: Number.NaN }],
    ['in a tree of another size', { size: 9 }],
    ['in a tree of no leaves', { index: 0, size: 0 }],
    ['in a tree of Infinity leaves', { size: Number.POSITIVE_INFINITY }],
    ['under another root', { root: rootOf(6) }],
    ['under a short root', { root: new Uint8Array(0) }],
    ['with no proof', { proof: [] }],
    ['with its proof cut', { proof: included.proof.slice(0, -1) }],
    ['with one hash more', { proof: [...included.proof, leaves[0]] }],
    ['with the proof reversed', { proof: included.proof.toReversed() }],
    ['with a short hash', { proof: included.proof.with(0, new Uint8Array(31)) }],
    ['at index 1 of one leaf', { index: 1, size: 1, root: included.leafHash, proof: [] }],
    ['with a byte after a hash', { proof: included.proof.map((hash) => Uint8Array.of(...hash, 0)) }],
    [
      'with a byte after the hash of a left sibling',
      { proof: included.proof.with(0, Uint8Array.of(...included.proof[0]!, 0)) },
    ],
    ['with a byte after the leaf hash', { leafHash: Uint8Array.of(...included.leafHash, 0) }],
    ['of a first leaf with a byte after it', { ...first, leafHash: Uint8Array.of(...first.leafHash, 0) }],
    ['with something else as proof', { proof: 'proof' }],
    ['with something else as hash', { proof: [1, 2, 3] }],
    ['with something else as leaf', { leafHash: 'leaf' }],
  ]
  test.each([included, first])('unless it is as it was (%#)', (claim) =>
    expect(verifyInclusion(claim)).toBe(true),
  )
  test.each(cases)('%s', (_, change) => {
    expect(verifyInclusion({ ...included, ...change } as InclusionClaim)).toBe(false)
  })

  test('with a million hashes, and says so at once', () => {
    const proof = new Array<Uint8Array>(1_000_000).fill(leaves[0]!)
    const startMs = performance.now()
    expect(verifyInclusion({ ...included, proof })).toBe(false)
    expect(verifyConsistency({ ...extended, proof })).toBe(false)
    expect(performance.now() - startMs).toBeLessThan(1000)
  })
})

describe('a consistency claim does not hold', () => {
  const cases: [string, Partial<Record<keyof ConsistencyClaim, unknown>>][] = [
    ['between other sizes', { firstSize: 5 }],
    ['backwards', { firstSize: 7, secondSize: 6 }],
    ['from a negative size', { firstSize: -1 }],
    ['to 2^53', { secondSize: 2 ** 53 }],
    ['to NaN', { secondSize: Number.NaN }],
    ['from another root', { firstRoot: rootOf(5) }],
    ['to another root', { secondRoot: rootOf(5) }],
    ['from a short root', { firstRoot: new Uint8Array(31) }],
    ['with no proof', { proof: [] }],
    ['with its proof cut', { proof: extended.proof.slice(0, -1) }],
    ['with one hash more', { proof: [...extended.proof, leaves[0]] }],
    ['with a short hash', { proof: extended.proof.with(0, new Uint8Array(31)) }],
    ['from a power of two with no proof', { firstSize: 4, firstRoot: rootOf(4), proof: [] }],
    ['at one size with two roots', { firstSize: 7, firstRoot: rootOf(6), proof: [] }],
    ['at one size with a proof', { firstSize: 7, firstRoot: rootOf(7) }],
    ['from no leaves with another root', { firstSize: 0, firstRoot: rootOf(1), proof: [] }],
    ['from no leaves with a proof', { firstSize: 0, firstRoot: rootOf(0) }],
  ]
  test('unless it is as it was', () => expect(verifyConsistency(extended)).toBe(true))
  test.each(cases)('%s', (_, change) => {
    expect(verifyConsistency({ ...extended, ...change } as ConsistencyClaim)).toBe(false)
  })

  test('but equal trees need no proof, and the empty tree is the beginning of any', () => {
    const none = { proof: [], secondRoot: rootOf(7), secondSize: 7 }
    expect(verifyConsistency({ ...none, firstSize: 7, firstRoot: rootOf(7) })).toBe(true)
    expect(verifyConsistency({ ...none, firstSize: 0, firstRoot: rootOf(0) })).toBe(true)
    const empty = { firstSize: 0, firstRoot: rootOf(0), secondSize: 0 }
    expect(verifyConsistency({ ...empty, secondRoot: rootOf(0), proof: [] })).toBe(true)
    expect(verifyConsistency({ ...empty, secondRoot: rootOf(1), proof: [] })).toBe(false)
  })
})

test('no proof of a tree below 2^53 leaves is longer than what is read', () => {
  const size = 2 ** 53 - 1
  for (const index of [0, 1, 2 ** 31, 2 ** 32, 2 ** 52 - 1, 2 ** 52, size - 1]) {
    expect(inclusionRanges(index, size).length).toBeLessThanOrEqual(53)
    expect(consistencyRanges(index + 1, size).length).toBeLessThanOrEqual(54)
  }
  expect(MAX_PROOF_HASHES).toBeGreaterThanOrEqual(54)
})

// Every subtree that a proof needs is taken to have the same root, so that the tree need not exist.
test('a proof in a tree of 2^52 leaves and more is verified with all its bits', () => {
  const [leaf, other] = [leaves[0]!, leaves[1]!]
  const size = 2 ** 52 + 2 ** 33 + 1
  for (const index of [0, 2 ** 32 + 1, 2 ** 52 - 1, 2 ** 52 + 5, size - 1]) {
    const ranges = inclusionRanges(index, size)
    const proof = ranges.map(() => other)
    const root = ranges.reduce(
      (hash, range) => (range.start > index ? nodeHash(hash, other) : nodeHash(other, hash)),
      leaf,
    )
    expect(verifyInclusion({ leafHash: leaf, index, size, root, proof })).toBe(true)
    const elsewhere = index >= 2 ** 32 ? index - 2 ** 32 : index + 2 ** 32
    expect(verifyInclusion({ leafHash: leaf, index: elsewhere, size, root, proof })).toBe(false)
  }
})

test('of leaves that are gone there is no proof', () => {
  const gone = new CompactTree()
  for (const leaf of [1, 2, 3]) gone.append(leafHash(Uint8Array.of(leaf)))
  expect(() => ProofBuilder.inclusion(2, 5, gone)).toThrow(RangeError)
  expect(() => ProofBuilder.inclusion(3, 5, gone)).not.toThrow()
})
