import { systemClock } from '../core/clock.js'
import { ToolCrashed } from './tool-crashed.js'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000

/**
 * What is known of a module that could not be loaded. For a while after each failure, twice as long each
 * time, calls are refused with it and nothing is started: a module that is broken must not cost a worker
 * for every call.
 */
export class LoadFailures {
  readonly #url: string
  #why: string | undefined
  #count = 0
  #untilMs = 0

  constructor(url: string) {
    this.#url = url
  }

  /** The error to refuse a call with, as long as no new attempt is due. */
  current(): ToolCrashed | undefined {
    if (this.#why === undefined || systemClock.monotonicMs() >= this.#untilMs) return undefined
    return this.error(this.#why)
  }

  note(why: string): void {
    this.#why = why
    this.#untilMs = systemClock.monotonicMs() + Math.min(FIRST_PAUSE_MS * 2 ** this.#count, LONGEST_PAUSE_MS)
    this.#count += 1
  }

  clear(): void {
    this.#why = undefined
    this.#count = 0
  }

  error(why: string): ToolCrashed {
    return new ToolCrashed('load', `could not be loaded from ${shortened(this.#url)}: ${why}`)
  }
}

function shortened(url: string): string {
  return url.length <= 200 ? url : `${url.slice(0, 200)}…`
}
