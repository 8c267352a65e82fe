import { bytesToHex } from '@noble/hashes/utils.js'
import { KEY_BYTES } from '../../core/commitment.js'
import type { ScopeKey } from './scope-key.js'

const ID_BYTES = 16

/** A new key from the runtime's secure random source, with an id that says nothing of whom it is for. */
export function newScopeKey(): ScopeKey {
  const draw = (bytes: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(bytes))
  return Object.freeze({ id: bytesToHex(draw(ID_BYTES)), key: draw(KEY_BYTES) })
}
