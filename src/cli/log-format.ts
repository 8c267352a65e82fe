import { quote } from '../core/json-text.js'
import { suggestion } from '../core/nearest.js'
import { AegrailVerifier, type ChainReport, LogVerifier, type Verdict } from '../verify.js'
import type { Arguments } from './arguments.js'
import { UsageError } from './cli-io.js'
import { advice, headline } from './verdict-text.js'

/** A kind of log: what checks it, and what its verdicts mean. */
export interface LogFormat {
  /** True for Writ's own, which checkpoints and segments can belong to. */
  readonly isWrit: boolean
  createVerifier(): { push(chunk: Uint8Array): void; finish(): ChainReport }
  headline(report: ChainReport): string
  /** What to do about it, in lines. */
  advice(report: ChainReport): readonly string[]
}

const WRIT: LogFormat = { isWrit: true, createVerifier: () => new LogVerifier(), headline, advice }

const AEGRAIL_MEANING: { readonly [V in Verdict]?: string } = {
  TAMPERED: 'a hash or a link does not hold, or a line is no record of aegrail',
  MALFORMED: 'this is not a log of aegrail',
  CRASH_DAMAGED: 'the last record is cut; everything before it holds',
}

const AEGRAIL_NEXT: { readonly [V in Verdict]?: readonly string[] } = {
  TAMPERED: [
    'Keep the file as evidence and let nothing append to it. The records before the fault hold; nothing from',
    'the fault on can be relied on. aegrail itself leaves such a log when a crash cut a line and it wrote on, or',
    'when two processes wrote to one file: docs/aegrail.md says how to tell.',
  ],
  MALFORMED: [
    'Check the path and the format: a log that Writ wrote is checked without --format. If both are right, the',
    'log was emptied or its first record overwritten: keep the file as evidence, and compare it with a copy.',
  ],
  CRASH_DAMAGED: [
    'If an agent is writing to the log right now, ask again. If not, move the file away before one is started:',
    'aegrail would write its next record into the line that is cut.',
  ],
}

const AEGRAIL: LogFormat = {
  isWrit: false,
  createVerifier: () => new AegrailVerifier(),
  headline: (report) => {
    const meaning = AEGRAIL_MEANING[report.verdict]
    return meaning === undefined ? headline(report) : `${report.verdict}: ${meaning}`
  },
  advice: (report) => AEGRAIL_NEXT[report.verdict] ?? advice(report),
}

const FORMATS: Readonly<Record<string, LogFormat>> = { writ: WRIT, aegrail: AEGRAIL }

/**
 * What `--format` names: `writ` where it is not given.
 *
 * @throws {@link UsageError} for a format that does not exist.
 */
export function readFormat({ values }: Arguments): LogFormat {
  const [name = 'writ'] = values.get('format') ?? []
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format !== undefined) return format
  const names = Object.keys(FORMATS)
  throw new UsageError(
    `unknown format ${quote(name)}; the formats are ${names.join(' and ')}.${suggestion(name, names)}`,
  )
}
