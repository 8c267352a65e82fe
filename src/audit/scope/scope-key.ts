import { KEY_BYTES } from '../../core/commitment.js'
import { describe } from '../../core/describe.js'
import { isThenable, readMember } from '../../core/guards.js'

/** The secret behind the commitments of one scope, which by default is one user. */
export interface ScopeKey {
  /** What the log calls the scope: 1 to 64 of `A-Z a-z 0-9 . _ : -`. MUST NOT be derived from the user. */
  readonly id: string
  /** 32 bytes from a secure random source. */
  readonly key: Uint8Array
}

/**
 * Where the scope keys of an agent come from. Synchronous, because a call is decided in one step.
 *
 * Whoever destroys the key of a user makes every commitment to that user's values unopenable for good, while
 * the log and its chain stay as they are. A later call MUST then give a new id and a new key.
 */
export interface ScopeKeys {
  /**
   * The key for a user, made when there is none. Asked once in a session, at the first call of a tool with
   * `commit`. A throw, `undefined` or anything that is no {@link ScopeKey} denies the call (`commit_error`).
   */
  keyFor(user: string): ScopeKey | undefined
}

/** Scope keys that can be looked up without being made, and destroyed. */
export interface ErasableScopeKeys extends ScopeKeys {
  keyFor(user: string): ScopeKey
  /** The key for a user, or `undefined` where there is none. Makes nothing. */
  find(user: string): ScopeKey | undefined
  /**
   * Destroys the key for a user: what was committed to under it can never be opened again. A session that is
   * open goes on with the key that it has.
   *
   * @returns false when there was none.
   */
  destroy(user: string): boolean
}

const ID = /^[A-Za-z0-9._:-]{1,64}$/

/** @throws TypeError when `value` is no {@link ScopeKeys}. */
export function parseScopeKeys(label: string, value: unknown): ScopeKeys {
  if (typeof (value as Partial<ScopeKeys> | null)?.keyFor !== 'function') {
    throw new TypeError(`${label}: expected ScopeKeys, and keyFor is no function`)
  }
  return value as ScopeKeys
}

/**
 * Checks and copies what a {@link ScopeKeys} answered.
 *
 * @throws TypeError when it is no key; the message holds nothing of it.
 */
export function readScopeKey(label: string, value: unknown): ScopeKey {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`${label}: expected a scope key { id, key }, got ${describe(value)}`)
  }
  if (isThenable(value)) {
    // Nobody waits for it: its failure must not become an unhandled rejection.
    value.then(undefined, () => undefined)
    throw new TypeError(`${label}: expected a scope key, got a promise; it must be synchronous`)
  }
  const id = readMember(value, 'id')
  const key = readMember(value, 'key')
  if (typeof id !== 'string' || !ID.test(id)) {
    throw new TypeError(`${label}.id: expected 1 to 64 of A-Z a-z 0-9 . _ : -`)
  }
  if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
    throw new TypeError(`${label}.key: expected ${KEY_BYTES} bytes`)
  }
  const copy = Uint8Array.from(key)
  if (copy.every((byte) => byte === 0)) throw new TypeError(`${label}.key: nothing but zeros is no key`)
  return Object.freeze({ id, key: copy })
}
