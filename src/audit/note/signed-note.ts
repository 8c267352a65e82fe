import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { utf8Length } from '../../core/utf8.js'
import { decodeBase64, encodeBase64 } from './base64.js'
import { decodeText, forbiddenIn, MAX_NOTE_BYTES } from './note-text.js'
import { accept, type Outcome, refuse } from './outcome.js'
import { isKeyName } from './verifier-key.js'

/** Signature lines in the longest note that is read or written. */
export const MAX_NOTE_SIGNATURES = 100

const PREFIX = '\u2014 '
const KEY_ID_BYTES = 4
const KEY_ID = /^[0-9a-f]{8}$/

/** One signature line: a claim, until the key that it names has been asked. */
export interface NoteSignature {
  /** The name of the key. */
  readonly name: string
  /** The id of the key, as eight lowercase hexadecimal digits. */
  readonly keyId: string
  /** The signature itself; 64 bytes for Ed25519, whatever its type wants for another key. */
  readonly signature: Uint8Array
}

/** A note as it was read. Nothing of it is verified. */
export interface SignedNote {
  /** What is signed, its last LF included. */
  readonly text: string
  /** From 1 to {@link MAX_NOTE_SIGNATURES}, in their order. */
  readonly signatures: readonly NoteSignature[]
}

/**
 * Reads a note, and believes nothing of it: for that there is `openNote`.
 *
 * @returns the note, or `malformed`.
 * @see C2SP signed-note, "Format"
 */
export function parseNote(note: string | Uint8Array): Outcome<SignedNote> {
  const decoded = decodeText('signed note', note)
  if (!decoded.ok) return decoded
  const whole = decoded.value
  if (!whole.endsWith('\n')) return malformed('its last line is cut: it has no LF')
  const blank = whole.lastIndexOf('\n\n')
  if (blank === -1) return malformed('no empty line between a text and signatures')
  const signatures: NoteSignature[] = []
  for (let start = blank + 2; start < whole.length; ) {
    if (signatures.length === MAX_NOTE_SIGNATURES) {
      return malformed(`more than ${MAX_NOTE_SIGNATURES} signatures`)
    }
    const end = whole.indexOf('\n', start)
    const signature = parseSignature(whole.slice(start, end))
    if (typeof signature === 'string') {
      return malformed(`signature line ${signatures.length + 1}: ${signature}`)
    }
    signatures.push(signature)
    start = end + 1
  }
  if (signatures.length === 0) return malformed('it has no signature')
  return accept(Object.freeze({ text: whole.slice(0, blank + 1), signatures: Object.freeze(signatures) }))
}

/** @returns the signature, or what is wrong with the line. */
function parseSignature(line: string): NoteSignature | string {
  if (!line.startsWith(PREFIX)) return 'it does not begin with an em dash and a space'
  const space = line.indexOf(' ', PREFIX.length)
  const name = line.slice(PREFIX.length, space)
  if (space === -1 || !isKeyName(name)) return 'no name of a key, followed by one space'
  const bytes = decodeBase64(line.slice(space + 1))
  if (bytes === undefined) return 'no canonical base64 after the name'
  if (bytes.length <= KEY_ID_BYTES) return 'too short for a key id and a signature'
  const keyId = bytesToHex(bytes.subarray(0, KEY_ID_BYTES))
  return Object.freeze({ name, keyId, signature: bytes.slice(KEY_ID_BYTES) })
}

const malformed = (detail: string): Outcome<never> => refuse('malformed', `not a signed note: ${detail}`)

/**
 * Writes a note; {@link parseNote} reads the same back.
 *
 * @throws TypeError when the text does not end in LF or a part is not of its form, RangeError when it has no
 * signature or exceeds a limit.
 * @see C2SP signed-note, "Format"
 */
export function formatNote(note: SignedNote): string {
  const { text, signatures } = note
  if (typeof text !== 'string' || !text.endsWith('\n')) throw new TypeError('note text: must end in LF')
  const forbidden = forbiddenIn(text)
  if (forbidden !== undefined) throw new TypeError(`note text: ${forbidden}`)
  if (signatures.length === 0 || signatures.length > MAX_NOTE_SIGNATURES) {
    throw new RangeError(`a note has 1 to ${MAX_NOTE_SIGNATURES} signatures, not ${signatures.length}`)
  }
  const whole = `${text}\n${signatures.map(formatSignature).join('')}`
  if (utf8Length(whole) > MAX_NOTE_BYTES) throw new RangeError(`a note has at most ${MAX_NOTE_BYTES} bytes`)
  return whole
}

function formatSignature({ name, keyId, signature }: NoteSignature): string {
  if (!isKeyName(name)) throw new TypeError('note signature: no name of a key')
  if (!KEY_ID.test(keyId)) throw new TypeError('note signature: expected a key id of 8 hexadecimal digits')
  if (signature.length === 0) throw new TypeError('note signature: it is empty')
  return `${PREFIX}${name} ${encodeBase64(concatBytes(hexToBytes(keyId), signature))}\n`
}
