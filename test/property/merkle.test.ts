import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CompactTree,
  type CompactTreeState,
  type ConsistencyClaim,
  type InclusionClaim,
  leafHash,
  ProofBuilder,
  verifyConsistency,
  verifyInclusion,
} from 'writ/verify'

// The definitions of RFC 6962, section 2.1, word for word, over the entries themselves.
const sha256 = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(Buffer.concat(parts)).digest())

/** The largest power of two smaller than n. */
const split = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1)

function mth(d: readonly Uint8Array[]): Uint8Array {
  if (d.length === 0) return sha256()
  if (d.length === 1) return sha256(Uint8Array.of(0), d[0]!)
  const k = split(d.length)
  return sha256(Uint8Array.of(1), mth(d.slice(0, k)), mth(d.slice(k)))
}

function path(m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return []
  const k = split(d.length)
  if (m < k) return [...path(m, d.slice(0, k)), mth(d.slice(k))]
  return [...path(m - k, d.slice(k)), mth(d.slice(0, k))]
}

function subproof(m: number, d: readonly Uint8Array[], isWhole: boolean): Uint8Array[] {
  if (m === d.length) return isWhole ? [] : [mth(d)]
  const k = split(d.length)
  if (m <= k) return [...subproof(m, d.slice(0, k), isWhole), mth(d.slice(k))]
  return [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))]
}

const entries = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })
/** Entries that all differ, so that no other place in the tree has the same hash. */
const distinct = fc.uniqueArray(fc.uint8Array({ maxLength: 8 }), {
  minLength: 1,
  maxLength: 70,
  selector: (entry) => entry.join(),
})

const build = (builder: ProofBuilder, d: readonly Uint8Array[]): Uint8Array[] => {
  for (const entry of d) builder.push(leafHash(entry))
  return builder.finish()
}

const numbered = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => new TextEncoder().encode(`entry ${index}`))

test('the root on the way is that of the recursive definition, also across a restart', () => {
  fc.assert(
    fc.property(entries, fc.nat(), (d, restart) => {
      let tree = new CompactTree()
      for (const [index, entry] of d.entries()) {
        expect(tree.root()).toEqual(mth(d.slice(0, index)))
        if (index === restart % d.length) {
          tree = CompactTree.from(JSON.parse(JSON.stringify(tree)) as CompactTreeState)
        }
        tree.append(leafHash(entry))
      }
      expect(tree.root()).toEqual(mth(d))
    }),
  )
})

describe('for every pair of numbers up to 40', () => {
  const all = numbered(40)
  const roots = Array.from({ length: 41 }, (_, size) => mth(all.slice(0, size)))

  test('the inclusion proof is PATH(m, D[n]), and verifies', () => {
    for (let size = 1; size <= 40; size++) {
      for (let index = 0; index < size; index++) {
        const proof = build(ProofBuilder.inclusion(index, size), all)
        expect(proof).toEqual(path(index, all.slice(0, size)))
        const claim = { leafHash: leafHash(all[index]!), index, size, root: roots[size]!, proof }
        expect(verifyInclusion(claim)).toBe(true)
        for (let other = 0; other < size; other++) {
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false)
        }
      }
    }
  })

  test('the consistency proof is PROOF(m, D[n]), and verifies', () => {
    for (let secondSize = 1; secondSize <= 40; secondSize++) {
      for (let firstSize = 0; firstSize <= secondSize; firstSize++) {
        const proof = build(ProofBuilder.consistency(firstSize, secondSize), all)
        if (firstSize > 0) expect(proof).toEqual(subproof(firstSize, all.slice(0, secondSize), true))
        const claim: ConsistencyClaim = {
          firstSize,
          firstRoot: roots[firstSize]!,
          secondSize,
          secondRoot: roots[secondSize]!,
          proof,
        }
        expect(verifyConsistency(claim)).toBe(true)
        for (let other = 1; other <= secondSize; other++) {
          if (other === firstSize) continue
          expect(verifyConsistency({ ...claim, firstRoot: roots[other]! })).toBe(firstSize === other)
        }
      }
    }
  })
})

