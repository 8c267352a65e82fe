import { isPlainObject } from '../core/guards.js'
import { ClockWatch } from './clock-watch.js'
import { Envelope, ID_LENGTH, stringEnd } from './envelope.js'
import type { Finding, FindingKind } from './finding.js'
import { parseJsonLine } from './json-line.js'
import type { LineReader } from './line.js'
import { Mark } from './mark.js'
import { OpenIds } from './open-ids.js'
import { readPrevious } from './segment.js'

const toolMark = (name: string): Mark => new Mark(`${name}","payload":{"call_id":"`)

const TOOL_CALL = toolMark('tool_call')
const TOOL_RESULT = toolMark('tool_result')
const TOOL_DENIED = toolMark('tool_denied')
const SESSION_START = new Mark('session_start"')
const SESSION_END = new Mark('session_end"')
const LOG = new Mark('log_')
const SINK_DROPPED = new Mark('sink_dropped"')

const L = 0x6c
const S = 0x73
const T = 0x74

/** Sinks whose losses are counted apart. */
const MAX_SINKS = 100

/** Watches the records of a log go by and says what is left open, lost or odd, in bounded memory. */
export class Findings {
  readonly envelope: Envelope = new Envelope()
  readonly #calls = new OpenIds()
  readonly #sessions = new OpenIds()
  readonly #clock = new ClockWatch()
  readonly #dropped = new Map<string, { count: number; seq: number }>()
  readonly #counts = new Map<FindingKind, { count: number; seq: number }>()
  #isOpen = false
  #openSeq = 0
  #recoveredBytes = 0
  #signedBy: string | undefined
  #pruned: { readonly file: string; readonly firstSeq: number; readonly records: number }[] = []

  /** The key that the log says it is signed with. */
  get signedBy(): string | undefined {
    return this.#signedBy
  }

  /** Time of the last record. */
  get lastTs(): string | undefined {
    return this.#clock.last
  }

  /** True when a record says that this segment, which ended at that size, was removed on purpose. */
  isPruned(file: string, size: number): boolean {
    return this.#pruned.some((each) => each.file === file && each.firstSeq + each.records === size)
  }

  /** Takes a record that holds, at the seq that it says. */
  observe(line: LineReader): void {
    const { envelope } = this
    envelope.read(line)
    const { bytes, view, seq } = line
    const { ts, event } = envelope
    if (ts >= 0) this.#clock.observe(line.view, ts, seq)
    if (event < 0) return
    const first = bytes[event]
    if (first === T) this.#tool(line, event)
    else if (first === S) this.#session(line, event)
    else if (first === L && LOG.isAt(view, event)) this.#log(line)
  }

