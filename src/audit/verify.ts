import { latin1 } from '../core/byte-text.js'
import { isPlainObject } from '../core/guards.js'
import { type ChainState, checkpointsOf, conclude, findingsOf } from './conclude.js'
import { TS_LENGTH } from './envelope.js'
import { Expectations, type Reached } from './expectation.js'
import type { Finding } from './finding.js'
import { Findings } from './findings.js'
import { parseJsonLine } from './json-line.js'
import { beginsLikeALog, ChainEnd, isLostPage, LineReader } from './line.js'
import { LineSplitter, type SplitLine } from './line-splitter.js'
import type { LinesAhead } from './lines-ahead.js'
import { CompactTree } from './merkle/compact-tree.js'
import { MAX_LINE_BYTES } from './record.js'
import { type PreviousSegment, readPrevious } from './segment.js'
import { prepareTrust, type Trust, type VerifyOptions } from './trust.js'
import type { Fault, LogSource, VerifyReport } from './verdict.js'

const NUL = 0x00

const BROKEN = {
  'too long': `longer than ${MAX_LINE_BYTES} bytes`,
  cut: 'the last line is cut: it has no LF',
} as const

const NO_TRUST: Trust = Object.freeze({
  expected: [],
  findings: [],
  isForged: false,
  hasCheckpoints: false,
  require: 'signed',
})

/**
 * Checks a log piece by piece, in constant memory whatever its size.
 *
 * Every line is compared with what was *recomputed* from the bytes before it, so that one changed byte
 * breaks everything after it. The first fault decides where; what comes after it decides only between
 * damage and tampering. What the log is expected to be at some size is compared on the way.
 *
 * A log of several segments is pushed as one, the oldest first. One that begins later than at record 0 has to
 * begin with a record that says what was before it.
 *
 * @example
 * const verifier = new LogVerifier(await prepareTrust({ keys, checkpoints }))
 * for await (const chunk of stream) verifier.push(chunk)
 * const { verdict, size, head } = verifier.finish()
 */
export class LogVerifier {
  readonly #trust: Trust
  readonly #lines = new LineSplitter(MAX_LINE_BYTES)
  readonly #line = new LineReader()
  readonly #findings = new Findings()
  readonly #expected: Expectations
  readonly #keepsTree: boolean
  readonly #take = this.#judge.bind(this)
  #head = new ChainEnd()
  #tree: CompactTree | undefined
  #chunk: Uint8Array | undefined
  #bytes = 0
  #first = 0
  #size = 0
  #logId: string | undefined
  #previous: PreviousSegment | undefined
  #fault: Fault | undefined
  #verdict: ChainState['verdict']
  /** Time of the oldest record that nothing covers, once there is one. */
  #since: string | undefined
  #isCovered = false

