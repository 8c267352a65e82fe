import type { LineReader } from './line.js'
import { Mark } from './mark.js'

const TS = new Mark(',"ts":"')
const LOG_ID = new Mark(',"log_id":"')
const SESSION_ID = new Mark(',"session_id":"')
const IDENTITY = new Mark(',"agent_identity":"')
const USER = new Mark(',"invoking_user":"')
const PRINCIPAL = new Mark(',"principal":"')
const EVENT = new Mark(',"event":"')

/** Characters of a time, and of an id. */
export const TS_LENGTH = 24
export const ID_LENGTH = 26

const COMMA = 0x2c
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Where a session's id is, counted from the time. */
const SESSION_AT = TS_LENGTH + 1 + LOG_ID.length + ID_LENGTH + 1 + SESSION_ID.length

/** Where each of the seven words of an id is: the last two overlap. */
const wordAt = (index: number): number => Math.min(index * 4, ID_LENGTH - 4)

/**
 * Where the members of a record lie that findings are made of, without parsing it. An index is −1 for what is
 * not where Writ puts it.
 *
 * The first raw `,"event":"` of a line is the member itself: within a string a quote is escaped, and what the
 * payload holds comes after it.
 */
export class Envelope {
  /** Index of the time. */
  ts = -1
  /** Index of the session's id. */
  session = -1
  /** Index of the event's name. */
  event = -1
  /** The session before this record, and where the event was in it, counted from the time. */
  readonly #last = new Int32Array(7)
  #lastEvent = 0

  read(line: LineReader): void {
    const { bytes, view, rest, end } = line
    this.session = -1
    this.ts = TS.isAt(view, rest) && bytes[rest + TS.length + TS_LENGTH] === QUOTE ? rest + TS.length : -1
    if (this.ts >= 0 && this.#lastEvent > 0 && this.#again(view)) {
      this.session = this.ts + SESSION_AT
      this.event = this.ts + this.#lastEvent
      return
    }
    this.event = this.ts < 0 ? -1 : this.#walk(bytes, view, this.ts + TS_LENGTH + 1, end)
    if (this.event < 0) this.event = search(bytes, view, rest, end)
  }

  /** In a session the members between the time and the event are the same in every record. */
  #again(view: DataView): boolean {
    const at = this.ts + SESSION_AT
    if (!SESSION_ID.isAt(view, at - SESSION_ID.length)) return false
    const last = this.#last
    // The end of an id is what differs most; the words overlap.
    for (let index = last.length - 1; index >= 0; index--) {
      if (view.getInt32(at + wordAt(index)) !== last[index]) return false
    }
    return EVENT.isAt(view, this.ts + this.#lastEvent - EVENT.length)
  }

  /** Over the members that Writ writes, in their order: they are skipped by their length where it is known. */
  #walk(bytes: Uint8Array, view: DataView, afterTs: number, end: number): number {
    if (!LOG_ID.isAt(view, afterTs)) return -1
    let at = afterTs + LOG_ID.length + ID_LENGTH
    if (bytes[at++] !== QUOTE) return -1
    if (EVENT.isAt(view, at)) return at + EVENT.length
    if (!SESSION_ID.isAt(view, at)) return -1
    const session = at + SESSION_ID.length
    at = session + ID_LENGTH
    if (bytes[at++] !== QUOTE || !IDENTITY.isAt(view, at)) return -1
    const identity = at + IDENTITY.length
    at = stringEnd(bytes, view, identity, end)
    const principalLength = at - identity + 1 + ID_LENGTH
    if (!USER.isAt(view, ++at)) return -1
    at = stringEnd(bytes, view, at + USER.length, end) + 1
    if (!PRINCIPAL.isAt(view, at)) return -1
    at += PRINCIPAL.length + principalLength
    if (bytes[at++] !== QUOTE || !EVENT.isAt(view, at)) return -1
    this.session = session
    for (const index of this.#last.keys()) this.#last[index] = view.getInt32(session + wordAt(index))
    this.#lastEvent = at + EVENT.length - afterTs + TS_LENGTH + 1
    return at + EVENT.length
  }
}

const ONES = 0x01010101
const TOPS = 0x80808080
const QUOTES = QUOTE * ONES
const BACKSLASHES = BACKSLASH * ONES

/** True when one of the four bytes is NUL. */
const hasNul = (word: number): boolean => ((word - ONES) & ~word & TOPS) !== 0

/** Index of the quote that ends a string, or the end. */
export function stringEnd(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at)
    if (hasNul(word ^ QUOTES) || hasNul(word ^ BACKSLASHES)) break
  }
  for (; at < end; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at += 1
  }
  return end
}

function search(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  for (let at = bytes.indexOf(COMMA, start); at !== -1 && at < end; ) {
    if (EVENT.isAt(view, at)) return at + EVENT.length
    at = bytes.indexOf(COMMA, at + 1)
  }
  return -1
}
