import { accept, type Outcome, refuse } from './outcome.js'
import { type NoteSignature, parseNote } from './signed-note.js'
import { VerifierKey } from './verifier-key.js'

/** A note that at least one of the verifier's own keys signed. */
export interface OpenedNote {
  /** What is signed, its last LF included. */
  readonly text: string
  /** Those of the verifier's keys that signed it, in the order of their first signatures. */
  readonly signedBy: readonly VerifierKey[]
  /** Signatures of keys that the verifier was not given. They say nothing. */
  readonly unknown: readonly NoteSignature[]
}

const encoder = new TextEncoder()

/**
 * Reads a note and verifies it under the verifier's own keys.
 *
 * A signature of any other key is passed over, also when it shares a name or an id (but not both) with one
 * of them. Every signature in the name and id of a known key is verified, and one that fails refuses the
 * whole note, whatever else signed it.
 *
 * @param keys whom the verifier believes; none means that nothing is believed.
 * @returns the note, or `malformed`, `bad_signature` with the `key`, or `unknown_keys`.
 * @throws TypeError when `keys` is no array of {@link VerifierKey}, or two of them have the same name and
 * id, so that a signature would not say whose it is.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
 * @example
 * const opened = await openNote(bytes, [VerifierKey.parse(text)])
 * if (opened.ok) console.log(opened.value.text)
 * @see C2SP signed-note, "Signatures"
 */
export async function openNote(
  note: string | Uint8Array,
  keys: readonly VerifierKey[],
): Promise<Outcome<OpenedNote>> {
  const known = byLabel(keys)
  const parsed = parseNote(note)
  if (!parsed.ok) return parsed
  const { text, signatures } = parsed.value
  const message = encoder.encode(text)
  const signedBy = new Set<VerifierKey>()
  const unknown: NoteSignature[] = []
  for (const signature of signatures) {
    const key = known.get(`${signature.name}+${signature.keyId}`)
    if (key === undefined) {
      unknown.push(signature)
    } else if (await key.verify(message, signature.signature)) {
      signedBy.add(key)
    } else {
      return refuse('bad_signature', `the signature of ${key.label} does not hold`, key.label)
    }
  }
  if (signedBy.size === 0) return refuse('unknown_keys', 'no key that was given has signed it')
  const opened = { text, signedBy: Object.freeze([...signedBy]), unknown: Object.freeze(unknown) }
  return accept(Object.freeze(opened))
}

function byLabel(keys: readonly VerifierKey[]): Map<string, VerifierKey> {
  if (!Array.isArray(keys)) throw new TypeError('keys: expected an array of verifier keys')
  const known = new Map<string, VerifierKey>()
  for (const key of keys as readonly unknown[]) {
    if (!(key instanceof VerifierKey))
      throw new TypeError('keys: expected verifier keys; see VerifierKey.parse')
    const other = known.get(key.label)
    if (other !== undefined && String(other) !== String(key)) {
      throw new TypeError(`keys: two different keys are named ${key.label}`)
    }
    known.set(key.label, key)
  }
  return known
}
