import { KEY_BYTES } from '../../core/commitment.js'
import { isPlainObject, own } from '../../core/guards.js'
import { type PlainData, snapshot } from '../../core/json.js'
import { isJsonPointer } from '../../core/json-pointer.js'
import { encodeJson, quote } from '../../core/json-text.js'
import { decodeText } from '../note/note-text.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'

/**
 * One value of one tool call, and the key that opens the commitment to it: what is handed to whoever may know
 * that value and nothing else of the call.
 */
export interface Disclosure {
  readonly v: 1
  readonly log_id: string
  /** The record that commits to the value. */
  readonly seq: number
  /** Where the value was in the input of the call: a JSON pointer. */
  readonly pointer: string
  readonly value: PlainData
  /** The record key of this pointer in this call: 64 lowercase hexadecimal digits. */
  readonly key: string
}

const MEMBERS: readonly string[] = ['v', 'log_id', 'seq', 'pointer', 'value', 'key']
const HEX_KEY = new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`)
const MAX_ID_LENGTH = 64

/** Checks and copies a disclosure. It is believed nothing yet: see `verifyDisclosure`. */
export function readDisclosure(given: unknown): Outcome<Disclosure> {
  if (!isPlainObject(given)) return malformed('it is no object')
  if (Object.keys(given).some((name) => !MEMBERS.includes(name))) {
    return malformed('it has a member that no disclosure has')
  }
  const [v, log_id, seq, pointer, key] = ['v', 'log_id', 'seq', 'pointer', 'key'].map((name) =>
    own(given, name),
  )
  // By itself: in a copy of the whole it would be one level deeper than the input was.
  const copied = snapshot(own(given, 'value'))
  if (!copied.ok) return malformed('its value is no plain JSON data')
  const { value } = copied
  if (v !== 1) return malformed('its v is not 1')
  if (typeof log_id !== 'string' || log_id.length > MAX_ID_LENGTH) return malformed('its log_id is none')
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return malformed('its seq is none')
  if (typeof pointer !== 'string' || !isJsonPointer(pointer))
    return malformed('its pointer is no JSON pointer')
  if (value === undefined) return malformed('it has no value')
  if (typeof key !== 'string' || !HEX_KEY.test(key))
    return malformed(`its key is not ${KEY_BYTES} bytes in hex`)
  return accept(Object.freeze({ v, log_id, seq, pointer, value, key }))
}

/**
 * Reads the text of a disclosure.
 *
 * @param text at most 1 MiB.
 * @returns the disclosure, not yet verified, or `malformed`.
 */
export function parseDisclosure(text: string | Uint8Array): Outcome<Disclosure> {
  const decoded = decodeText('disclosure', text)
  if (!decoded.ok) return decoded
  try {
    return readDisclosure(JSON.parse(decoded.value))
  } catch {
    return malformed('it is no JSON')
  }
}

/** A disclosure as one line of JSON, without its LF. */
export function formatDisclosure({ log_id, seq, pointer, value, key }: Disclosure): string {
  // The value by itself: a member deeper, the innermost level of the deepest input would be left out.
  return `{"v":1,"log_id":${quote(log_id)},"seq":${seq},"pointer":${quote(pointer)},"value":${encodeJson(value)},"key":"${key}"}`
}

const malformed = (detail: string): Outcome<never> => refuse('malformed', `not a disclosure: ${detail}`)
