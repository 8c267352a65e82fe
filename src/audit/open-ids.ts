import { latin1 } from '../core/byte-text.js'
import { type Finding, type FindingKind, MAX_FINDING_IDS } from './finding.js'

/** Ids that are followed at once. */
const MAX_OPEN = 10_000

const LAST_BYTES = 64

/** Calls or sessions that have begun and not ended, in bounded memory. */
export class OpenIds {
  readonly #open = new Map<string, number>()
  /** The last that began: most end before another begins, and need no text. */
  readonly #last = new Uint8Array(LAST_BYTES)
  #lastLength = -1
  #lastSeq = 0
  readonly #doubtful: string[] = []
  #doubtfulSeq = 0
  #doubtfulCount = 0
  #notFollowed = 0

  /** How many began while there was no more room. */
  get notFollowed(): number {
    return this.#notFollowed
  }

  /** The id that stands there has begun. */
  add(bytes: Uint8Array, start: number, end: number, seq: number): void {
    this.#file()
    const length = end - start
    if (length > this.#last.length) this.#begin(latin1(bytes, start, end), seq)
    else {
      for (let at = 0; at < length; at++) this.#last[at] = bytes[start + at] as number
      this.#lastLength = length
      this.#lastSeq = seq
    }
  }

  /** The id that stands there has ended. */
  delete(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isLast(bytes, start, end)) this.#lastLength = -1
    else this.#open.delete(latin1(bytes, start, end))
  }

  #isLast(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== this.#lastLength) return false
    // What two ids differ in is at their end.
    for (let at = this.#lastLength - 1; at >= 0; at--) {
      if (this.#last[at] !== bytes[start + at]) return false
    }
    return true
  }

  /** The last that began is not the last any more. */
  #file(): void {
    if (this.#lastLength >= 0) this.#begin(latin1(this.#last, 0, this.#lastLength), this.#lastSeq)
    this.#lastLength = -1
  }

  #begin(id: string, seq: number): void {
    if (this.#open.size < MAX_OPEN) this.#open.set(id, seq)
    else this.#notFollowed += 1
  }

  /** Nobody is left to end those that are open. */
  abandon(): void {
    this.#file()
    for (const [id, seq] of this.#open) {
      if (this.#doubtfulCount === 0) this.#doubtfulSeq = seq
      if (this.#doubtful.length < MAX_FINDING_IDS) this.#doubtful.push(id)
      this.#doubtfulCount += 1
    }
    this.#open.clear()
  }

  open(kind: FindingKind, detail: string): Finding | undefined {
    this.#file()
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
