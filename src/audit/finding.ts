/**
 * What a verifier noticed beside its verdict.
 *
 * Of what happened:
 * - `calls_open`, `sessions_open`, `log_open`: not over yet where the log is still being written to; otherwise
 *   its writer ended without closing it.
 * - `calls_in_doubt`: calls that were let run and have no result, though their writer has ended.
 * - `sessions_unended`: sessions without an end, though their writer has ended.
 * - `writers_lost`: writers that ended without closing the log.
 * - `recovered`: crash damage was set aside.
 * - `records_dropped`: records that another sink of the log lost.
 * - `clock_back`: a record is older than the one before it.
 * - `not_followed`: there was more than a verifier keeps in mind, so that the counts above are too low.
 *
 * Of what vouches for the log:
 * - `checkpoint_missing`: the log says that it is signed, and no checkpoint was found beside it.
 * - `checkpoint_cut`: the history of checkpoints ends in the middle of one, as a crash leaves it.
 * - `checkpoint_malformed`: something beside the log is no checkpoint.
 * - `checkpoint_forged`: it bears the name and id of a known key, which never signed it.
 * - `checkpoint_out_of_time`: a known key signed it outside of the time it was good for.
 * - `checkpoint_unknown_keys`, `checkpoint_other_log`: nobody known signed it, or it is of another log.
 * - `checkpoints_skipped`: there are more of them than are checked; the newest were.
 * - `unchecked`: a size that was trusted lies before the first record that is left, or needs hashes that are gone.
 * - `segment_missing`: the records before the first one are not there.
 */
export type FindingKind =
  | 'calls_open'
  | 'calls_in_doubt'
  | 'sessions_open'
  | 'sessions_unended'
  | 'log_open'
  | 'writers_lost'
  | 'recovered'
  | 'records_dropped'
  | 'clock_back'
  | 'not_followed'
  | 'checkpoint_missing'
  | 'checkpoint_cut'
  | 'checkpoint_malformed'
  | 'checkpoint_forged'
  | 'checkpoint_out_of_time'
  | 'checkpoint_unknown_keys'
  | 'checkpoint_other_log'
  | 'checkpoints_skipped'
  | 'unchecked'
  | 'segment_missing'

/** One thing that a verifier noticed. Finding nothing is no proof that there is nothing. */
export interface Finding {
  readonly kind: FindingKind
  /** How many there are; at least as many where `not_followed` says so. */
  readonly count: number
  /** Record it was first seen at. */
  readonly seq?: number
  /** Ids of the calls or sessions, at most 100. */
  readonly ids?: readonly string[]
  /** For a reader; one line. What it quotes from the log is not escaped. */
  readonly detail: string
}

/** Ids that a finding lists. */
export const MAX_FINDING_IDS = 100
