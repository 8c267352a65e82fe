import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { RuntimeUnsupported } from '../../core/errors.js'
import { builtin } from '../../core/runtime.js'
import { decodeBase64, encodeBase64 } from './base64.js'
import { ED25519_TYPE, MAX_KEY_LENGTH, VerifierKey } from './verifier-key.js'

/** Bytes of a private key. @see RFC 8032, section 5.1.5 */
const SEED_BYTES = 32

/** A PrivateKeyInfo up to the seed. @see RFC 8410, section 7 */
const PKCS8_PREFIX = hexToBytes('302e020100300506032b657004220420')

const SIGNER_PREFIX = 'PRIVATE+KEY+'

/** A key of the runtime's; opaque here. */
interface NativeKey {
  readonly type: string
  readonly asymmetricKeyType?: string
  export(options: { format: 'der'; type: 'pkcs8' | 'spki' }): Uint8Array
}

/** The part of Node's `crypto` that signs, typed here because not every user has the types of Node. */
interface NativeCrypto {
  createPrivateKey(key: string | { key: Uint8Array; format: 'der'; type: 'pkcs8' }): NativeKey
  createPublicKey(key: NativeKey): NativeKey
  sign(algorithm: null, data: Uint8Array, key: NativeKey): Uint8Array
}

/**
 * A private key, and the name under which it signs notes. It signs at once, so that the last checkpoint of a
 * process that is exiting can be signed.
 *
 * Neither `console.log` nor `JSON.stringify` shows the private part; {@link SigningKey.encode} does.
 *
 * @example
 * const key = SigningKey.generate('example.com/audit')
 * const note = signNote(formatCheckpoint({ origin: key.name, size, root }), [key])
 * @see C2SP signed-note, "Ed25519 signatures"
 */
export class SigningKey {
  /** The name, id and public key, as whoever verifies needs them. */
  readonly verifierKey: VerifierKey
  readonly #crypto: NativeCrypto
  readonly #key: NativeKey

  /**
   * A new key from the runtime's secure random source.
   *
   * @param name preferably the origin of the log, such as `example.com/audit`: no scheme, spaces or plus signs.
   * @throws TypeError for what no key can be named.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) without Node's `crypto`.
   */
  static generate(name: string): SigningKey {
    return SigningKey.fromSeed(name, globalThis.crypto.getRandomValues(new Uint8Array(SEED_BYTES)))
  }

  /**
   * The key of an RFC 8032 private key, which others call its seed.
   *
   * @param seed 32 bytes.
   * @throws TypeError when it is not, or for what no key can be named.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) without Node's `crypto`.
   */
  static fromSeed(name: string, seed: Uint8Array): SigningKey {
    if (!(seed instanceof Uint8Array) || seed.length !== SEED_BYTES) {
      throw new TypeError(`signing key: expected a seed of ${SEED_BYTES} bytes`)
    }
    return SigningKey.fromPkcs8(name, concatBytes(PKCS8_PREFIX, seed))
  }

  /**
   * The key of a PKCS#8 private key, as `openssl genpkey -algorithm ed25519` writes it.
   *
   * @param key PEM text, or DER bytes; not encrypted.
   * @throws TypeError when it is no Ed25519 private key; the message holds nothing of it.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) without Node's `crypto`.
   * @see RFC 8410, section 7
   */
  static fromPkcs8(name: string, key: string | Uint8Array): SigningKey {
    const native = builtin<Partial<NativeCrypto>>('crypto')
    if (native?.createPrivateKey === undefined) throw new RuntimeUnsupported('a signing key', "Node's crypto")
    const crypto = native as NativeCrypto
    let parsed: NativeKey | undefined
    try {
      parsed = crypto.createPrivateKey(typeof key === 'string' ? key : { key, format: 'der', type: 'pkcs8' })
    } catch {
      // What the runtime says of it may quote it.
    }
    if (parsed?.asymmetricKeyType !== 'ed25519') {
      throw new TypeError('signing key: expected an Ed25519 private key in PKCS#8, not encrypted')
    }
    return new SigningKey(name, parsed, crypto)
  }

  /**
   * Reads what {@link SigningKey.encode} wrote, the whole string.
   *
   * @throws TypeError when it is anything else; the message holds nothing of it.
   * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) without Node's `crypto`.
   */
  static parse(text: string): SigningKey {
    const malformed = new TypeError(`signing key: expected ${SIGNER_PREFIX}name+id+base64 of an Ed25519 key`)
    if (typeof text !== 'string' || text.length > MAX_KEY_LENGTH || !text.startsWith(SIGNER_PREFIX)) {
      throw malformed
    }
    const [name = '', id, ...rest] = text.slice(SIGNER_PREFIX.length).split('+')
    const bytes = rest.length === 0 ? undefined : decodeBase64(rest.join('+'))
    if (bytes?.length !== 1 + SEED_BYTES || bytes[0] !== ED25519_TYPE) throw malformed
    const key = SigningKey.fromSeed(name, bytes.subarray(1))
    if (key.verifierKey.id !== id) {
      throw new TypeError('signing key: the id is not that of this name and key')
    }
    return key
  }

  private constructor(name: string, key: NativeKey, crypto: NativeCrypto) {
    const spki = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' })
    this.verifierKey = new VerifierKey(name, spki.subarray(-SEED_BYTES))
    this.#key = key
    this.#crypto = crypto
    Object.freeze(this)
  }

  get name(): string {
    return this.verifierKey.name
  }

  /** The signature over a message, 64 bytes. @see RFC 8032, section 5.1.6 */
  sign(message: Uint8Array): Uint8Array {
    return Uint8Array.from(this.#crypto.sign(null, message, this.#key))
  }

  /** The private key itself, as text: `PRIVATE+KEY+name+id+base64(0x01 ‖ seed)`, as Go's `note` writes it. */
  encode(): string {
    const seed = this.#key.export({ format: 'der', type: 'pkcs8' }).subarray(-SEED_BYTES)
    return `${SIGNER_PREFIX}${this.verifierKey.label}+${encodeBase64(Uint8Array.of(ED25519_TYPE, ...seed))}`
  }
}
