import { messageOf } from '../audit/failure.js'
import { isThenable } from '../core/guards.js'

/** Failures in a row are told at least this far apart, so that an outage is not a flood of records. */
const REPORT_MS = 60_000

/** What went wrong with the anchor: what the log says of it. */
export interface AnchorFailure {
  /** Records of the checkpoint that was to be anchored. */
  readonly size: number
  /** Failures since the last report, this one included. */
  readonly count: number
  readonly error: unknown
}

/**
 * Hands checkpoints to the user's hook, one at a time: while one is under way only the newest waits, because it
 * vouches for everything before it.
 */
export class Anchoring {
  readonly #hook: (checkpoint: string) => unknown
  readonly #timeoutMs: number
  readonly #report: (failure: AnchorFailure) => void
  #running: Promise<void> | undefined
  #waiting: { note: string; size: number } | undefined
  #failures = 0
  #reportedAtMs = Number.NEGATIVE_INFINITY
  #error: { readonly cause: unknown } | undefined

  constructor(
    hook: (checkpoint: string) => unknown,
    timeoutMs: number,
    report: (failure: AnchorFailure) => void,
  ) {
    this.#hook = hook
    this.#timeoutMs = timeoutMs
    this.#report = report
  }

  offer(note: string, size: number): void {
    this.#waiting = { note, size }
    this.#running ??= this.#run()
  }

  /** Waits for what was offered. @returns what went wrong with the newest, if something did. */
  async drain(): Promise<{ readonly cause: unknown } | undefined> {
    await this.#running
    return this.#error
  }

  async #run(): Promise<void> {
    // The caller is in the middle of something; the hook is somebody else's code.
    await undefined
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined
      this.#error = await this.#call(next.note)
      if (this.#error === undefined) {
        this.#failures = 0
        this.#reportedAtMs = Number.NEGATIVE_INFINITY
      } else this.#failed(next.size, this.#error.cause)
    }
    this.#running = undefined
  }

  async #call(note: string): Promise<{ readonly cause: unknown } | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const answer = this.#hook(note)
      if (!isThenable(answer)) return undefined
      const timeout = new Promise((_, reject) => {
        const late = new RangeError(`no answer within ${this.#timeoutMs} ms`)
        timer = setTimeout(() => reject(late), this.#timeoutMs)
      })
      await Promise.race([answer, timeout])
      return undefined
    } catch (cause) {
      return { cause }
    } finally {
      clearTimeout(timer)
    }
  }

  #failed(size: number, error: unknown): void {
    this.#failures += 1
    const nowMs = performance.now()
    if (nowMs - this.#reportedAtMs < REPORT_MS) return
    this.#reportedAtMs = nowMs
    const count = this.#failures
    this.#failures = 0
    this.#report({ size, count, error })
  }
}

/** What to say of a failed anchor to somebody who is waiting for it. */
export function anchorText(cause: unknown): string {
  return `the last checkpoint was not anchored: ${messageOf(cause)}`
}
