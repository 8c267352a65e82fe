import { holds, type LineReader } from './line.js'

const encoder = new TextEncoder()

const TS = encoder.encode(',"ts":"')
const LOG_ID = encoder.encode(',"log_id":"')
const SESSION_ID = encoder.encode(',"session_id":"')
const IDENTITY = encoder.encode(',"agent_identity":"')
const USER = encoder.encode(',"invoking_user":"')
const PRINCIPAL = encoder.encode(',"principal":"')
const EVENT = encoder.encode(',"event":"')

/** Characters of a time, and of an id. */
export const TS_LENGTH = 24
export const ID_LENGTH = 26

const QUOTE = 0x22
const BACKSLASH = 0x5c

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

  read(line: LineReader): void {
    const { bytes, rest, end } = line
    this.session = -1
    this.ts = holds(bytes, rest, TS) && bytes[rest + TS.length + TS_LENGTH] === QUOTE ? rest + TS.length : -1
    this.event = this.ts < 0 ? -1 : this.#walk(bytes, this.ts + TS_LENGTH + 1, end)
    if (this.event < 0) this.event = search(bytes, rest, end)
  }

  /** Over the members that Writ writes, in their order: they are skipped by their length where it is known. */
  #walk(bytes: Uint8Array, afterTs: number, end: number): number {
    if (!holds(bytes, afterTs, LOG_ID)) return -1
    let at = afterTs + LOG_ID.length + ID_LENGTH
    if (bytes[at++] !== QUOTE) return -1
    if (holds(bytes, at, EVENT)) return at + EVENT.length
    if (!holds(bytes, at, SESSION_ID)) return -1
    const session = at + SESSION_ID.length
    at = session + ID_LENGTH
    if (bytes[at++] !== QUOTE || !holds(bytes, at, IDENTITY)) return -1
    const identity = at + IDENTITY.length
    at = stringEnd(bytes, identity, end)
    const principalLength = at - identity + 1 + ID_LENGTH
    if (!holds(bytes, ++at, USER)) return -1
    at = stringEnd(bytes, at + USER.length, end) + 1
    if (!holds(bytes, at, PRINCIPAL)) return -1
    at += PRINCIPAL.length + principalLength
    if (bytes[at++] !== QUOTE || !holds(bytes, at, EVENT)) return -1
    this.session = session
    return at + EVENT.length
  }
}

/** Index of the quote that ends a string, or the end. */
export function stringEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at += 1
  }
  return end
}

function search(bytes: Uint8Array, start: number, end: number): number {
  for (let at = bytes.indexOf(EVENT[0] as number, start); at !== -1 && at < end; ) {
    if (holds(bytes, at, EVENT)) return at + EVENT.length
    at = bytes.indexOf(EVENT[0] as number, at + 1)
  }
  return -1
}
