import { indexOfByte } from '../core/byte-text.js'

const LF = 0x0a
const NUL = 0x00

/** One line of a log, whatever it holds. */
export interface SplitLine {
  /** Index of the line, from 0. */
  readonly index: number
  /** Byte offset of its beginning. */
  readonly offset: number
  /** The bytes without the LF; the first of them when there are too many. Valid until the next line. */
  readonly bytes: Uint8Array
  /** `too long`: it does not fit into the bound with its LF; `cut`: nothing follows, and it has no LF. */
  readonly broken: 'too long' | 'cut' | undefined
  /** True when it is too long and holds a NUL, be it in what was passed over. */
  readonly holed: boolean
}

/**
 * Takes a line where it lies, from `start` up to and without `end`; the rest is as in {@link SplitLine}. The
 * bytes are valid until it returns.
 */
export type TakeLine = (
  bytes: Uint8Array,
  start: number,
  end: number,
  broken: SplitLine['broken'],
  holed: boolean,
) => void

/** Cuts what arrives in pieces into lines, in bounded memory however long a line is. */
export class LineSplitter {
  readonly #maxBytes: number
  /** The beginning of a line whose LF has not come yet: as much as may be kept of it. */
  #kept: Uint8Array = new Uint8Array(0)
  #keptBytes = 0
  #lineBytes = 0
  #holed = false
  #index = 0
  #offset = 0

  /** @param maxBytes of the longest line, its LF included. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Byte offset of the line that is being taken. */
  get offset(): number {
    return this.#offset
  }

  /** As {@link LineSplitter.push}, without making an object of each line. */
  scan(chunk: Uint8Array, take: TakeLine): void {
    let start = 0
    for (let end = indexOfByte(chunk, LF, 0); end !== -1; end = indexOfByte(chunk, LF, start)) {
      if (this.#lineBytes === 0 && end - start < this.#maxBytes) {
        take(chunk, start, end, undefined, false)
        this.#lineBytes = end - start
      } else {
        this.#keep(chunk.subarray(start, end))
        take(this.#kept, 0, this.#keptBytes, this.#isTooLong ? 'too long' : undefined, this.#holed)
      }
      start = end + 1
      this.#next()
    }
    this.#keep(chunk.subarray(start))
  }

  /** The lines that end in this chunk. All of them have to be taken before the next chunk is pushed. */
  *push(chunk: Uint8Array): Generator<SplitLine, void, undefined> {
    let start = 0
    for (let end = indexOfByte(chunk, LF, 0); end !== -1; end = indexOfByte(chunk, LF, start)) {
      const piece = chunk.subarray(start, end)
      start = end + 1
      if (this.#lineBytes === 0 && piece.length < this.#maxBytes) {
        // Most lines lie within one chunk and need no copy.
        this.#lineBytes = piece.length
        yield this.#line(piece, undefined)
      } else {
        this.#keep(piece)
        yield this.#line(this.#kept.subarray(0, this.#keptBytes), this.#isTooLong ? 'too long' : undefined)
      }
      this.#next()
    }
    this.#keep(chunk.subarray(start))
  }

  /** What is left when nothing follows: a line without its LF. */
  finish(): SplitLine | undefined {
    if (this.#lineBytes === 0) return undefined
    return this.#line(this.#kept.subarray(0, this.#keptBytes), this.#isTooLong ? 'too long' : 'cut')
  }

  get #isTooLong(): boolean {
    return this.#lineBytes >= this.#maxBytes
  }

  #line(bytes: Uint8Array, broken: SplitLine['broken']): SplitLine {
    return { index: this.#index, offset: this.#offset, bytes, broken, holed: this.#holed }
  }

  #next(): void {
    this.#index += 1
    this.#offset += this.#lineBytes + 1
    this.#keptBytes = 0
    this.#lineBytes = 0
    this.#holed = false
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#lineBytes += piece.length
    const room = this.#maxBytes - this.#keptBytes
    const kept = piece.subarray(0, room)
    if (kept.length > 0) this.#append(kept)
    if (!this.#isTooLong || this.#holed) return
    this.#holed = piece.includes(NUL) || (room > 0 && this.#kept.subarray(0, this.#keptBytes).includes(NUL))
  }

  /** Twice the room whenever it runs out: pieces of one byte would otherwise cost the square of their number. */
  #append(piece: Uint8Array): void {
    const needed = this.#keptBytes + piece.length
    if (needed > this.#kept.length) {
      const larger = new Uint8Array(Math.min(this.#maxBytes, Math.max(needed, 2 * this.#kept.length)))
      larger.set(this.#kept.subarray(0, this.#keptBytes))
      this.#kept = larger
    }
    this.#kept.set(piece, this.#keptBytes)
    this.#keptBytes = needed
  }
}
