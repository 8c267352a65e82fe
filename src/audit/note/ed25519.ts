import { bytesToHex } from '@noble/hashes/utils.js'
import { RuntimeUnsupported } from '../../core/errors.js'
import { builtin } from '../../core/runtime.js'

/** Bytes of a public key, and of the seed of a private one. */
export const PUBLIC_KEY_BYTES = 32

const SIGNATURE_BYTES = 64

/** A SubjectPublicKeyInfo up to the key itself. @see RFC 8410, section 4 */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)

/** Encodings of the points of small order, the highest bit (the sign of x) left out. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** Whether a signature over a message holds. */
export type Verify = (message: Uint8Array, signature: Uint8Array) => Promise<boolean>

/** The part of Node's `crypto` that verifies, typed here because not every user has the types of Node. */
interface NativeCrypto {
  createPublicKey(key: { key: Uint8Array; format: 'der'; type: 'spki' }): unknown
  verify(algorithm: null, data: Uint8Array, key: unknown, signature: Uint8Array): boolean
}

/**
 * True for the keys under which a signature that needs no private key verifies: its owner could deny
 * whatever was signed. Some runtimes accept such signatures and others do not.
 *
 * @see Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs" (binding signatures)
 */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  const bytes = Uint8Array.from(publicKey)
  bytes[PUBLIC_KEY_BYTES - 1] = (bytes[PUBLIC_KEY_BYTES - 1] ?? 0) & 0x7f
  return SMALL_ORDER.has(bytesToHex(bytes))
}

/**
 * A verifier for one public key: by the runtime's own `crypto` where there is one, which answers at once, and
 * by Web Crypto everywhere else.
 *
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where neither has Ed25519.
 */
export async function verifierOf(publicKey: Uint8Array<ArrayBuffer>): Promise<Verify> {
  const verify = nativeVerifier(publicKey) ?? (await webVerifier(publicKey))
  return async (message, signature) => signature.length === SIGNATURE_BYTES && verify(message, signature)
}

type Check = (message: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>

function nativeVerifier(publicKey: Uint8Array): Check | undefined {
  const native = builtin<Partial<NativeCrypto>>('crypto')
  const { createPublicKey, verify } = native ?? {}
  if (createPublicKey === undefined || verify === undefined) return undefined
  const spki = Uint8Array.of(...SPKI_PREFIX, ...publicKey)
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  return (message, signature) => verify(null, message, key, signature)
}

async function webVerifier(publicKey: Uint8Array<ArrayBuffer>): Promise<Check> {
  const subtle = globalThis.crypto?.subtle
  try {
    const key = await subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify'])
    return (message, signature) =>
      subtle.verify('Ed25519', key, Uint8Array.from(signature), Uint8Array.from(message))
  } catch (cause) {
    // What is no point of the curve is refused at once in some runtimes; it verifies nothing in any.
    if ((cause as { name?: unknown } | null)?.name === 'DataError') return () => false
    throw new RuntimeUnsupported('a signature', 'Ed25519 in crypto.subtle')
  }
}
