import { formatNote } from './signed-note.js'
import type { SigningKey } from './signing-key.js'

const encoder = new TextEncoder()

/**
 * Signs a text with every key, in their order.
 *
 * @param text must end in LF.
 * @throws TypeError or RangeError for a text that no note holds, or not 1 to 100 keys.
 * @see C2SP signed-note, "Format"
 */
export function signNote(text: string, keys: readonly SigningKey[]): string {
  const message = encoder.encode(text)
  const signatures = keys.map((key) => ({
    name: key.name,
    keyId: key.verifierKey.id,
    signature: key.sign(message),
  }))
  return formatNote({ text, signatures })
}