  /**
   * @param trust what the log is expected to be; nothing when absent.
   * @param options `tree`: keep the Merkle tree, also where nothing expected needs it.
   */
  constructor(trust: Partial<Trust> = {}, options: { readonly tree?: boolean } = {}) {
    this.#trust = { ...NO_TRUST, ...trust }
    this.#expected = new Expectations(this.#trust.expected)
    this.#keepsTree = options.tree === true
    if (this.#keepsTree || this.#expected.needsTree(1)) this.#tree = new CompactTree()
  }

  /**
   * Takes the next bytes of the log, cut anywhere.
   *
   * @param ahead what another thread knows of the lines in them already. It is believed.
   */
  push(chunk: Uint8Array, ahead?: LinesAhead): void {
    this.#bytes += chunk.length
    this.#chunk = chunk
    this.#line.expect(chunk, ahead)
    this.#lines.scan(chunk, this.#take)
    this.#head.keep()
  }

  /** Where the lines that were pushed so far first fail to hold. Once there, it does not change. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  /** The tree over the records that hold, where it was asked for and its beginning is known. */
  get tree(): CompactTree | undefined {
    return this.#keepsTree ? this.#tree : undefined
  }

  /** The verdict on everything that was pushed. */
  finish(): VerifyReport {
    const last = this.#lines.finish()
    if (last !== undefined) this.#judge(last.bytes, 0, last.bytes.length, last.broken, last.holed)
    const isEmpty = this.#bytes === 0
    if (isEmpty) this.#fault = { seq: 0, offset: 0, detail: 'the log is empty' }
    const size = this.#size
    const first = this.#first
    const judged = this.#expected.finish(this.#findings.lastTs)
    const chain = { verdict: this.#verdict, fault: this.#fault, isEmpty, first, size }
    const concluded = conclude(chain, judged, this.#trust)
    const records = size - Math.max(first, concluded.covered)
    return Object.freeze({
      ...concluded,
      size,
      bytes: this.#bytes,
      head: size === first ? undefined : this.#head.toString(),
      logId: this.#logId,
      fault: this.#fault,
      first,
      uncovered: Object.freeze({ records, since: records === 0 ? undefined : this.#since }),
      checkpoints: checkpointsOf(judged),
      findings: Object.freeze([
        ...this.#segmentFindings(),
        ...this.#trust.findings,
        ...findingsOf(judged),
        ...this.#findings.finish(),
      ]),
    })
  }

  #judge(bytes: Uint8Array, start: number, end: number, broken: SplitLine['broken'], holed: boolean): void {
    if (this.#verdict === 'TAMPERED' || this.#verdict === 'MALFORMED') return
    const line = this.#line
    const isRecord = broken === undefined && line.read(bytes, start, end)
    if (this.#fault !== undefined) {
      // Only a sound line can say that what is missing before it had been on stable storage.
      if (isRecord && line.synced >= this.#fault.seq && line.hasHashes() && line.isSealed()) {
        this.#verdict = 'TAMPERED'
      }
      return
    }
    if (isRecord && this.#size === 0 && line.seq > 0 && line.isSealed()) this.#continue()
    if (isRecord && this.#holds()) {
      this.#accept()
      return
    }
    const seq = this.#size
    const detail = broken === undefined ? this.#detail(isRecord) : BROKEN[broken]
    this.#fault = { seq, offset: this.#lines.offset, detail }
    const found = bytes.subarray(start, end)
    // A crash cuts the last line or leaves a hole of NULs, which no record holds; anything else is a change.
    const crashed = broken === 'cut' || holed || found.includes(NUL)
    if (seq === this.#first && !beginsLikeALog(found) && !isLostPage(found, broken === 'cut'))
      this.#verdict = 'MALFORMED'
    else this.#verdict = crashed ? 'CRASH_DAMAGED' : 'TAMPERED'
  }

  #holds(): boolean {
    const line = this.#line
    return line.seq === this.#size && line.synced < line.seq && line.follows(this.#head) && line.isSealed()
  }

  /** What is wrong with a line that does not hold. */
  #detail(isRecord: boolean): string {
    const line = this.#line
    if (!isRecord || !line.hasHashes()) return 'not a record'
    if (!line.isSealed()) return 'its hash does not match its bytes'
    if (line.seq !== this.#size) return `its seq is ${line.seq}`
    if (!line.follows(this.#head)) return 'its prev_hash is not the hash of the line before'
    return `it says that record ${line.synced} was on stable storage before it was written`
  }

  #accept(): void {
    const line = this.#line
    const seq = this.#size
    line.becomes(this.#head)
    // What a line was put together in serves the next one as well.
    if (line.bytes !== this.#chunk) this.#head.keep()
    if (seq === this.#first) this.#begin()
    this.#size = seq + 1
    this.#findings.observe(line)
    if (this.#tree !== undefined && (this.#keepsTree || this.#expected.needsTree(seq + 1))) {
      this.#tree.append(line.leafHash())
    }
    if (!this.#isCovered) {
      this.#isCovered = true
      this.#since = this.#readTs()
    }
    if (this.#size === this.#expected.next) this.#reach()
  }

  /** The first record of a segment, where it says that there were others before it. */
  #continue(): void {
    const line = this.#line
    const previous = readPrevious(parseJsonLine(line.line))
    if (previous?.size !== line.seq || previous.hash !== line.prevHash) return
    this.#previous = previous
    this.#first = this.#size = previous.size
    this.#head = new ChainEnd(previous.hash)
    if (this.#tree !== undefined) this.#tree = previous.tree
    this.#expected.begin(previous.size, { hash: previous.hash, tree: previous.tree, ts: undefined })
  }

  #begin(): void {
    const record = parseJsonLine(this.#line.line)
    const logId = isPlainObject(record) ? record['log_id'] : undefined
    if (typeof logId === 'string') this.#logId = logId
  }

  #reach(): void {
    const reached: Reached = { hash: this.#head.toString(), tree: this.#tree, ts: this.#readTs() }
    // Whatever comes next is the oldest that this does not cover.
    if (this.#expected.reach(reached)) this.#isCovered = false
  }

  #readTs(): string | undefined {
    const { ts } = this.#findings.envelope
    return ts < 0 ? undefined : latin1(this.#line.bytes, ts, ts + TS_LENGTH)
  }

  #segmentFindings(): Finding[] {
    const { signedBy } = this.#findings
    const found: Finding[] = []
    if (this.#previous !== undefined) {
      const { file, size } = this.#previous
      const why = this.#findings.isPruned(file, size)
        ? 'the log says that it was removed by its own rule'
        : 'nothing in the log says that it was removed'
      const detail = `the segment ${file}, which ends at record ${size - 1}, is not there: ${why}`
      found.push({ kind: 'segment_missing', count: 1, seq: size, detail })
    }
    if (signedBy !== undefined && !this.#trust.hasCheckpoints) {
      const detail = `the log says that it is signed by ${signedBy}, and no checkpoint was found beside it`
      found.push({ kind: 'checkpoint_missing', count: 1, detail })
    }
    return found.map((finding) => Object.freeze(finding))
  }
}

/**
 * Checks a whole log, with whatever vouches for it.
 *
 * @param source the bytes of the log; of several segments one after the other, the oldest first.
 * @throws TypeError or RangeError when an option is unknown or not what it should be.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
 * @example
 * const report = await verifyLog(bytes, { keys: [VerifierKey.parse(text)], checkpoints: [sidecar] })
 * if (report.verdict === 'VALID') console.log(report.covered, report.uncovered.records)
 * @see {@link LogVerifier}
 */
export async function verifyLog(source: LogSource, options?: VerifyOptions): Promise<VerifyReport> {
  const verifier = new LogVerifier(await prepareTrust(options))
  if (source instanceof Uint8Array) verifier.push(source)
  else for await (const chunk of source) verifier.push(chunk)
  return verifier.finish()
}
