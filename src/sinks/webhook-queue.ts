import { utf8Length } from '../core/utf8.js'

interface QueuedLine {
  readonly line: string
  /** Bytes in UTF-8, with the LF. */
  readonly bytes: number
  readonly queuedMs: number
}

/** Lines that go into one request. */
export interface Batch {
  readonly count: number
  readonly bytes: number
  /** The exact lines, each ended by LF. */
  readonly body: string
}

export interface QueueLimits {
  readonly maxQueueBytes: number
  readonly maxBatchRecords: number
  readonly maxBatchBytes: number
}

/** Lines on their way to a webhook, bounded in bytes; a batch counts until it is settled. */
export class WebhookQueue {
  readonly #limits: QueueLimits
  #lines: QueuedLine[] = []
  #waitingBytes = 0
  #takenBytes = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  /** When the first waiting line was queued, in monotonic milliseconds; `undefined` when none is waiting. */
  get oldestMs(): number | undefined {
    return this.#lines[0]?.queuedMs
  }

  /** True when what is waiting is enough for a request. */
  get holdsBatch(): boolean {
    const { maxBatchRecords, maxBatchBytes } = this.#limits
    return this.#lines.length >= maxBatchRecords || this.#waitingBytes >= maxBatchBytes
  }

  /** False when the line does not fit. */
  push(line: string, nowMs: number): boolean {
    const bytes = utf8Length(line) + 1
    if (this.#waitingBytes + this.#takenBytes + bytes > this.#limits.maxQueueBytes) return false
    this.#lines.push({ line, bytes, queuedMs: nowMs })
    this.#waitingBytes += bytes
    return true
  }

  /** As many of the first lines as one request may hold, and at least one if any is waiting. */
  take(): Batch {
    const { maxBatchRecords, maxBatchBytes } = this.#limits
    let count = 0
    let bytes = 0
    for (const { bytes: more } of this.#lines) {
      if (count === maxBatchRecords || (count > 0 && bytes + more > maxBatchBytes)) break
      count += 1
      bytes += more
    }
    const taken = this.#lines.splice(0, count)
    this.#waitingBytes -= bytes
    this.#takenBytes += bytes
    return { count, bytes, body: taken.map(({ line }) => `${line}\n`).join('') }
  }

  /** Frees the room of a batch that is delivered or given up. */
  settle(batch: Batch): void {
    this.#takenBytes -= batch.bytes
  }

  /** Empties the queue; returns how many lines were waiting. */
  clear(): number {
    const { length } = this.#lines
    this.#lines = []
    this.#waitingBytes = 0
    return length
  }
}
