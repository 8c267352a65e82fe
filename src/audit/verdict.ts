import type { Assurance, ExpectationOutcome } from './expectation.js'
import type { Finding } from './finding.js'

/**
 * What a log turned out to be.
 *
 * - `VALID`: it holds from its first record to its last, and a checkpoint under a key that the verifier
 *   supplied (`signed`), or what it remembered from elsewhere (`anchored`), covers it.
 * - `UNANCHORED`: consistent from its first line to its last, but nothing outside the log vouches for it: a
 *   cut tail or a log rewritten as a whole looks just the same.
 * - `TAMPERED`: a hash, a link or a sequence number does not hold.
 * - `TRUNCATED`: shorter than a size that somebody trusted vouches for.
 * - `REWRITTEN`: it holds together, and is not what it was at a size that somebody trusted vouches for.
 * - `UNTRUSTED`: a signature in the name of a known key fails, or was made outside of the key's time.
 * - `MALFORMED`: not a log.
 * - `CRASH_DAMAGED`: cut or holed only past what was known to be on stable storage.
 */
export type Verdict =
  | 'VALID'
  | 'UNANCHORED'
  | 'TAMPERED'
  | 'TRUNCATED'
  | 'REWRITTEN'
  | 'UNTRUSTED'
  | 'MALFORMED'
  | 'CRASH_DAMAGED'

/** The exit status of `writ verify` for each verdict. */
export const EXIT_CODES: { readonly [V in Verdict]: number } = Object.freeze({
  VALID: 0,
  UNANCHORED: 1,
  TAMPERED: 2,
  TRUNCATED: 3,
  REWRITTEN: 4,
  UNTRUSTED: 5,
  MALFORMED: 6,
  CRASH_DAMAGED: 7,
})

/** Where a log first fails to hold. */
export interface Fault {
  /** The sequence number that the record there should have. */
  readonly seq: number
  /** Byte offset of the line. */
  readonly offset: number
  readonly detail: string
}

/** Records that nothing outside the log vouches for. */
export interface Uncovered {
  readonly records: number
  /** Time of the oldest of them, as it says; undefined where there is none or it says none. */
  readonly since: string | undefined
}

/** A checkpoint or a head that somebody trusted vouches for, and what became of it. */
export interface CheckpointReport {
  readonly size: number
  readonly assurance: Assurance
  /** Name and id of the keys that signed it. */
  readonly keys: readonly string[]
  readonly outcome: ExpectationOutcome
  /** Why it could not be checked. */
  readonly detail?: string
}

/** What every verifier says, whatever the log is of. */
export interface ChainReport {
  readonly verdict: Verdict
  /** Records that hold, counted from the first of the log up to the fault. */
  readonly size: number
  /** Bytes that were read. */
  readonly bytes: number
  /** `hash` of the last record that holds: together with `size`, what to remember elsewhere. */
  readonly head: string | undefined
  readonly logId: string | undefined
  readonly fault: Fault | undefined
}

export interface VerifyReport extends ChainReport {
  /** What the verdict rests on, when it is `VALID`. */
  readonly assurance: Assurance | undefined
  /** The first record that was read: not 0 where older segments are not there. */
  readonly first: number
  /** Records, counted from the first of the log, that somebody trusted vouches for. */
  readonly covered: number
  /** Those of them that something remembered from elsewhere vouches for. */
  readonly anchored: number
  readonly uncovered: Uncovered
  /** Those that were verified, the largest first and at most 100; those that do not hold before the others. */
  readonly checkpoints: readonly CheckpointReport[]
  readonly findings: readonly Finding[]
}

/** Bytes of a log, whole or in pieces cut anywhere. */
export type LogSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>
