import { sealedBytes } from '../audit/record.js'
import type { SealedRecord } from '../audit/sink.js'
import { utf8Length } from '../core/utf8.js'

/** The longest line fits. Writes of 128 KiB and more can take many times as long, by the pages they need at once. */
const CAPACITY = 64 * 1024
const LF = 0x0a
const encoder = new TextEncoder()

/** Lines on their way to a file, encoded where they will be written from. */
export class LineBuffer {
  readonly #bytes = new Uint8Array(CAPACITY)
  #length = 0
  #sinceMs = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Milliseconds since the first line was added that is in it. */
  get fillMs(): number {
    return performance.now() - this.#sinceMs
  }

  /** False when the line does not fit any more. An empty buffer takes every line that a log may hold. */
  add(line: string): boolean {
    const free = CAPACITY - this.#length
    // Three bytes per UTF-16 unit is the most that UTF-8 needs; the exact length matters only near the end.
    if (line.length * 3 + 1 > free && utf8Length(line) + 1 > free) return false
    this.#begin()
    this.#length += encoder.encodeInto(line, this.#bytes.subarray(this.#length)).written
    this.#bytes[this.#length++] = LF
    return true
  }

  /** As {@link add}, of the line of a record, which may be encoded already. */
  addRecord(record: SealedRecord): boolean {
    const line = sealedBytes(record)
    if (line === undefined) return this.add(record.line)
    if (line.length > CAPACITY - this.#length) return false
    this.#begin()
    this.#bytes.set(line, this.#length)
    this.#length += line.length
    return true
  }

  /** Everything that was added since the last call. Valid until the next `add`. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return taken
  }

  #begin(): void {
    if (this.#length === 0) this.#sinceMs = performance.now()
  }
}

/** How many whole lines lie in `bytes`, and where they end. */
export function wholeLines(bytes: Uint8Array): { lines: number; end: number } {
  let lines = 0
  let end = 0
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    lines += 1
    end = at + 1
  }
  return { lines, end }
}
