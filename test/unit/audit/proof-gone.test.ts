import { describe, expect, test } from 'vitest'
import { CompactTree, leafHash, ProofBuilder, verifyInclusion } from 'writ/verify'

const MOST = 20
const hashes = Array.from({ length: MOST }, (_, index) => leafHash(`entry ${index}`))

const treeOver = (size: number): CompactTree => {
  const tree = new CompactTree()
  for (const hash of hashes.slice(0, size)) tree.append(hash)
  return tree
}

/** A proof as it is built where the first `gone` leaves are only there as their tree. */
const proofWithout = (gone: number, index: number, size: number): Uint8Array[] => {
  const builder = ProofBuilder.inclusion(index, size, treeOver(gone))
  for (const hash of hashes.slice(gone)) builder.push(hash)
  return builder.finish()
}

describe('where the oldest leaves are gone', () => {
  test('every proof of what is left is the one that all of them would give', () => {
    for (let size = 1; size <= MOST; size++) {
      const root = treeOver(size).root()
      for (let index = 0; index < size; index++) {
        const whole = proofWithout(0, index, size)
        expect(verifyInclusion({ leafHash: hashes[index]!, index, size, root, proof: whole })).toBe(true)
        for (let gone = 1; gone <= index; gone++) expect(proofWithout(gone, index, size)).toEqual(whole)
      }
    }
  })

  test('there is no proof of what is gone, and that is said', () => {
    expect(() => ProofBuilder.inclusion(6, 20, treeOver(7))).toThrow(
      new RangeError('index: leaf 6 is among the first 7, which are gone'),
    )
    expect(() => ProofBuilder.inclusion(20, 20, treeOver(7))).toThrow(
      new RangeError('index: leaf 20 is not among the first 20'),
    )
  })

  test('the leaves that are gone count, and those that are left are needed', () => {
    const builder = ProofBuilder.inclusion(8, 20, treeOver(7))
    for (const hash of hashes.slice(7, 19)) builder.push(hash)
    expect(() => builder.finish()).toThrow('needs 20 leaf hashes, got 19')
    builder.push(hashes[19]!)
    expect(builder.finish()).toEqual(proofWithout(0, 8, 20))
  })
})
