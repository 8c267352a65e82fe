export { AegrailVerifier, verifyAegrailLog } from './audit/aegrail/verifier.js'
export type { CheckpointHistory } from './audit/checkpoint-history.js'
export { MAX_HISTORY_BYTES, MAX_HISTORY_NOTES, splitHistory } from './audit/checkpoint-history.js'
export { disclose } from './audit/disclosure/disclose.js'
export { type Disclosure, formatDisclosure, parseDisclosure } from './audit/disclosure/disclosure.js'
export { type DisclosedValue, verifyDisclosure } from './audit/disclosure/verify-disclosure.js'
export type { Assurance, Expectation, ExpectationOutcome, TimeSpan } from './audit/expectation.js'
export type { Finding, FindingKind } from './audit/finding.js'
export type { LinesAhead } from './audit/lines-ahead.js'
export { CompactTree, type CompactTreeState } from './audit/merkle/compact-tree.js'
export { leafHash, nodeHash } from './audit/merkle/hash.js'
export { ProofBuilder } from './audit/merkle/proof-builder.js'
export {
  type ConsistencyClaim,
  type InclusionClaim,
  MAX_PROOF_HASHES,
  verifyConsistency,
  verifyInclusion,
} from './audit/merkle/verify-proof.js'
export {
  type Checkpoint,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  type TrustOptions,
} from './audit/note/checkpoint.js'
export { MAX_NOTE_BYTES } from './audit/note/note-text.js'
export { type OpenedNote, openNote } from './audit/note/open-note.js'
export type { Outcome, Refusal, RefusalReason } from './audit/note/outcome.js'
export {
  MAX_NOTE_SIGNATURES,
  type NoteSignature,
  parseNote,
  type SignedNote,
} from './audit/note/signed-note.js'
export { VerifierKey } from './audit/note/verifier-key.js'
export { formatTlogProof, parseTlogProof, type TlogProof } from './audit/proof/tlog-proof.js'
export { type ProvenRecord, verifyRecordProof } from './audit/proof/verify-record-proof.js'
export type { ScopeKey } from './audit/scope/scope-key.js'
export { parseSegmentName, segmentName } from './audit/segment.js'
export { prepareTrust, type RememberedHead, type Trust, type VerifyOptions } from './audit/trust.js'
export { parseTrustedKeys, type TrustedKey } from './audit/trusted-key.js'
export {
  type ChainReport,
  type CheckpointReport,
  EXIT_CODES,
  type Fault,
  type LogSource,
  type Uncovered,
  type Verdict,
  type VerifyReport,
} from './audit/verdict.js'
export { LogVerifier, verifyLog } from './audit/verify.js'
