import { emptyRoot, isHash, nodeHash, sameHash } from './hash.js'

/** Hashes in the longest proof that is read: more than any tree of fewer than 2^53 leaves needs. */
export const MAX_PROOF_HASHES = 63

/** That a leaf is in a tree. */
export interface InclusionClaim {
  /** The leaf hash, 32 bytes. */
  readonly leafHash: Uint8Array
  /** Index of the leaf, from 0. */
  readonly index: number
  /** Leaves in the tree. */
  readonly size: number
  /** The root of the tree, 32 bytes. */
  readonly root: Uint8Array
  /** Hashes of 32 bytes, from the leaf's sibling to the root's child. */
  readonly proof: readonly Uint8Array[]
}

/** That one tree begins with another. */
export interface ConsistencyClaim {
  /** Leaves in the smaller tree. */
  readonly firstSize: number
  /** The root of the smaller tree, 32 bytes. */
  readonly firstRoot: Uint8Array
  /** Leaves in the larger tree. */
  readonly secondSize: number
  /** The root of the larger tree, 32 bytes. */
  readonly secondRoot: Uint8Array
  /** Hashes of 32 bytes, from the leaves up. */
  readonly proof: readonly Uint8Array[]
}

/** Sizes go beyond 32 bits, where the bitwise operators end. */
const half = (value: number): number => Math.floor(value / 2)
const isOdd = (value: number): boolean => value % 2 === 1
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isProof = (value: unknown): value is readonly Uint8Array[] =>
  Array.isArray(value) && value.length <= MAX_PROOF_HASHES && value.every(isHash)

/**
 * True when the leaf is at that index of the tree with that root. Never throws: whatever is wrong with a
 * claim, it does not hold.
 *
 * @example
 * const holds = verifyInclusion({ leafHash: leafHash(line), index: 7, size, root, proof })
 * @see RFC 9162, section 2.1.3.2
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { leafHash, index, size, root, proof } = claim
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (!isHash(leafHash) || !isHash(root) || !isProof(proof)) return false
  let fn = index
  let sn = size - 1
  let hash = leafHash
  for (const sibling of proof) {
    if (sn === 0) return false
    if (isOdd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && sameHash(hash, root)
}

/**
 * True when the tree of `secondSize` leaves begins with the leaves of the one of `firstSize`: nothing was
 * changed or removed between the two, only added. Never throws: whatever is wrong with a claim, it does not
 * hold. Equal sizes need equal roots and no proof; every tree extends the empty one, with no proof.
 *
 * @example
 * const holds = verifyConsistency({ firstSize, firstRoot, secondSize, secondRoot, proof })
 * @see RFC 9162, section 2.1.4.2
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { firstSize, firstRoot, secondSize, secondRoot, proof } = claim
  if (!isSize(firstSize) || !isSize(secondSize) || firstSize > secondSize) return false
  if (!isHash(firstRoot) || !isHash(secondRoot) || !isProof(proof)) return false
  if (firstSize === 0 && !sameHash(firstRoot, emptyRoot())) return false
  if (firstSize === secondSize) return proof.length === 0 && sameHash(firstRoot, secondRoot)
  if (firstSize === 0) return proof.length === 0

  let fn = firstSize - 1
  let sn = secondSize - 1
  while (isOdd(fn)) {
    fn = half(fn)
    sn = half(sn)
  }
  // What is left of fn is 0 for a power of two: then the first tree is itself a subtree of the second.
  const [seed, ...path] = fn === 0 ? [firstRoot, ...proof] : proof
  if (seed === undefined) return false
  let first = seed
  let second = seed
  for (const sibling of path) {
    if (sn === 0) return false
    if (isOdd(fn) || fn === sn) {
      first = nodeHash(sibling, first)
      second = nodeHash(sibling, second)
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn)
        sn = half(sn)
      }
    } else {
      second = nodeHash(second, sibling)
    }
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && sameHash(first, firstRoot) && sameHash(second, secondRoot)
}
