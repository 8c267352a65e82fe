import type { Clock } from '../core/clock.js'

/** ISO 8601 in UTC with milliseconds; formed once for all records of a millisecond. */
export class Timestamps {
  readonly #clock: Clock
  #ms = Number.NaN
  #text = ''

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): string {
    const nowMs = this.#clock.nowMs()
    if (nowMs !== this.#ms) {
      this.#text = new Date(nowMs).toISOString()
      this.#ms = nowMs
    }
    return this.#text
  }
}
