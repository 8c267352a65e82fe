/** A run of bytes of an event stream: what belongs to one event, with its data. */
export interface SsePart {
  /** Untouched, in order: all parts together are the stream. */
  readonly bytes: readonly Uint8Array[]
  /** The data of the event; `undefined` where there is none, and where it is longer than may be kept. */
  readonly data: string | undefined
  /** How many of the bytes were passed on unread, because the event is too long. */
  readonly unreadBytes: number
}

const LF = 0x0a
const CR = 0x0d
const DATA = 'data'

/** Longest event whose data is kept; a longer one passes unread. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024

/**
 * Cuts the bytes of a `text/event-stream` into its events, however they were split on the way.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseReader {
  readonly #maxEventBytes: number
  readonly #decoder = new TextDecoder()
  /** Bytes of the event that has not ended yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** Pieces of the line that has not ended yet. */
  #line: Uint8Array[] = []
  #lineBytes = 0
  #data: string[] = []
  #isTooLong = false
  #isAfterCr = false

  constructor(maxEventBytes: number = MAX_EVENT_BYTES) {
    this.#maxEventBytes = maxEventBytes
  }

  /** The events that end in this chunk. */
  push(chunk: Uint8Array): SsePart[] {
    const parts: SsePart[] = []
    let eventStart = 0
    let lineStart = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]
      if (byte !== LF && byte !== CR) {
        this.#isAfterCr = false
        continue
      }
      const isSecondHalf = byte === LF && this.#isAfterCr
      this.#isAfterCr = byte === CR
      if (!isSecondHalf) {
        this.#keepLine(chunk.subarray(lineStart, at))
        if (this.#endLine()) {
          parts.push(this.#endEvent(chunk.subarray(eventStart, at + 1)))
          eventStart = at + 1
        }
      }
      lineStart = at + 1
    }
    this.#keepLine(chunk.subarray(lineStart))
    parts.push(...this.#hold(chunk.subarray(eventStart)))
    return parts
  }

  /** The event that the end of the stream ends, if any. */
  end(): SsePart[] {
    if (this.#held.length === 0) return []
    this.#endLine()
    return [this.#endEvent(new Uint8Array(0))]
  }

  /** Keeps what belongs to the next event to end, or gives it up where it gets too long. */
  #hold(bytes: Uint8Array): SsePart[] {
    if (bytes.length === 0) return []
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes <= this.#maxEventBytes) return []
    this.#isTooLong = true
    this.#line = []
    this.#data = []
    return [this.#part(this.#held)]
  }

  #keepLine(bytes: Uint8Array): void {
    this.#lineBytes += bytes.length
    if (bytes.length > 0 && !this.#isTooLong) this.#line.push(bytes)
  }

  /** True for an empty line, which ends an event. */
  #endLine(): boolean {
    const pieces = this.#line
    const isEmpty = this.#lineBytes === 0
    this.#line = []
    this.#lineBytes = 0
    if (isEmpty || this.#isTooLong) return isEmpty
    const line = this.#decode(pieces)
    const colon = line.indexOf(':')
    if ((colon < 0 ? line : line.slice(0, colon)) !== DATA) return false
    const value = colon < 0 ? '' : line.slice(colon + 1)
    this.#data.push(value.startsWith(' ') ? value.slice(1) : value)
    return false
  }

  #decode(pieces: readonly Uint8Array[]): string {
    const [first, ...more] = pieces
    if (first === undefined) return ''
    if (more.length === 0) return this.#decoder.decode(first)
    let line = this.#decoder.decode(first, { stream: true })
    for (const piece of more) line += this.#decoder.decode(piece, { stream: true })
    return line + this.#decoder.decode()
  }

  #endEvent(rest: Uint8Array): SsePart {
    const part = this.#part(rest.length === 0 ? this.#held : [...this.#held, rest])
    this.#isTooLong = false
    return part
  }

  #part(bytes: readonly Uint8Array[]): SsePart {
    const data = this.#data.length === 0 ? undefined : this.#data.join('\n')
    const unreadBytes = this.#isTooLong ? bytes.reduce((sum, { length }) => sum + length, 0) : 0
    this.#held = []
    this.#heldBytes = 0
    this.#data = []
    return { bytes, data, unreadBytes }
  }
}
