import { utf8Length } from '../../core/utf8.js'
import { accept, type Outcome, refuse } from './outcome.js'

/** Bytes of the longest note, or proof with its note, that is read or written. */
export const MAX_NOTE_BYTES = 1_048_576

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/

/** What no note may hold, or `undefined`. @see C2SP signed-note, "Format" */
export function forbiddenIn(text: string): string | undefined {
  if (!text.isWellFormed()) return 'it is not UTF-8'
  const at = text.search(CONTROL)
  if (at === -1) return undefined
  return text[at] === '\r' ? 'its lines end in CRLF, not LF' : 'it holds a control character'
}

/**
 * The text of a file that is a note or holds one: bounded, UTF-8, without control characters other than LF.
 *
 * @param what what it should be, for the detail of a refusal.
 */
export function decodeText(what: string, input: string | Uint8Array): Outcome<string> {
  const tooLong = () => refuse('malformed', `not a ${what}: longer than ${MAX_NOTE_BYTES} bytes`)
  if (input.length > MAX_NOTE_BYTES) return tooLong()
  let text: string
  if (typeof input === 'string') {
    if (utf8Length(input) > MAX_NOTE_BYTES) return tooLong()
    text = input
  } else {
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input)
    } catch {
      return refuse('malformed', `not a ${what}: it is not UTF-8`)
    }
  }
  const forbidden = forbiddenIn(text)
  return forbidden === undefined ? accept(text) : refuse('malformed', `not a ${what}: ${forbidden}`)
}
