import { type Clock, systemClock } from '../core/clock.js'
import { readCount, readOptions } from '../core/guards.js'

/** Where it is remembered what was used. Services that share an audience MUST share one. */
export interface ReplayStore {
  /**
   * Notes that `key` is used, and keeps that at least until `expiresAtMs` (milliseconds since the Unix
   * epoch). MUST answer `true` to exactly one of all calls with one key, however many come at once. What
   * throws, rejects or answers anything else refuses the credential.
   */
  claim(key: string, expiresAtMs: number): boolean | Promise<boolean>
}

/** How much {@link memoryReplayStore} remembers. */
export interface MemoryReplayOptions {
  /** Up to 10,000,000; 100,000 when absent. */
  readonly maxEntries?: number
  /** Where time comes from; for tests. */
  readonly clock?: Clock
}

const DEFAULT_MAX_ENTRIES = 100_000

/**
 * Remembers in this process what was used, for one process that is a whole service. It forgets what has
 * expired and nothing else: when it is full, everything new is refused.
 *
 * @throws TypeError or RangeError for an option that is not usable.
 */
export function memoryReplayStore(options: MemoryReplayOptions = {}): ReplayStore {
  const given = readOptions('memoryReplayStore', options, ['maxEntries', 'clock'])
  const maxEntries = readCount(
    'memoryReplayStore: maxEntries',
    given.maxEntries ?? DEFAULT_MAX_ENTRIES,
    10_000_000,
  )
  const clock = (given.clock as Clock | undefined) ?? systemClock
  const used = new Map<string, number>()
  let nextExpiryMs = Number.POSITIVE_INFINITY

  const evict = (): void => {
    const now = clock.nowMs()
    if (now < nextExpiryMs) return
    nextExpiryMs = Number.POSITIVE_INFINITY
    for (const [key, expiresAtMs] of used) {
      if (expiresAtMs <= now) used.delete(key)
      else nextExpiryMs = Math.min(nextExpiryMs, expiresAtMs)
    }
  }

  return Object.freeze({
    claim: (key: string, expiresAtMs: number): boolean => {
      if (used.has(key)) return false
      if (used.size >= maxEntries) evict()
      if (used.size >= maxEntries) throw new RangeError('replay store: full of what has not expired')
      used.set(key, expiresAtMs)
      nextExpiryMs = Math.min(nextExpiryMs, expiresAtMs)
      return true
    },
  })
}
