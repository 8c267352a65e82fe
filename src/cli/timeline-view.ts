import type { SplitLine } from '../audit/line-splitter.js'
import type { Fault, FindingKind, VerifyReport } from '../verify.js'
import type { CliIo } from './cli-io.js'
import type { RecordFilter } from './record-filter.js'
import { parseLine } from './record-view.js'
import { findingText } from './report-text.js'
import { Timeline } from './timeline.js'
import { headline } from './verdict-text.js'

/** What the rows show by themselves; everything else that was found concerns what is not among the records. */
const SEEN_IN_RECORDS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'calls_open',
  'calls_in_doubt',
  'sessions_open',
  'sessions_unended',
  'log_open',
  'writers_lost',
  'recovered',
  'records_dropped',
  'clock_back',
  'not_followed',
])

/** What `writ show` prints for a reader. */
export class TimelineView {
  readonly #io: CliIo
  readonly #filter: RecordFilter
  readonly #timeline: Timeline
  #text = ''
  #shown = 0
  #isFaultShown = false

  constructor(io: CliIo, filter: RecordFilter) {
    this.#io = io
    this.#filter = filter
    this.#timeline = new Timeline(io.stdout, io.mayColor)
  }

  /** @param fault where the chain fails, as far as that is known when this line has been checked. */
  line(line: SplitLine, fault: Fault | undefined): void {
    if (fault !== undefined && line.offset >= fault.offset) this.#showFault(fault)
    const record = line.broken === undefined ? parseLine(line.bytes) : undefined
    if (record !== undefined) this.#timeline.observe(record)
    // A filter cannot say that a line which nobody can read is not the one looked for.
    if (record === undefined) this.#text += this.#timeline.noRecord(line)
    else if (this.#filter.matches(record)) {
      this.#text += this.#timeline.record(record)
      this.#shown += 1
    }
  }

  /** Writes the rows made so far. */
  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    if (text !== '') await this.#io.stdout.write(text)
  }

  async end(report: VerifyReport): Promise<void> {
    const { fault, size, verdict } = report
    if (fault !== undefined && report.bytes > 0) this.#showFault(fault)
    const besides = report.findings.filter(({ kind }) => !SEEN_IN_RECORDS.has(kind))
    for (const finding of besides) this.#text += this.#timeline.finding(findingText(finding))
    const where = fault === undefined ? '' : ` (record ${fault.seq}, byte ${fault.offset}: ${fault.detail})`
    const shown = this.#filter.isSet ? ` [${this.#shown} records match]` : ` [${size} records]`
    this.#text += `${this.#timeline.verdict(headline(report, this.#io.nowMs()) + where + shown, verdict)}\n`
    await this.flush()
  }

  #showFault(fault: Fault): void {
    if (!this.#isFaultShown) this.#text += this.#timeline.fault(fault)
    this.#isFaultShown = true
  }
}
