import type { CompactTree } from '../audit/merkle/compact-tree.js'
import { sameHash } from '../audit/merkle/hash.js'
import type { Checkpoint } from '../audit/note/checkpoint.js'

/** What a checkpoint that was found has to agree with, while the log it is of is read from its beginning. */
export class CheckpointMatch {
  readonly #checkpoint: Checkpoint
  #matches: boolean | undefined

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint
  }

  /** To be told of the tree at every size. */
  at(tree: CompactTree): void {
    if (tree.size === this.#checkpoint.size) this.#matches = sameHash(tree.root(), this.#checkpoint.root)
  }

  /** @returns the verdict that stands against the log, if one does. */
  verdict(size: number): { readonly verdict: string; readonly detail: string } | undefined {
    if (this.#matches === true) return undefined
    const signed = this.#checkpoint.size
    if (this.#matches === false) {
      return { verdict: 'REWRITTEN', detail: `another root was signed for ${signed} records` }
    }
    return size < signed
      ? { verdict: 'TRUNCATED', detail: `${signed} records were signed, and ${size} are there` }
      : { verdict: 'REWRITTEN', detail: `the checkpoint of ${signed} records is of before this file` }
  }
}
