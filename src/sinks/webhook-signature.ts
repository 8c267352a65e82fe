import { RuntimeUnsupported } from '../core/errors.js'

const PREFIX = 'whsec_'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const MIN_KEY_BYTES = 24
const MAX_KEY_BYTES = 64

/** Signs one attempt: the value of the `webhook-signature` header. */
export type Sign = (id: string, timestampS: number, body: string) => Promise<string>

/**
 * A signer for a secret in the Standard Webhooks notation: base64 of 24 to 64 bytes, with or without `whsec_`.
 *
 * @throws TypeError or RangeError for any other secret; the message does not hold it.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Web Crypto.
 * @see Standard Webhooks 1.0.0, "Signature scheme"
 */
export function createSigner(label: string, secret: unknown): Sign {
  const keyBytes = readSecret(label, secret)
  const subtle = globalThis.crypto?.subtle
  if (subtle === undefined) throw new RuntimeUnsupported(label, 'Web Crypto (crypto.subtle)')
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return async (id, timestampS, body) => {
    const key = await subtle.importKey('raw', keyBytes, algorithm, false, ['sign'])
    const mac = await subtle.sign('HMAC', key, encoder.encode(`${id}.${timestampS}.${body}`))
    return `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`
  }
}

function readSecret(label: string, secret: unknown): Uint8Array<ArrayBuffer> {
  if (typeof secret !== 'string') throw new TypeError(`${label}: expected a string`)
  const base64 = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret
  if (!BASE64.test(base64)) {
    throw new TypeError(`${label}: expected ${PREFIX} and base64 (with its padding), as in Standard Webhooks`)
  }
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    throw new RangeError(
      `${label}: expected base64 of ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes, got ${bytes.length} bytes`,
    )
  }
  return bytes
}
