import { MAX_LINE_BYTES } from '../audit/record.js'

const LF = 0x0a

/** One line of a log, whatever it holds. */
export interface LogLine {
  /** Index of the line, from 0. */
  readonly index: number
  /** Byte offset of its beginning. */
  readonly offset: number
  /** The bytes without the LF; the beginning of them when there are more than a log allows. */
  readonly bytes: Uint8Array
  /** What keeps it from being a line of a log at all. */
  readonly broken: 'too long' | 'cut' | undefined
}

/** Cuts what arrives in pieces into lines, in bounded memory however long a line is. */
export class LogLines {
  #kept: Uint8Array[] = []
  #keptBytes = 0
  #lineBytes = 0
  #index = 0
  #offset = 0

  /** What is left when nothing follows: a line without its LF. */
  finish(): LogLine | undefined {
    if (this.#lineBytes === 0) return undefined
    return this.#line(this.#join(), this.#lineBytes < MAX_LINE_BYTES ? 'cut' : 'too long')
  }

  /** The lines that end in this chunk. They are valid until the next chunk is pushed. */
  *push(chunk: Uint8Array): Generator<LogLine> {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const piece = chunk.subarray(start, end)
      start = end + 1
      if (this.#lineBytes === 0 && piece.length < MAX_LINE_BYTES) {
        yield this.#line(piece, undefined)
        this.#next(piece.length + 1)
      } else {
        this.#keep(piece)
        yield this.#line(this.#join(), this.#lineBytes < MAX_LINE_BYTES ? undefined : 'too long')
        this.#next(this.#lineBytes + 1)
      }
    }
    this.#keep(chunk.subarray(start))
  }

  #line(bytes: Uint8Array, broken: LogLine['broken']): LogLine {
    return { index: this.#index, offset: this.#offset, bytes, broken }
  }

  #next(bytes: number): void {
    this.#index += 1
    this.#offset += bytes
    this.#kept = []
    this.#keptBytes = 0
    this.#lineBytes = 0
  }

  #keep(piece: Uint8Array): void {
    this.#lineBytes += piece.length
    const room = MAX_LINE_BYTES - this.#keptBytes
    if (room === 0 || piece.length === 0) return
    // The chunk belongs to whoever pushed it.
    const kept = piece.slice(0, room)
    this.#kept.push(kept)
    this.#keptBytes += kept.length
  }

  #join(): Uint8Array {
    const whole = new Uint8Array(this.#keptBytes)
    let at = 0
    for (const piece of this.#kept) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}
