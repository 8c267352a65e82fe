import { GENESIS, seal } from '../audit/record.js'
import type { AuditSink, ChainHead, SealedRecord } from '../audit/sink.js'
import { quote } from '../core/json-text.js'

/** A sink on an empty destination that works, and the means to look at that destination. */
export interface SinkUnderTest {
  readonly sink: AuditSink
  /** The lines that have arrived at the destination, without their LF. */
  lines(): readonly string[] | Promise<readonly string[]>
  /** A sink on the same destination after `sink` is closed; only for sinks that can continue a chain. */
  reopen?(): AuditSink | Promise<AuditSink>
  /** Frees the destination. */
  cleanup?(): void | Promise<void>
}

/** What a sink said or did against its contract. */
class SinkAssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** What one case works with: the sink, a chain of records for it, and what was taken of them. */
export class SinkBench {
  /** The sink that was opened last. */
  sink: AuditSink
  readonly subject: SinkUnderTest
  /** What was taken, in order. */
  readonly taken: SealedRecord[] = []
  dropped = 0
  isOpen = false
  #prevHash = GENESIS

  constructor(subject: SinkUnderTest) {
    this.subject = subject
    this.sink = subject.sink
  }

  open(sink: AuditSink = this.sink): ChainHead | undefined {
    this.sink = sink
    const head = sink.open({
      dropped: (count) => {
        this.dropped += count
      },
    })
    this.isOpen = true
    return head
  }

  /** The next record of the chain; frozen, because a sink must not change it. */
  next(task = 'plain'): SealedRecord {
    const seq = this.taken.length
    const payload = `{"task":${quote(task)}}`
    const envelope = '"log_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV",'
    const ts = '2026-01-01T00:00:00.000Z'
    const parts = { seq, synced: -1, ts, envelope, event: 'session_start', payload, budget: '' } as const
    return Object.freeze(seal({ ...parts, prevHash: this.#prevHash }))
  }

  append(record: SealedRecord = this.next()): SealedRecord {
    this.sink.append(record)
    this.taken.push(record)
    this.#prevHash = record.hash
    return record
  }

  appendMany(count: number): void {
    for (let index = 0; index < count; index++) this.append()
  }

  async close(): Promise<void> {
    this.isOpen = false
    await this.sink.close()
  }

  /** The destination holds exactly what was taken. */
  async expectAll(when: string): Promise<void> {
    const lines = await this.subject.lines()
    const wrong = this.taken.findIndex((record, index) => record.line !== lines[index])
    if (wrong >= 0) {
      check(lines.length > wrong, `${when}, record ${wrong} of ${this.taken.length} has not arrived`)
      fail(`${when}, line ${wrong} is ${show(lines[wrong])} instead of ${show(this.taken[wrong]?.line)}`)
    }
    check(
      lines.length === this.taken.length,
      `${when}, ${lines.length - this.taken.length} lines are too many`,
    )
    check(this.dropped === 0, `${when}, ${this.dropped} records were reported as dropped, but had arrived`)
  }
}

/** @throws {@link SinkAssertionError} unless the condition holds. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message)
}

function fail(message: string): never {
  throw new SinkAssertionError(message)
}

function show(line: string | undefined): string {
  const text = JSON.stringify(line) ?? 'nothing'
  return text.length > 400 ? `${text.slice(0, 200)} … ${text.slice(-200)}` : text
}