  finish(): Finding[] {
    const found: Finding[] = []
    const add = (finding: Finding | undefined): void => {
      if (finding !== undefined) found.push(Object.freeze(finding))
    }
    add(
      this.#calls.inDoubt(
        'calls_in_doubt',
        'calls were let run and have no result, though their writer has ended',
      ),
    )
    add(this.#sessions.inDoubt('sessions_unended', 'sessions have no end, though their writer has ended'))
    add(this.#counted('writers_lost', 'writers ended without closing the log'))
    const bytes = this.#recoveredBytes
    add(this.#counted('recovered', `times crash damage was set aside, ${bytes} bytes in all`))
    for (const [sink, { count, seq }] of this.#dropped) {
      add({ kind: 'records_dropped', count, seq, detail: `records were lost by the sink ${sink}` })
    }
    add(this.#clock.finding())
    if (this.#isOpen) {
      add({ kind: 'log_open', count: 1, seq: this.#openSeq, detail: 'writer has not closed the log' })
    }
    add(this.#sessions.open('sessions_open', 'sessions have no end yet'))
    add(this.#calls.open('calls_open', 'calls have no result yet'))
    const lost = this.#calls.notFollowed + this.#sessions.notFollowed
    if (lost > 0) {
      add({
        kind: 'not_followed',
        count: lost,
        detail: 'calls or sessions more were open at once than are followed',
      })
    }
    return found
  }

  #counted(kind: FindingKind, detail: string): Finding | undefined {
    const counted = this.#counts.get(kind)
    return counted === undefined ? undefined : { kind, ...counted, detail }
  }

  #count(kind: FindingKind, seq: number): void {
    const counted = this.#counts.get(kind)
    if (counted === undefined) this.#counts.set(kind, { count: 1, seq })
    else counted.count += 1
  }

  #tool(line: LineReader, event: number): void {
    const { view, end } = line
    const isCall = TOOL_CALL.isAt(view, event)
    const name = isCall ? TOOL_CALL : TOOL_RESULT.isAt(view, event) ? TOOL_RESULT : TOOL_DENIED
    if (name === TOOL_DENIED && !TOOL_DENIED.isAt(view, event)) return
    const start = event + name.length
    if (isCall) this.#calls.add(line, start, stringEnd(line.bytes, view, start, end))
    else if (!this.#calls.deleteLast(line, start))
      this.#calls.delete(line, start, stringEnd(line.bytes, view, start, end))
  }

  #session(line: LineReader, event: number): void {
    const { view } = line
    const { session } = this.envelope
    if (session < 0) {
      if (SINK_DROPPED.isAt(view, event)) this.#drop(line)
      return
    }
    const isStart = SESSION_START.isAt(view, event)
    if (!isStart && !SESSION_END.isAt(view, event)) return
    if (isStart) this.#sessions.add(line, session, session + ID_LENGTH)
    else this.#sessions.delete(line, session, session + ID_LENGTH)
  }

  #drop(line: LineReader): void {
    const { sink, count } = payloadOf(parseJsonLine(line.line))
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1) return
    const name = typeof sink === 'string' && sink.length <= 200 ? sink : '?'
    const counted = this.#dropped.get(name)
    if (counted !== undefined) counted.count += count
    else if (this.#dropped.size < MAX_SINKS) this.#dropped.set(name, { count, seq: line.seq })
  }

  #log(line: LineReader): void {
    const { seq } = line
    const record = parseJsonLine(line.line)
    const payload = payloadOf(record)
    switch (isPlainObject(record) ? record['event'] : undefined) {
      case 'log_open': {
        const { key } = payload
        if (typeof key === 'string' && key.length <= 1024) this.#signedBy = key
        // The first record of a further segment: its writer goes on.
        if (readPrevious(record)?.size !== seq) this.#end(seq)
        this.#isOpen = true
        this.#openSeq = seq
        break
      }
      case 'log_close':
        this.#isOpen = false
        this.#end(seq)
        break
      case 'log_recovered':
        this.#count('recovered', seq)
        if (typeof payload['bytes'] === 'number') this.#recoveredBytes += payload['bytes']
        break
      case 'log_pruned':
        this.#pruned.push(...prunedSegments(payload['segments']))
        // Only the last that was removed is asked for.
        this.#pruned = this.#pruned.slice(-1000)
        break
    }
  }

  /** A writer is gone: what it left open stays so. */
  #end(seq: number): void {
    if (this.#isOpen) this.#count('writers_lost', seq)
    this.#calls.abandon()
    this.#sessions.abandon()
  }
}

function payloadOf(record: unknown): Record<string, unknown> {
  const payload = isPlainObject(record) ? record['payload'] : undefined
  return isPlainObject(payload) ? payload : {}
}

function prunedSegments(segments: unknown): { file: string; firstSeq: number; records: number }[] {
  if (!Array.isArray(segments)) return []
  return segments.slice(0, 1000).flatMap((segment: unknown) => {
    if (!isPlainObject(segment)) return []
    const { file, first_seq: firstSeq, records } = segment
    if (typeof file !== 'string' || typeof firstSeq !== 'number' || typeof records !== 'number') return []
    return [{ file, firstSeq, records }]
  })
}
