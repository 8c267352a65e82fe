import { SigningKey } from './signing-key.js'

/** A key pair to sign a log with, as text. */
export interface SigningKeyPair {
  /** The private key, for `signing.key`: `PRIVATE+KEY+…`. A secret. */
  readonly privateKey: string
  /** The public key, for whoever verifies: `name+id+base64`. */
  readonly publicKey: string
}

/**
 * A new Ed25519 key to sign a log with, as `writ keygen` makes one: for a program that keeps its keys in a
 * secret manager rather than in a file.
 *
 * @param name preferably the origin of the log, such as `example.com/audit`: no scheme, spaces or plus signs.
 * @throws TypeError for what no key can be named.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) without Node's `crypto`.
 * @example
 * const { privateKey, publicKey } = generateSigningKey('example.com/audit')
 * @see C2SP signed-note, "Ed25519 signatures"
 */
export function generateSigningKey(name: string): SigningKeyPair {
  const key = SigningKey.generate(name)
  return Object.freeze({ privateKey: key.encode(), publicKey: key.verifierKey.toString() })
}
