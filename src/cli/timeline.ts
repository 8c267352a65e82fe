import type { SplitLine } from '../audit/line-splitter.js'
import type { Fault, Verdict } from '../verify.js'
import type { Output } from './cli-io.js'
import { describeBudget, describeRecord } from './event-words.js'
import type { Tone } from './payload-text.js'
import { type JsonObject, objectAt, own, stringAt } from './record-view.js'
import { cut, displayWidth, pad, safeText, safeValue } from './safe-text.js'

const SHORT_ID = 6
const NAME_COLUMNS = 'session started'.length
const MAX_USER_COLUMNS = 24
/** Levels of nesting that are shown, and sessions whose level is remembered. */
const MAX_LEVELS = 8
const MAX_SESSIONS = 10_000
const MIN_DETAILS_COLUMNS = 20
/** Bytes shown of a line that is no record. */
const EXCERPT = 160

const STYLES: { readonly [T in Tone]: string } = {
  plain: '',
  good: '\u001b[32m',
  warning: '\u001b[33m',
  bad: '\u001b[31m',
  quiet: '\u001b[2m',
}
const RESET = '\u001b[0m'

/** A piece of a row; what it holds has been made safe. */
interface Piece {
  readonly text: string
  readonly tone: Tone
  /** True for the piece that gives way when the row is too long, so that what follows it can be read. */
  readonly yields?: true
}

/** Records as rows of text: when, which session, who, what. Cut to the width of a terminal, whole elsewhere. */
export class Timeline {
  readonly #columns: number
  readonly #isColored: boolean
  readonly #levels = new Map<string, number>()
  #userColumns = 8

  constructor(output: Output, mayColor: boolean) {
    this.#columns = output.isTty ? Math.max(40, output.columns) : Number.POSITIVE_INFINITY
    this.#isColored = output.isTty && mayColor
  }

  /** Takes note of which sessions are nested, also from records that are not shown. */
  observe(record: JsonObject): void {
    const id = stringAt(record, 'session_id')
    if (id === undefined || own(record, 'event') !== 'session_start') return
    const level = own(objectAt(record, 'payload'), 'depth')
    if (typeof level !== 'number' || !(level >= 1)) return
    const [oldest] = this.#levels.size < MAX_SESSIONS ? [] : this.#levels.keys()
    if (oldest !== undefined) this.#levels.delete(oldest)
    this.#levels.set(id, Math.min(MAX_LEVELS, Math.floor(level)))
  }

  record(record: JsonObject): string {
    const { name, details, tone } = describeRecord(record)
    const level = this.#levels.get(stringAt(record, 'session_id') ?? '') ?? 0
    const user = safeText(stringAt(record, 'invoking_user') ?? '')
    this.#userColumns = Math.min(MAX_USER_COLUMNS, Math.max(this.#userColumns, displayWidth(user)))
    const budget = describeBudget(record)
    return this.#row([
      { text: `${pad(safeValue(own(record, 'ts') ?? '?'), 24)}  `, tone: 'quiet' },
      { text: `${pad(shortId(record), SHORT_ID)}  `, tone: 'plain' },
      { text: `${pad(user, this.#userColumns)}  `, tone: 'plain' },
      { text: `${pad(name, NAME_COLUMNS)}  `, tone },
      { text: '> '.repeat(level), tone: 'quiet' },
      { text: details, tone: tone === 'bad' ? 'bad' : 'plain', yields: true },
      { text: budget === '' ? '' : `  [${budget}]`, tone: 'quiet' },
    ])
  }

  /** A line that is no record, as far as it can be shown. */
  noRecord(line: SplitLine): string {
    const excerpt = safeText(new TextDecoder().decode(line.bytes.subarray(0, EXCERPT)))
    const what = line.broken === undefined ? 'not a JSON object' : `${line.broken}, not a JSON object`
    return this.#row([
      { text: `line ${line.index}, byte ${line.offset}: ${what}: `, tone: 'bad' },
      { text: excerpt, tone: 'plain' },
    ])
  }

  /** Stands before the first line that does not hold. */
  fault(fault: Fault): string {
    const text = `-- from here on the chain does not hold: record ${fault.seq}, byte ${fault.offset}: ${fault.detail}`
    return this.#row([{ text, tone: 'bad' }])
  }

  /** Stands before the verdict, whole whatever the width. */
  finding(text: string): string {
    return `${this.#paint({ text: `-- finding: ${text}`, tone: 'warning' })}\n`
  }

  /** The last line, whole whatever the width. */
  verdict(text: string, verdict: Verdict): string {
    const tones: { readonly [V in Verdict]?: Tone } = { VALID: 'good', UNANCHORED: 'warning' }
    return this.#paint({ text, tone: tones[verdict] ?? 'bad' })
  }

  #row(pieces: readonly Piece[]): string {
    let row = ''
    let room = this.#columns
    for (const [index, piece] of pieces.entries()) {
      const rest = pieces.slice(index + 1).reduce((sum, { text }) => sum + displayWidth(text), 0)
      const wanted = piece.yields === true ? Math.max(MIN_DETAILS_COLUMNS, room - rest) : room
      const text = cut(piece.text, Math.min(room, wanted))
      row += this.#paint({ text, tone: piece.tone })
      room -= displayWidth(text)
    }
    return `${this.#isColored ? row : row.trimEnd()}\n`
  }

  #paint({ text, tone }: Piece): string {
    return this.#isColored && tone !== 'plain' && text !== '' ? STYLES[tone] + text + RESET : text
  }
}

/** The end of a session's id: ids of one millisecond begin alike. */
function shortId(record: JsonObject): string {
  const id = stringAt(record, 'session_id')
  return id === undefined ? '-' : safeText(id.slice(-SHORT_ID))
}
