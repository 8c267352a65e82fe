import { beginsLikeALog, type LineClaims, readLine } from './line.js'
import { LineSplitter, type SplitLine } from './line-splitter.js'
import { GENESIS, MAX_LINE_BYTES } from './record.js'
import type { Fault, LogSource, Verdict, VerifyReport } from './verdict.js'

const NUL = 0x00

const BROKEN = {
  'too long': `longer than ${MAX_LINE_BYTES} bytes`,
  cut: 'the last line is cut: it has no LF',
} as const

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
  readonly #lines = new LineSplitter(MAX_LINE_BYTES)
  #bytes = 0
  #size = 0
  #head = GENESIS
  #logId: string | undefined
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
  finish(): VerifyReport {
    const last = this.#lines.finish()
    if (last !== undefined) this.#judge(last)
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

  #judge({ index, offset, bytes, broken, holed }: SplitLine): void {
    if (this.#verdict === 'TAMPERED' || this.#verdict === 'MALFORMED') return
    const claims = broken === undefined ? readLine(bytes) : undefined
    if (this.#fault !== undefined) {
      // Only a sound line can say that what is missing before it had been on stable storage.
      if (claims !== undefined && claims.hash === claims.actualHash && claims.synced >= this.#fault.seq) {
        this.#verdict = 'TAMPERED'
      }
      return
    }
    const detail = broken === undefined ? this.#faultOf(claims, index) : BROKEN[broken]
    if (detail === undefined) {
      if (this.#size === 0) this.#logId = readLogId(bytes)
      this.#head = (claims as LineClaims).actualHash
      this.#size += 1
      return
    }
    this.#fault = { seq: index, offset, detail }
    // A crash cuts the last line or leaves a hole of NULs, which no record holds; anything else is a change.
    const crashed = broken === 'cut' || holed || bytes.includes(NUL)
    if (index === 0 && !beginsLikeALog(bytes)) this.#verdict = 'MALFORMED'
    else this.#verdict = crashed ? 'CRASH_DAMAGED' : 'TAMPERED'
  }

  #faultOf(claims: LineClaims | undefined, index: number): string | undefined {
    if (claims === undefined) return 'not a record'
    if (claims.actualHash !== claims.hash) return 'its hash does not match its bytes'
    if (claims.seq !== index) return `its seq is ${claims.seq}`
    if (claims.prevHash !== this.#head) return 'its prev_hash is not the hash of the line before'
    if (claims.synced >= claims.seq)
      return `it says that record ${claims.synced} was on stable storage before it was written`
    return undefined
  }
}

/** Checks a whole log. @see {@link LogVerifier} */
export async function verifyLog(source: LogSource): Promise<VerifyReport> {
  const verifier = new LogVerifier()
  if (source instanceof Uint8Array) verifier.push(source)
  else for await (const chunk of source) verifier.push(chunk)
  return verifier.finish()
}

function readLogId(line: Uint8Array): string | undefined {
  try {
    const { log_id } = JSON.parse(new TextDecoder().decode(line)) as { log_id?: unknown }
    return typeof log_id === 'string' ? log_id : undefined
  } catch {
    return undefined
  }
}
