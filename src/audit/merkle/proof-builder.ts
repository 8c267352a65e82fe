import { readCount } from '../../core/guards.js'
import { CompactTree } from './compact-tree.js'
import { readHash } from './hash.js'
import { consistencyRanges, inclusionRanges, type LeafRange } from './ranges.js'

/**
 * Builds a proof while the leaf hashes of a log go by, in constant memory whatever its size.
 *
 * @example
 * const builder = ProofBuilder.inclusion(7, checkpoint.size)
 * for await (const line of lines) builder.push(leafHash(line))
 * const proof = builder.finish()
 */
export class ProofBuilder {
  readonly #size: number
  readonly #hashes: Uint8Array[]
  /** In the order of the leaves, each with its place in the proof. */
  readonly #ranges: readonly (LeafRange & { readonly place: number })[]
  #next = 0
  #position = 0
  #tree = new CompactTree()

  /**
   * A proof that leaf `index` is in the tree of the first `size` leaves.
   *
   * Where the oldest leaves are gone, the tree over them is enough: what the proof needs of them are subtrees
   * that it holds. It is believed, as {@link CompactTree.from} says.
   *
   * @param gone the tree over the leaves before the first one that will be pushed; of no leaves when absent.
   * @throws TypeError or RangeError unless `gone.size <= index < size < 2^53`.
   * @see RFC 6962, section 2.1.1
   */
  static inclusion(index: number, size: number, gone: CompactTree = new CompactTree()): ProofBuilder {
    readCount('size', size)
    readCount('index', index)
    if (index >= size) throw new RangeError(`index: leaf ${index} is not among the first ${size}`)
    if (index < gone.size)
      throw new RangeError(`index: leaf ${index} is among the first ${gone.size}, which are gone`)
    return new ProofBuilder(inclusionRanges(index, size), size, gone)
  }

  /**
   * A proof that the tree of `second` leaves begins with the tree of the first `first`.
   *
   * @throws TypeError or RangeError unless `0 <= first <= second < 2^53`.
   * @see RFC 6962, section 2.1.2
   */
  static consistency(first: number, second: number): ProofBuilder {
    readCount('second', second)
    readCount('first', first, second)
    return new ProofBuilder(consistencyRanges(first, second), second)
  }

  private constructor(ranges: readonly LeafRange[], size: number, gone?: CompactTree) {
    this.#size = size
    this.#hashes = new Array<Uint8Array>(ranges.length)
    this.#ranges = ranges.map((range, place) => ({ ...range, place })).sort((a, b) => a.start - b.start)
    if (gone !== undefined) this.#passOver(gone)
  }

  /** Begins after the leaves that are gone, with what the proof needs of them. */
  #passOver(gone: CompactTree): void {
    this.#position = gone.size
    for (const { start, end, place } of this.#ranges) {
      if (start >= gone.size) return
      this.#tree = gone.between(start, end)
      if (end > gone.size) return
      this.#hashes[place] = this.#tree.root()
      this.#tree = new CompactTree()
      this.#next += 1
    }
  }

  /**
   * Takes the leaf hash of the next leaf, from index 0, or from the first that is not gone. Those at and after the size are passed over.
   *
   * @throws TypeError when it is not 32 bytes.
   */
  push(hash: Uint8Array): void {
    readHash('leaf hash', hash)
    const range = this.#ranges[this.#next]
    if (range !== undefined && this.#position >= range.start) {
      this.#tree.append(hash)
      if (this.#position + 1 === range.end) {
        this.#hashes[range.place] = this.#tree.root()
        this.#tree = new CompactTree()
        this.#next += 1
      }
    }
    this.#position += 1
  }

  /**
   * The proof: hashes of 32 bytes, from the leaf up.
   *
   * @throws RangeError when fewer leaves than the size were pushed.
   */
  finish(): Uint8Array[] {
    if (this.#position < this.#size) {
      throw new RangeError(`the proof needs ${this.#size} leaf hashes, got ${this.#position}`)
    }
    return [...this.#hashes]
  }
}
