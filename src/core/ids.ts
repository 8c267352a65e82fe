import { monotonicFactory } from 'ulid'

const POOL_BYTES = 4096
const pool = new Uint8Array(POOL_BYTES)
let taken = POOL_BYTES

/** Characters of an id that say when it was made. */
const TIME_LENGTH = 10

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
  const id = ulid(nowMs)
  // In one piece: as the two that it was put together from, it holds twice the memory.
  return [id.slice(0, TIME_LENGTH), id.slice(TIME_LENGTH)].join('')
}
