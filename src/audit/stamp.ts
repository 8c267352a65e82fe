import type { Clock } from '../core/clock.js'
import { quote } from '../core/json-text.js'

/**
 * The members of a record that say when it was written, in which log, and up to where that was stored by then;
 * formed once for all records of a millisecond.
 */
export class Stamp {
  readonly #clock: Clock
  readonly #logId: string
  #ms = Number.NaN
  #synced = Number.NaN
  #text = ''

  constructor(clock: Clock, logId: string) {
    this.#clock = clock
    this.#logId = quote(logId)
  }

  /** `"synced":…,"ts":"…","log_id":"…",`; the time in ISO 8601 with milliseconds, UTC. */
  now(synced: number): string {
    const nowMs = this.#clock.nowMs()
    if (nowMs !== this.#ms || synced !== this.#synced) {
      // One flat string: of what `+` puts together, every record would collect the pieces again.
      const iso = new Date(nowMs).toISOString()
      this.#text = ['"synced":', synced, ',"ts":"', iso, '","log_id":', this.#logId, ','].join('')
      this.#synced = synced
      this.#ms = nowMs
    }
    return this.#text
  }
}
