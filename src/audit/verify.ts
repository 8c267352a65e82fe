import { beginsLikeALog, type LineClaims, readLine } from './line.js'
import { GENESIS, MAX_LINE_BYTES } from './record.js'

const LF = 0x0a
const NUL = 0x00
const EMPTY: Uint8Array = new Uint8Array(0)

const TOO_LONG = `longer than ${MAX_LINE_BYTES} bytes`
const CUT = 'the last line is cut: it has no LF'

/**
 * What a log turned out to be.
 *
 * - `UNANCHORED`: consistent from its first line to its last, but nothing outside the log vouches for it: a
 *   cut tail or a log rewritten as a whole looks just the same.
 * - `TAMPERED`: a hash, a link or a sequence number does not hold.
 * - `CRASH_DAMAGED`: cut or holed only past what was known to be on stable storage.
 * - `MALFORMED`: not a log.
 */
export type Verdict = 'UNANCHORED' | 'TAMPERED' | 'MALFORMED' | 'CRASH_DAMAGED'

/** The exit status of `writ verify` for each verdict. */
export const EXIT_CODES: { readonly [V in Verdict]: number } = Object.freeze({
  UNANCHORED: 1,
  TAMPERED: 2,
  MALFORMED: 6,
  CRASH_DAMAGED: 7,
})

/** Where a log first fails to hold. */
export interface Fault {
  /** Index of the line, which is the sequence number it should have. */
  readonly seq: number
  /** Byte offset of the line. */
  readonly offset: number
  readonly detail: string
}

export interface VerifyReport {
  readonly verdict: Verdict
  /** Records that hold, counted from the first up to the fault. */
  readonly size: number
  /** Bytes that were read. */
  readonly bytes: number
  /** `hash` of the last record that holds: together with `size`, what to remember elsewhere. */
  readonly head: string | undefined
  readonly logId: string | undefined
  readonly fault: Fault | undefined
}

/**
 * Checks a log piece by piece, in constant memory whatever its size.
 *
 * Every line is compared with what was *recomputed* from the bytes before it, so that one changed byte
 * breaks everything after it. The first fault decides where; what comes after it decides only between
 * damage and tampering.
 *
 * @example
 * const verifier = new LogVerifier()
 * for await (const chunk of stream) verifier.push(chunk)
 * const { verdict, size, head } = verifier.finish()
 */
export class LogVerifier {
  /** The beginning of a line whose LF has not come yet; bounded. */
  #pending: Uint8Array = EMPTY
  #lineBytes = 0
  /** Set while the rest of a line that is too long is being passed over. */
  #skipping = false
  /** Set when such a line holds a NUL. */
  #holed = false
  #bytes = 0
  #lineOffset = 0
  #line = 0
  #size = 0
  #head = GENESIS
  #logId: string | undefined
  #fault: Fault | undefined
  #verdict: Verdict | undefined

  /** Takes the next bytes of the log, cut anywhere. */
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    let start = 0
    let end = chunk.indexOf(LF)
    while (end !== -1) {
      this.#endLine(chunk.subarray(start, end))
      start = end + 1
      end = chunk.indexOf(LF, start)
    }
    this.#keep(chunk.subarray(start))
  }

  /** Where the lines that were pushed so far first fail to hold. Once there, it does not change. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  /** The verdict on everything that was pushed. */
  finish(): VerifyReport {
    if (this.#pending.length > 0) this.#judge(this.#pending, this.#skipping ? TOO_LONG : CUT)
    if (this.#bytes === 0) {
      this.#verdict = 'MALFORMED'
      this.#fault = { seq: 0, offset: 0, detail: 'the log is empty' }
    }
    return Object.freeze({
      verdict: this.#verdict ?? 'UNANCHORED',
      size: this.#size,
      bytes: this.#bytes,
      head: this.#size === 0 ? undefined : this.#head,
      logId: this.#logId,
      fault: this.#fault,
    })
  }

  #keep(rest: Uint8Array): void {
    if (rest.length === 0) return
    this.#lineBytes += rest.length
    this.#holed ||= this.#skipping && rest.includes(NUL)
    if (this.#skipping) return
    this.#pending = this.#pending.length === 0 ? rest.slice() : concat(this.#pending, rest)
    if (this.#pending.length < MAX_LINE_BYTES) return
    // Keeping only the beginning bounds the memory; the line is wrong in any case.
    this.#holed = this.#pending.includes(NUL)
    this.#pending = this.#pending.slice(0, MAX_LINE_BYTES)
    this.#skipping = true
  }

  #endLine(rest: Uint8Array): void {
    if (this.#pending.length === 0 && rest.length < MAX_LINE_BYTES) {
      this.#lineBytes = rest.length
      this.#judge(rest, undefined)
    } else {
      this.#keep(rest)
      this.#judge(this.#pending, this.#skipping ? TOO_LONG : undefined)
    }
    this.#lineOffset += this.#lineBytes + 1
    this.#line += 1
    this.#lineBytes = 0
    this.#pending = EMPTY
    this.#skipping = false
    this.#holed = false
  }

  /** @param broken what is wrong with the line whatever it says. */
  #judge(line: Uint8Array, broken: string | undefined): void {
    if (this.#verdict === 'TAMPERED' || this.#verdict === 'MALFORMED') return
    const claims = broken === undefined ? readLine(line) : undefined
    if (this.#fault !== undefined) {
      // Only a sound line can say that what is missing before it had been on stable storage.
      if (claims !== undefined && claims.hash === claims.actualHash && claims.synced >= this.#fault.seq) {
        this.#verdict = 'TAMPERED'
      }
      return
    }
    const detail = broken ?? this.#faultOf(claims)
    if (detail === undefined) {
      if (this.#size === 0) this.#logId = readLogId(line)
      this.#head = (claims as LineClaims).actualHash
      this.#size += 1
      return
    }
    this.#fault = { seq: this.#line, offset: this.#lineOffset, detail }
    // A crash cuts the last line or leaves a hole of NULs, which no record holds; anything else is a change.
    const crashed = broken === CUT || this.#holed || line.includes(NUL)
    if (this.#line === 0 && !beginsLikeALog(line)) this.#verdict = 'MALFORMED'
    else this.#verdict = crashed ? 'CRASH_DAMAGED' : 'TAMPERED'
  }

  #faultOf(claims: LineClaims | undefined): string | undefined {
    if (claims === undefined) return 'not a record'
    if (claims.actualHash !== claims.hash) return 'its hash does not match its bytes'
    if (claims.seq !== this.#line) return `its seq is ${claims.seq}`
    if (claims.prevHash !== this.#head) return 'its prev_hash is not the hash of the line before'
    if (claims.synced >= claims.seq)
      return `it says that record ${claims.synced} was on stable storage before it was written`
    return undefined
  }
}

/** Bytes of a log, whole or in pieces cut anywhere. */
export type LogSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Checks a whole log. @see {@link LogVerifier} */
export async function verifyLog(source: LogSource): Promise<VerifyReport> {
  const verifier = new LogVerifier()
  if (source instanceof Uint8Array) verifier.push(source)
  else for await (const chunk of source) verifier.push(chunk)
  return verifier.finish()
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}

function readLogId(line: Uint8Array): string | undefined {
  try {
    const { log_id } = JSON.parse(new TextDecoder().decode(line)) as { log_id?: unknown }
    return typeof log_id === 'string' ? log_id : undefined
  } catch {
    return undefined
  }
}
