import { LineSplitter, type SplitLine } from '../line-splitter.js'
import type { ChainReport, Fault, LogSource, Verdict } from '../verdict.js'
import { readRecord } from './record.js'

/** Bytes of the longest line, its LF included. aegrail sets no bound; what is read at once needs one. */
export const MAX_AEGRAIL_LINE_BYTES: number = 4 * 1024 * 1024

const TOO_LONG = { fault: `longer than ${MAX_AEGRAIL_LINE_BYTES} bytes`, isCut: false } as const

const NUL = 0x00
const BRACE = 0x7b
const HASH_MEMBER = '"event_hash"'

/**
 * Checks a log of the Python library aegrail (0.2.3 and later) piece by piece, in constant memory whatever
 * its size.
 *
 * Beyond what aegrail's own verifier does, every `prev_hash` is compared with the hash that was *recomputed*,
 * and a record is refused that has a member twice, a member too many, or one too few. Blank lines, CRLF and
 * another spelling of the same JSON are no faults: they are not what aegrail's hash covers.
 *
 * `UNANCHORED` is the best a log of aegrail can get, because it is never signed. `seq` of a fault counts
 * records, not lines. `CRASH_DAMAGED` means that the last record, and nothing else, is cut.
 *
 * @example
 * const verifier = new AegrailVerifier()
 * for await (const chunk of stream) verifier.push(chunk)
 * const { verdict, size, head } = verifier.finish()
 * @see docs/aegrail.md
 */
export class AegrailVerifier {
  readonly #lines = new LineSplitter(MAX_AEGRAIL_LINE_BYTES)
  #bytes = 0
  #size = 0
  #head: string | undefined
  #fault: Fault | undefined
  #verdict: Verdict | undefined

  /** Takes the next bytes of the log, cut anywhere. */
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    for (const line of this.#lines.push(chunk)) this.#judge(line)
  }

  /** Where the lines that were pushed so far first fail to hold. Once there, it does not change. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  /** The verdict on everything that was pushed. */
  finish(): ChainReport {
    const last = this.#lines.finish()
    if (last !== undefined) this.#judge(last)
    if (this.#size === 0 && this.#fault === undefined) {
      this.#verdict = 'MALFORMED'
      this.#fault = { seq: 0, offset: 0, detail: 'the log is empty' }
    }
    return Object.freeze({
      verdict: this.#verdict ?? 'UNANCHORED',
      size: this.#size,
      bytes: this.#bytes,
      head: this.#head,
      logId: undefined,
      fault: this.#fault,
    })
  }

  #judge({ offset, bytes, broken, holed }: SplitLine): void {
    if (this.#verdict === 'TAMPERED' || this.#verdict === 'MALFORMED') return
    const isTooLong = broken === 'too long'
    if (!isTooLong && isBlank(bytes)) return
    if (this.#fault !== undefined) {
      // What a crash cuts is the end. aegrail goes on after it as if nothing were missing; so does a forger.
      this.#verdict = 'TAMPERED'
      return
    }
    const reading = isTooLong ? TOO_LONG : readRecord(bytes, this.#head)
    if ('hash' in reading) {
      this.#head = reading.hash
      this.#size += 1
      return
    }
    this.#fault = { seq: this.#size, offset, detail: reading.fault }
    const isCrash = reading.isCut || holed || bytes.includes(NUL)
    if (this.#size === 0 && !looksLikeARecord(bytes, isCrash)) this.#verdict = 'MALFORMED'
    else this.#verdict = isCrash ? 'CRASH_DAMAGED' : 'TAMPERED'
  }
}

/** Checks a whole log of aegrail. @see {@link AegrailVerifier} */
export async function verifyAegrailLog(source: LogSource): Promise<ChainReport> {
  const verifier = new AegrailVerifier()
  if (source instanceof Uint8Array) verifier.push(source)
  else for await (const chunk of source) verifier.push(chunk)
  return verifier.finish()
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

/** Tells a first record that was changed from a file that is something else. */
function looksLikeARecord(line: Uint8Array, isDamaged: boolean): boolean {
  const start = line.findIndex((byte) => byte !== 0x20 && byte !== 0x09)
  return line[start] === BRACE && (isDamaged || new TextDecoder().decode(line).includes(HASH_MEMBER))
}
