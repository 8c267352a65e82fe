import { latin1 } from '../core/byte-text.js'
import { type Finding, type FindingKind, MAX_FINDING_IDS } from './finding.js'
import type { LineReader } from './line.js'

/** Ids that are followed at once. */
const MAX_OPEN = 10_000

const LAST_BYTES = 64
const WORD = 4
const QUOTE = 0x22

/** Calls or sessions that have begun and not ended, in bounded memory. */
export class OpenIds {
  readonly #open = new Map<string, number>()
  /** The last that began: most end before another begins, and need no text. */
  readonly #last = new DataView(new ArrayBuffer(LAST_BYTES))
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

  /** The id that stands there has begun, in the middle of a line. */
  add({ bytes, view, seq }: LineReader, start: number, end: number): void {
    this.#file()
    const length = end - start
    if (length > LAST_BYTES) this.#begin(latin1(bytes, start, end), seq)
    else {
      // Whole words: what follows the id is copied as well, and never compared.
      for (let at = 0; at < length; at += WORD) this.#last.setInt32(at, view.getInt32(start + at))
      this.#lastLength = length
      this.#lastSeq = seq
    }
  }

  /** The last that began has ended, if the string that begins there is its id: its end need not be looked for. */
  deleteLast(line: LineReader, start: number): boolean {
    const quote = start + this.#lastLength
    if (quote >= line.end || line.bytes[quote] !== QUOTE || !this.#isLast(line, start)) return false
    this.#lastLength = -1
    return true
  }

  /** The id that stands there has ended. */
  delete(line: LineReader, start: number, end: number): void {
    if (end - start === this.#lastLength && this.#isLast(line, start)) this.#lastLength = -1
    else this.#open.delete(latin1(line.bytes, start, end))
  }

  /** True when the last that began, if there is one, has the bytes that stand there. */
  #isLast({ bytes, view }: LineReader, start: number): boolean {
    const last = this.#last
    // What two ids differ in is at their end.
    let at = this.#lastLength
    if (at < 0) return false
    while (at >= WORD) {
      at -= WORD
      if (last.getInt32(at) !== view.getInt32(start + at)) return false
    }
    while (at > 0) {
      at -= 1
      if (last.getUint8(at) !== bytes[start + at]) return false
    }
    return true
  }

  /** The last that began is not the last any more. */
  #file(): void {
    if (this.#lastLength >= 0) {
      this.#begin(latin1(new Uint8Array(this.#last.buffer), 0, this.#lastLength), this.#lastSeq)
    }
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
