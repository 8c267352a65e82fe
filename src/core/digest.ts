import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { builtin } from './runtime.js'

type NativeHash = (algorithm: string, data: string | Uint8Array, encoding: 'hex') => string

const native = builtin<{ hash?: NativeHash }>('crypto')?.hash

/**
 * SHA-256 of a text (as UTF-8) or of bytes, as 64 lowercase hexadecimal digits.
 *
 * The runtime's own one-shot hash where there is one: five to eight times faster than JavaScript.
 * @see FIPS 180-4
 */
export const sha256Hex: (data: string | Uint8Array) => string =
  native === undefined
    ? (data) => bytesToHex(sha256(typeof data === 'string' ? new TextEncoder().encode(data) : data))
    : (data) => native('sha256', data, 'hex')

/** SHA-256 over bytes that arrive in pieces. */
export class Sha256 {
  readonly #state = sha256.create()

  update(bytes: Uint8Array): this {
    this.#state.update(bytes)
    return this
  }

  /** The digest in hexadecimal; the object is used up. */
  hex(): string {
    return bytesToHex(this.#state.digest())
  }
}
