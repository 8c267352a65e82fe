import { monotonicFactory } from 'ulid'

const POOL_BYTES = 4096
const pool = new Uint8Array(POOL_BYTES)
let taken = POOL_BYTES

/**
 * One draw from the operating system serves 4,096 characters: `ulid` asks for sixteen numbers whenever the
 * millisecond is new, and its own source makes a system call for each.
 */
function pooledRandom(): number {
  if (taken === POOL_BYTES) {
    globalThis.crypto.getRandomValues(pool)
    taken = 0
  }
  return (pool[taken++] as number) / 256
}

const ulid = monotonicFactory(pooledRandom)

/**
 * A new ULID: 26 characters of Crockford's base32 that sort by time. Guessable by design (two ids of one
 * millisecond differ by one), so never a secret.
 *
 * @param nowMs milliseconds since the Unix epoch.
 * @see https://github.com/ulid/spec
 */
export function newId(nowMs: number): string {
  return ulid(nowMs)
}
