import { bytesToHex, concatBytes } from '@noble/hashes/utils.js'
import { describe } from '../../core/describe.js'
import { sha256 } from '../merkle/hash.js'
import { decodeBase64, encodeBase64 } from './base64.js'
import { isSmallOrder, PUBLIC_KEY_BYTES, type Verify, verifierOf } from './ed25519.js'

/** The signature type of plain Ed25519. @see C2SP signed-note, "Signature types" */
export const ED25519_TYPE = 0x01

/** Characters of the longest key name. */
const MAX_NAME_LENGTH = 512

/** Characters of the longest key in text form. */
export const MAX_KEY_LENGTH = 1024

const KEY_ID_BYTES = 4
const FORBIDDEN_IN_NAME = /[\p{White_Space}+]/u
/** Beyond the specification, for the verifier's own keys: their names are printed. */
const INVISIBLE = /[\p{Cc}\p{Cf}]/u

const encoder = new TextEncoder()

/** True for a name that a key can have: not empty, and no white space or `+` in it. @see C2SP signed-note, "Format" */
export function isKeyName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.isWellFormed() && !FORBIDDEN_IN_NAME.test(name)
}

/**
 * A public key, and the name its owner signs notes with. What it verifies is worth what the way on which
 * the key came here is worth: take it from its owner, never from the log.
 *
 * @example
 * const key = VerifierKey.parse('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k')
 * key.name // 'example.com/foo'
 * @see C2SP signed-note, "Signatures" and "Ed25519 signatures"
 */
export class VerifierKey {
  readonly name: string
  /** First four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)`, as eight lowercase hexadecimal digits. */
  readonly id: string
  readonly #publicKey: Uint8Array<ArrayBuffer>
  #verify: Verify | undefined

  /**
   * Reads `name+id+base64(0x01 ‖ public key)`, the whole string.
   *
   * @throws TypeError when it is anything else: another signature type, an id that is not this key's, base64
   * that is not canonical, or a key that anybody can sign for.
   */
  static parse(text: string): VerifierKey {
    if (typeof text !== 'string' || text.length > MAX_KEY_LENGTH) {
      throw new TypeError(`verifier key: expected name+id+base64, got ${describe(text)}`)
    }
    // Base64 may hold a plus; a name and an id cannot.
    const [name = '', id, ...rest] = text.split('+')
    const bytes = rest.length === 0 ? undefined : decodeBase64(rest.join('+'))
    if (id === undefined || bytes === undefined) {
      throw new TypeError('verifier key: expected name+id+base64 of the key')
    }
    if (bytes[0] !== ED25519_TYPE) throw new TypeError('verifier key: not of the type Ed25519 (0x01)')
    const key = new VerifierKey(name, bytes.subarray(1))
    if (key.id !== id) throw new TypeError('verifier key: the id is not that of this name and public key')
    return key
  }

  /**
   * @param publicKey 32 bytes, which are copied.
   * @throws TypeError when the name is empty, longer than 512 characters or holds white space, a plus or
   * what cannot be seen, or when the key is not 32 bytes or one that anybody can sign for.
   */
  constructor(name: string, publicKey: Uint8Array) {
    if (!isKeyName(name) || name.length > MAX_NAME_LENGTH || INVISIBLE.test(name)) {
      throw new TypeError(
        `key name: expected 1 to ${MAX_NAME_LENGTH} visible characters without spaces or plus signs`,
      )
    }
    if (!(publicKey instanceof Uint8Array) || publicKey.length !== PUBLIC_KEY_BYTES) {
      throw new TypeError(`public key: expected ${PUBLIC_KEY_BYTES} bytes`)
    }
    this.#publicKey = Uint8Array.from(publicKey)
    if (isSmallOrder(this.#publicKey)) throw new TypeError('public key: anybody can sign for this key')
    this.name = name
    const hashed = concatBytes(encoder.encode(`${name}\n`), this.#typed())
    this.id = bytesToHex(sha256(hashed).subarray(0, KEY_ID_BYTES))
    Object.freeze(this)
  }

  /** A copy of the public key, 32 bytes. */
  get publicKey(): Uint8Array {
    return Uint8Array.from(this.#publicKey)
  }

  /**
   * True when `signature` (64 bytes) is this key's over `message`.
   *
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
   * @see RFC 8032, section 5.1.7
   */
  async verify(message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    this.#verify ??= await verifierOf(this.#publicKey)
    return this.#verify(message, signature)
  }

  /** `name+id`, which a signature names its key by. */
  get label(): string {
    return `${this.name}+${this.id}`
  }

  /** The text that {@link VerifierKey.parse} reads. */
  toString(): string {
    return `${this.label}+${encodeBase64(this.#typed())}`
  }

  /** As {@link VerifierKey.toString}. */
  toJSON(): string {
    return this.toString()
  }

  #typed(): Uint8Array {
    return Uint8Array.of(ED25519_TYPE, ...this.#publicKey)
  }
}
