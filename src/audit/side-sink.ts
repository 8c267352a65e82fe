import type { Clock } from '../core/clock.js'
import { isThenable } from '../core/guards.js'
import type { AuditSink, ChainHead, SealedRecord } from './sink.js'

/** What a sink other than the primary has lost since the last report. */
export interface DropReport {
  readonly sink: string
  readonly count: number
  /** When the first of them was lost, UTC. */
  readonly since: string
}

/**
 * A sink beside the primary: whatever it does, the log and the agent go on, and what it loses is counted.
 */
export class SideSink {
  readonly #sink: AuditSink
  readonly #clock: Clock
  #drops = 0
  #sinceMs = 0
  #usable = false
  #opened = false

  /** @param head where the primary's chain ends: a sink that already holds another chain cannot continue it. */
  constructor(sink: AuditSink, clock: Clock, head: ChainHead | undefined) {
    this.#sink = sink
    this.#clock = clock
    try {
      const own = sink.open({ dropped: (count) => this.#drop(count) })
      this.#opened = true
      this.#usable = own === undefined || (own.size === head?.size && own.hash === head.hash)
    } catch {
      // Not usable: everything it is offered counts as dropped.
    }
  }

  /** Records lost and not yet reported. */
  get drops(): number {
    return this.#drops
  }

  append(record: SealedRecord): void {
    if (!this.#usable) {
      this.#drop(1)
      return
    }
    try {
      const returned: unknown = this.#sink.append(record)
      if (isThenable(returned)) returned.then(undefined, () => this.#drop(1))
    } catch {
      this.#drop(1)
    }
  }

  takeReport(): DropReport | undefined {
    if (this.#drops === 0) return undefined
    const report = { sink: this.#sink.name, count: this.#drops, since: new Date(this.#sinceMs).toISOString() }
    this.#drops = 0
    return report
  }

  async drain(): Promise<void> {
    if (!this.#usable) return
    try {
      await this.#sink.drain?.()
    } catch {
      // A drain that fails has reported what it lost; closing goes on.
    }
  }

  async close(): Promise<void> {
    // One that refused to open may be open under another log, and is not this one's to close.
    if (!this.#opened) return
    try {
      await this.#sink.close()
    } catch {
      // What a failing close has lost, it has reported.
    }
  }

  #drop(count: number): void {
    if (this.#drops === 0) this.#sinceMs = this.#clock.nowMs()
    // A sink that cannot say how many has still lost something.
    this.#drops += Number.isSafeInteger(count) && count >= 0 ? count : 1
  }
}
