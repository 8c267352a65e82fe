import { bytesToHex } from '@noble/hashes/utils.js'
import { canonicalJson } from './canonical-json.js'
import { hmacSha256 } from './hmac.js'

/**
 * Bytes of a scope key and of a record key. Exactly so many: HMAC fills shorter keys up with zeros, and two
 * keys that differ only in those would open the same commitment.
 */
export const KEY_BYTES = 32

const DOMAIN = 'writ/commitment/v1'

/**
 * The key of one value in one call: HMAC-SHA-256 under the scope key over
 * `writ/commitment/v1` ‖ 0x00 ‖ call id ‖ 0x00 ‖ pointer.
 *
 * Whoever is given it can check that value, and learns nothing of another value or of the scope key.
 *
 * @see docs/audit-log.md, "Commitments"; RFC 2104
 */
export function recordKey(scopeKey: Uint8Array, callId: string, pointer: string): Uint8Array {
  return hmacSha256(scopeKey, `${DOMAIN}\0${callId}\0${pointer}`)
}

/**
 * What the log shows of a value: HMAC-SHA-256 under its record key over its canonical JSON, in hexadecimal.
 *
 * @throws TypeError for what has no canonical JSON.
 */
export function commitmentTo(key: Uint8Array, value: unknown): string {
  return bytesToHex(hmacSha256(key, canonicalJson(value)))
}