/** One bit of one hash flipped, a hash removed, repeated or added, or two swapped. */
const mutations = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(31), fc.nat(7)).map(
    ([at, byte, bit]) =>
      (proof: Uint8Array[]) =>
        proof.map((hash, index) =>
          index === at % proof.length ? hash.with(byte, hash[byte]! ^ (1 << bit)) : hash,
        ),
  ),
  fc.nat().map((at) => (proof: Uint8Array[]) => proof.filter((_, index) => index !== at % proof.length)),
  fc.nat().map((at) => (proof: Uint8Array[]) => {
    const index = at % (proof.length + 1)
    return [...proof.slice(0, index), leafHash(String(at)), ...proof.slice(index)]
  }),
  fc
    .nat()
    .map(
      (at) => (proof: Uint8Array[]) =>
        proof.flatMap((hash, i) => (i === at % proof.length ? [hash, hash] : [hash])),
    ),
  fc.constant((proof: Uint8Array[]) => proof.toReversed()),
)

const differ = (one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean =>
  one.map((hash) => hash.join()).join(';') !== other.map((hash) => hash.join()).join(';')

const flip = (hash: Uint8Array, at: number): Uint8Array =>
  hash.with((at >> 3) % 32, hash[(at >> 3) % 32]! ^ (1 << (at & 7)))

test('an inclusion proof that was changed in any way does not verify', () => {
  fc.assert(
    fc.property(distinct, fc.nat(), fc.nat(255), mutations, (d, at, bit, mutate) => {
      const index = at % d.length
      const proof = build(ProofBuilder.inclusion(index, d.length), d)
      const claim: InclusionClaim = {
        leafHash: leafHash(d[index]!),
        index,
        size: d.length,
        root: mth(d),
        proof,
      }
      expect(verifyInclusion(claim)).toBe(true)
      expect(verifyInclusion({ ...claim, leafHash: flip(claim.leafHash, bit) })).toBe(false)
      expect(verifyInclusion({ ...claim, root: flip(claim.root, bit) })).toBe(false)
      const changed = mutate(proof)
      if (differ(changed, proof)) expect(verifyInclusion({ ...claim, proof: changed })).toBe(false)
      const other = d.findIndex((_, one) => one !== index)
      if (other !== -1) expect(verifyInclusion({ ...claim, leafHash: leafHash(d[other]!) })).toBe(false)
    }),
    { numRuns: 500 },
  )
})

test('a consistency proof that was changed in any way does not verify', () => {
  fc.assert(
    fc.property(distinct, fc.nat(), fc.nat(255), mutations, (d, at, bit, mutate) => {
      const firstSize = (at % d.length) + 1
      const proof = build(ProofBuilder.consistency(firstSize, d.length), d)
      const claim: ConsistencyClaim = {
        firstSize,
        firstRoot: mth(d.slice(0, firstSize)),
        secondSize: d.length,
        secondRoot: mth(d),
        proof,
      }
      expect(verifyConsistency(claim)).toBe(true)
      expect(verifyConsistency({ ...claim, firstRoot: flip(claim.firstRoot, bit) })).toBe(false)
      expect(verifyConsistency({ ...claim, secondRoot: flip(claim.secondRoot, bit) })).toBe(false)
      const changed = mutate(proof)
      if (differ(changed, proof)) expect(verifyConsistency({ ...claim, proof: changed })).toBe(false)
    }),
    { numRuns: 500 },
  )
})

test('a log in which one early entry was changed is not consistent, whatever proof it comes with', () => {
  fc.assert(
    fc.property(distinct, fc.nat(), fc.nat(), (d, at, which) => {
      const firstSize = (at % d.length) + 1
      const forged = d.with(which % firstSize, new Uint8Array(9))
      const claim = {
        firstSize,
        firstRoot: mth(d.slice(0, firstSize)),
        secondSize: d.length,
        secondRoot: mth(forged),
      }
      for (const leaves of [d, forged]) {
        const proof = build(ProofBuilder.consistency(firstSize, d.length), leaves)
        expect(verifyConsistency({ ...claim, proof })).toBe(false)
      }
    }),
  )
})

test('nothing that is claimed makes the verifier throw', () => {
  const anything = fc.anything()
  fc.assert(
    fc.property(
      fc.array(fc.oneof(anything, fc.uint8Array({ minLength: 32, maxLength: 32 })), { maxLength: 70 }),
      anything,
      anything,
      anything,
      (proof, a, b, c) => {
        expect(verifyInclusion({ leafHash: a, index: b, size: c, root: a, proof } as never)).toBe(false)
        expect(
          verifyConsistency({ firstSize: b, firstRoot: a, secondSize: c, secondRoot: a, proof } as never),
        ).toBe(false)
      },
    ),
  )
})
