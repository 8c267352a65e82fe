import { PARSE_ERROR } from './parse-message.js'
import { WireError } from './wire-error.js'

/** What an event stream says: the data of a message, or where to go on from. */
export interface SseEvent {
  readonly type: string
  readonly data: string
}

const BOM = '\ufeff'

/**
 * Reads a `text/event-stream`: its messages, the id of the last one and the time to wait before the next try.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class SseEvents {
  readonly #maxBytes: number
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #text = ''
  /** How much of it is known to have no end of line. */
  #scanned = 0
  #isFirst = true
  #data: string[] = []
  #dataLength = 0
  #type = ''
  /** The id of the last event that had one. */
  lastEventId = ''
  /** Milliseconds to wait before connecting again, if the server says so. */
  retryMs: number | undefined

  /** @param maxBytes most bytes of one event. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Hands the events that end in this chunk to `take`.
   *
   * @throws {@link WireError}, final, for an event that is longer than one may be.
   */
  push(chunk: Uint8Array, take: (event: SseEvent) => void): void {
    this.#text += this.#decoder.decode(chunk, { stream: true })
    if (this.#isFirst && this.#text !== '') {
      this.#isFirst = false
      if (this.#text.startsWith(BOM)) this.#text = this.#text.slice(1)
    }
    let start = 0
    let from = this.#scanned
    for (;;) {
      const end = lineEnd(this.#text, from)
      if (end === undefined) break
      this.#line(this.#text.slice(start, end.at), take)
      start = end.next
      from = start
    }
    this.#text = this.#text.slice(start)
    // The last character may be half of an end of line.
    this.#scanned = Math.max(0, this.#text.length - 1)
    this.#bound(this.#text.length)
  }

  #line(line: string, take: (event: SseEvent) => void): void {
    if (line === '') {
      this.#dispatch(take)
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const rest = colon < 0 ? '' : line.slice(colon + 1)
    const value = rest.startsWith(' ') ? rest.slice(1) : rest
    if (field === 'data') {
      this.#data.push(value)
      this.#dataLength += value.length + 1
      this.#bound(0)
    }
    if (field === 'event') this.#type = value
    // What cannot be sent back as a header is no id.
    if (field === 'id' && /^[\x20-\x7e]*$/.test(value)) this.lastEventId = value
    if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value)
  }

  #bound(heldLength: number): void {
    if (this.#dataLength + heldLength <= this.#maxBytes) return
    throw new WireError(`a message of more than ${this.#maxBytes} bytes`, PARSE_ERROR, { isFinal: true })
  }

  #dispatch(take: (event: SseEvent) => void): void {
    const event = { type: this.#type === '' ? 'message' : this.#type, data: this.#data.join('\n') }
    const hasData = this.#data.length > 0
    this.#data = []
    this.#dataLength = 0
    this.#type = ''
    if (hasData) take(event)
  }
}

/** Where the next line ends: at CR LF, LF or CR. A CR at the very end may still be followed by its LF. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at += 1) {
    const character = text[at]
    if (character === '\n') return { at, next: at + 1 }
    if (character !== '\r') continue
    if (at + 1 === text.length) return undefined
    return { at, next: text[at + 1] === '\n' ? at + 2 : at + 1 }
  }
  return undefined
}
