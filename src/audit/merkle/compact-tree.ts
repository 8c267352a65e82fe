import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe } from '../../core/describe.js'
import { isPlainObject, MAX_COUNT, readCount } from '../../core/guards.js'
import { emptyRoot, nodeHash, readHash } from './hash.js'

const HASH_HEX = /^[0-9a-f]{64}$/

/** What a {@link CompactTree} holds, as plain JSON. */
export interface CompactTreeState {
  /** Leaves, from 0 to 2^53 − 1. */
  readonly size: number
  /**
   * Roots of the perfect subtrees that the leaves fall into, largest (leftmost) first, each as 64 lowercase
   * hexadecimal digits: as many as `size` has ones in binary.
   */
  readonly nodes: readonly string[]
}

/**
 * The Merkle tree of a log that only grows, in the memory of one hash per binary digit of its size.
 *
 * It holds the compact range from leaf 0: the roots of the largest perfect subtrees. That is enough for the
 * root at every size on the way, and not for proofs, which take the leaves again (`ProofBuilder`).
 *
 * @example
 * const tree = new CompactTree()
 * for (const line of lines) tree.append(leafHash(line))
 * const root = tree.root()
 * @see RFC 6962, section 2.1
 */
export class CompactTree {
  #size = 0
  #nodes: Uint8Array[] = []

  /**
   * Takes up where another tree left off.
   *
   * The state is believed: whoever can change it decides the root. MUST come from where it is as safe as
   * the log itself, or be compared with a checkpoint.
   *
   * @throws TypeError or RangeError for what no tree's {@link CompactTree.toJSON} returns.
   */
  static from(state: CompactTreeState): CompactTree {
    if (!isPlainObject(state)) {
      throw new TypeError(`tree state: expected an object, got ${describe(state)}`)
    }
    const { size, nodes } = state as { size?: unknown; nodes?: unknown }
    const tree = new CompactTree()
    tree.#size = readCount('tree state.size', size)
    const expected = countOnes(tree.#size)
    if (!Array.isArray(nodes) || nodes.length !== expected) {
      throw new RangeError(`tree state.nodes: expected ${expected} hashes for ${tree.#size} leaves`)
    }
    tree.#nodes = nodes.map((hex: unknown, index) => {
      if (typeof hex !== 'string' || !HASH_HEX.test(hex)) {
        throw new TypeError(`tree state.nodes[${index}]: expected 64 lowercase hexadecimal digits`)
      }
      return hexToBytes(hex)
    })
    return tree
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size
  }

  /**
   * Adds one leaf at index `size`.
   *
   * @param hash its leaf hash, 32 bytes, which is kept and MUST NOT change.
   * @throws TypeError when `hash` is not 32 bytes, RangeError when the tree has 2^53 − 1 leaves.
   */
  append(hash: Uint8Array): void {
    let top = readHash('leaf hash', hash)
    if (this.#size === MAX_COUNT) throw new RangeError(`a tree holds at most ${MAX_COUNT} leaves`)
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      top = nodeHash(this.#nodes.pop() as Uint8Array, top)
    }
    this.#nodes.push(top)
    this.#size += 1
  }

  /** The root over the leaves so far, 32 bytes; of no leaves, SHA-256 of nothing. */
  root(): Uint8Array {
    const last = this.#nodes.length - 1
    if (last < 0) return emptyRoot()
    let root: Uint8Array = Uint8Array.from(this.#nodes[last] as Uint8Array)
    for (let index = last - 1; index >= 0; index--) root = nodeHash(this.#nodes[index] as Uint8Array, root)
    return root
  }

  /**
   * The tree over the leaves from `start` on, up to `end` or as far as there are any.
   *
   * @internal for ranges that RFC 6962 splits a tree into, which are made of whole nodes of this one.
   */
  between(start: number, end: number): CompactTree {
    const part = new CompactTree()
    let at = 0
    for (const node of this.#nodes) {
      const width = largestPower(this.#size - at)
      if (at >= start && at < end) {
        part.#nodes.push(node)
        part.#size += width
      }
      at += width
    }
    return part
  }

  /** Everything there is to it: {@link CompactTree.from} makes the same tree of it. */
  toJSON(): CompactTreeState {
    return { size: this.#size, nodes: this.#nodes.map((hash) => bytesToHex(hash)) }
  }
}

/** The largest power of two in a positive size: how many leaves the first of its perfect subtrees has. */
function largestPower(size: number): number {
  let power = 1
  while (power * 2 <= size) power *= 2
  return power
}

/** Sizes go beyond 32 bits, where the bitwise operators end. */
function countOnes(size: number): number {
  let ones = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2
  return ones
}
