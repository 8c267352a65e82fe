import { type Finding, type FindingKind, MAX_FINDING_IDS } from './finding.js'

/** Ids that are followed at once. */
const MAX_OPEN = 10_000

/** Calls or sessions that have begun and not ended, in bounded memory. */
export class OpenIds {
  readonly #open = new Map<string, number>()
  readonly #doubtful: string[] = []
  #doubtfulSeq = 0
  #doubtfulCount = 0
  #notFollowed = 0

  /** How many began while there was no more room. */
  get notFollowed(): number {
    return this.#notFollowed
  }

  add(id: string, seq: number): void {
    if (this.#open.size < MAX_OPEN) this.#open.set(id, seq)
    else this.#notFollowed += 1
  }

  delete(id: string): void {
    this.#open.delete(id)
  }

  /** Nobody is left to end those that are open. */
  abandon(): void {
    for (const [id, seq] of this.#open) {
      if (this.#doubtfulCount === 0) this.#doubtfulSeq = seq
      if (this.#doubtful.length < MAX_FINDING_IDS) this.#doubtful.push(id)
      this.#doubtfulCount += 1
    }
    this.#open.clear()
  }

  open(kind: FindingKind, detail: string): Finding | undefined {
    const [first] = this.#open.values()
    if (first === undefined) return undefined
    const ids = Object.freeze([...this.#open.keys()].slice(0, MAX_FINDING_IDS))
    return { kind, count: this.#open.size, seq: first, ids, detail }
  }

  inDoubt(kind: FindingKind, detail: string): Finding | undefined {
    if (this.#doubtfulCount === 0) return undefined
    const ids = Object.freeze([...this.#doubtful])
    return { kind, count: this.#doubtfulCount, seq: this.#doubtfulSeq, ids, detail }
  }
}
