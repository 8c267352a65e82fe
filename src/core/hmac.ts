import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { builtin } from './runtime.js'

interface NativeHmac {
  update(data: Uint8Array): NativeHmac
  digest(): Uint8Array
}

const native = builtin<{ createHmac?: (algorithm: string, key: Uint8Array) => NativeHmac }>(
  'crypto',
)?.createHmac

const encoder = new TextEncoder()

/**
 * HMAC-SHA-256 of a text as UTF-8, 32 bytes; the runtime's own where there is one.
 *
 * @see RFC 2104
 */
export function hmacSha256(key: Uint8Array, text: string): Uint8Array {
  const message = encoder.encode(text)
  return native === undefined
    ? hmac(sha256, key, message)
    : Uint8Array.from(native('sha256', key).update(message).digest())
}
