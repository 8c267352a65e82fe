import type { SplitLine } from '../audit/line-splitter.js'
import type { VerifyReport } from '../verify.js'
import type { CliIo } from './cli-io.js'
import type { RecordFilter } from './record-filter.js'
import { parseLine } from './record-view.js'
import { safeText } from './safe-text.js'
import { headline } from './verdict-text.js'

const LF = Uint8Array.of(0x0a)
const NOT_PLAIN = /[^ -~]+/g

/**
 * What `writ show --json` prints for a program: the bytes of the matching lines. On a terminal, what could
 * steer it is escaped, as Writ itself escapes it in every line it writes.
 */
export class JsonView {
  readonly #io: CliIo
  readonly #filter: RecordFilter
  #pieces: Uint8Array[] = []
  #unreadable = 0
  #first: SplitLine | undefined

  constructor(io: CliIo, filter: RecordFilter) {
    this.#io = io
    this.#filter = filter
  }

  line(line: SplitLine): void {
    const record = line.broken === undefined ? parseLine(line.bytes) : undefined
    if (record === undefined) {
      this.#unreadable += 1
      this.#first ??= line
    } else if (this.#filter.matches(record)) {
      this.#pieces.push(this.#io.stdout.isTty ? escaped(line.bytes) : line.bytes.slice(), LF)
    }
  }

  async flush(): Promise<void> {
    const pieces = this.#pieces
    this.#pieces = []
    if (pieces.length > 0) await this.#io.stdout.write(concat(pieces))
  }

  async end(report: VerifyReport): Promise<void> {
    await this.flush()
    const { fault } = report
    const where = fault === undefined ? '' : ` (record ${fault.seq}, byte ${fault.offset}: ${fault.detail})`
    const first = this.#first
    const left =
      first === undefined
        ? ''
        : `${this.#unreadable} lines are no JSON object and not shown; the first is line ${first.index}, at byte ${first.offset}\n`
    await this.#io.stderr.write(`${left}${headline(report, this.#io.nowMs())}${where}\n`)
  }
}

function escaped(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(bytes).replace(NOT_PLAIN, safeText))
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
