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

/** Bytes of a log, whole or in pieces cut anywhere. */
export type LogSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>
