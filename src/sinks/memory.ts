import type { AuditRecord } from '../audit/event.js'
import type { AuditSink, ChainHead, SealedRecord } from '../audit/sink.js'
import { AuditUnavailable } from '../core/errors.js'
import { readCount, readOptions } from '../core/guards.js'

export interface MemorySinkOptions {
  /** Records to keep at most; unlimited when absent. Nothing is evicted: the next record is refused. */
  readonly maxRecords?: number
}

/** A sink whose records can be read back, also after it is closed. For tests and short-lived tools. */
export interface MemorySink extends AuditSink {
  /** The exact lines so far, without their LF: a frozen copy that later records do not change. */
  readonly lines: readonly string[]
  /** The records so far, parsed anew on every access. */
  readonly records: readonly AuditRecord[]
  /** What a log file would hold: every line, each ended by LF. */
  text(): string
}

/**
 * Keeps records in the memory of the process.
 *
 * A log that is opened again on the same sink continues the chain that the sink holds.
 *
 * @throws TypeError for an unknown option or a `maxRecords` that is no number.
 * @throws RangeError for a `maxRecords` that is not an integer from 0 to 2^53 − 1.
 */
export function memorySink(options: MemorySinkOptions = {}): MemorySink {
  const { maxRecords } = readOptions('AuditSink.memory', options, ['maxRecords'])
  if (maxRecords === undefined) return new Memory(Number.POSITIVE_INFINITY)
  return new Memory(readCount('AuditSink.memory: maxRecords', maxRecords))
}

class Memory implements MemorySink {
  readonly name = 'memory'
  readonly durable = false
  readonly #maxRecords: number
  readonly #sealed: SealedRecord[] = []
  #copy: readonly string[] | undefined
  #isOpen = false

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords
  }

  get lines(): readonly string[] {
    this.#copy ??= Object.freeze(this.#sealed.map((record) => record.line))
    return this.#copy
  }

  get records(): readonly AuditRecord[] {
    return this.#sealed.map((record) => record.parse())
  }

  text(): string {
    return this.#sealed.map((record) => `${record.line}\n`).join('')
  }

  open(): ChainHead | undefined {
    if (this.#isOpen) throw new AuditUnavailable('memory: the sink is open already')
    this.#isOpen = true
    const last = this.#sealed.at(-1)
    if (last === undefined) return undefined
    return { logId: last.parse().log_id, size: last.seq + 1, hash: last.hash }
  }

  append(record: SealedRecord): void {
    if (!this.#isOpen) throw new AuditUnavailable('memory: the sink is not open')
    if (this.#sealed.length >= this.#maxRecords) {
      throw new AuditUnavailable(`memory: the sink holds its ${this.#maxRecords} records already`)
    }
    this.#sealed.push(record)
    this.#copy = undefined
  }

  flush(): undefined {
    return undefined
  }

  flushSync(): void {
    // What was taken is kept already.
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }
}
