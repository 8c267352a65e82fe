import { Buffer } from 'node:buffer'
import { PARSE_ERROR } from './parse-message.js'
import { WireError } from './wire-error.js'

const LF = 0x0a
const CR = 0x0d

/** Cuts bytes into the lines of a newline-delimited stream, however they were split on the way. */
export class MessageLines {
  readonly #maxBytes: number
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #held: Uint8Array[] = []
  #heldBytes = 0

  /** @param maxBytes most bytes that one line may have. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** True when the stream has ended within a line. */
  get isInsideLine(): boolean {
    return this.#heldBytes > 0
  }

  /**
   * Hands the lines that end in this chunk to `take`, without the empty ones.
   *
   * @throws {@link WireError}, final, for a line that is longer than one may be.
   */
  push(chunk: Uint8Array, take: (line: string | WireError) => void): void {
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#hold(chunk.subarray(start, end))
      start = end + 1
      const line = this.#end()
      if (line !== undefined) take(line)
    }
    this.#hold(chunk.subarray(start))
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length
    if (this.#heldBytes > this.#maxBytes) {
      throw new WireError(`a message of more than ${this.#maxBytes} bytes`, PARSE_ERROR, { isFinal: true })
    }
    if (bytes.length > 0) this.#held.push(bytes)
  }

  #end(): string | WireError | undefined {
    const [first = new Uint8Array(0)] = this.#held
    let line: Uint8Array = this.#held.length > 1 ? Buffer.concat(this.#held) : first
    this.#held = []
    this.#heldBytes = 0
    if (line.at(-1) === CR) line = line.subarray(0, -1)
    if (line.length === 0) return undefined
    try {
      return this.#decoder.decode(line)
    } catch {
      return new WireError('bytes that are no UTF-8', PARSE_ERROR)
    }
  }
}
