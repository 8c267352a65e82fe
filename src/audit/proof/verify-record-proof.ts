import { LineReader } from '../line.js'
import { leafHash } from '../merkle/hash.js'
import { verifyInclusion } from '../merkle/verify-proof.js'
import { type OpenedCheckpoint, openCheckpoint, type TrustOptions } from '../note/checkpoint.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'
import { parseTlogProof } from './tlog-proof.js'

const LF = 0x0a

/** A record that is in the log of a checkpoint which the verifier's own keys vouch for. */
export interface ProvenRecord extends OpenedCheckpoint {
  /** Index of the record in that log: its `seq`. */
  readonly index: number
}

const encoder = new TextEncoder()

/**
 * Verifies that a record is in a log, with the proof, a key, and nothing else of the log.
 *
 * It says that the key's owner signed a log with exactly these bytes at that index. It says nothing of the
 * other records, nor that the log has gone on from there.
 *
 * @param proof a C2SP tlog-proof, at most 1 MiB.
 * @param line the record: the bytes of its line, with or without the LF.
 * @returns the record's index and the checkpoint, or `malformed`, `bad_signature` with the `key`,
 * `unknown_keys`, `other_origin` or `not_included`.
 * @throws TypeError when an option is unknown, or `keys` or `origin` is not what it should be; see `openNote`.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
 * @example
 * const proven = await verifyRecordProof(proof, line, { keys: [VerifierKey.parse(text)] })
 * if (proven.ok) console.log(`record ${proven.value.index} of ${proven.value.checkpoint.origin}`)
 * @see C2SP tlog-proof; RFC 9162, section 2.1.3.2
 */
export async function verifyRecordProof(
  proof: string | Uint8Array,
  line: string | Uint8Array,
  trust: TrustOptions,
): Promise<Outcome<ProvenRecord>> {
  const parsed = parseTlogProof(proof)
  if (!parsed.ok) return parsed
  const { index, hashes, checkpoint: note } = parsed.value
  const opened = await openCheckpoint(note, trust)
  if (!opened.ok) return opened
  const { checkpoint } = opened.value

  const bytes = withoutLf(typeof line === 'string' ? encoder.encode(line) : line)
  const record = new LineReader()
  if (!record.read(bytes, 0, bytes.length) || !record.hasHashes()) {
    return refuse('malformed', 'not a record: the line has not the shape of one')
  }
  const { size, root } = checkpoint
  if (!verifyInclusion({ leafHash: leafHash(bytes), index, size, root, proof: hashes })) {
    return refuse('not_included', `the record is not record ${index} of the ${size} that were signed`)
  }
  // Whoever holds the key can sign any leaves: a record is one only where it says that it is.
  if (record.seq !== index || !record.isSealed()) {
    return refuse('not_included', `what was signed as record ${index} is not a sound record of that number`)
  }
  return accept(Object.freeze({ ...opened.value, index }))
}

function withoutLf(line: Uint8Array): Uint8Array {
  return line[line.length - 1] === LF ? line.subarray(0, -1) : line
}
