import { readCount } from '../../core/guards.js'
import { utf8Length } from '../../core/utf8.js'
import { HASH_BYTES, readHash } from '../merkle/hash.js'
import { MAX_PROOF_HASHES } from '../merkle/verify-proof.js'
import { decodeBase64, encodeBase64 } from '../note/base64.js'
import { parseDecimal } from '../note/decimal.js'
import { decodeText, forbiddenIn, MAX_NOTE_BYTES } from '../note/note-text.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'

const HEADER = 'c2sp.org/tlog-proof@v1'
const EXTRA = 'extra '
const INDEX = 'index '

/** That one entry is in a log, for somebody who has neither the log nor a connection. */
export interface TlogProof {
  /** Index of the entry, from 0: the record's `seq`. */
  readonly index: number
  /** The inclusion proof: hashes of 32 bytes, from the leaf's sibling to the root's child, at most 63. */
  readonly hashes: readonly Uint8Array[]
  /** The checkpoint, as the signed note that it is, byte for byte. */
  readonly checkpoint: string
  /** Whatever the application put there. Nothing authenticates it: MUST NOT be believed. */
  readonly extra?: Uint8Array
}

/**
 * Reads a proof, and believes nothing of it: for that there is `verifyRecordProof`.
 *
 * @param proof at most 1 MiB.
 * @returns the proof, its checkpoint not yet read, or `malformed`.
 * @see C2SP tlog-proof, "Format"
 */
export function parseTlogProof(proof: string | Uint8Array): Outcome<TlogProof> {
  const decoded = decodeText('tlog-proof', proof)
  if (!decoded.ok) return decoded
  const text = decoded.value
  const blank = text.indexOf('\n\n')
  if (blank === -1) return malformed('no empty line before a checkpoint')
  const [header, ...lines] = text.slice(0, blank).split('\n', MAX_PROOF_HASHES + 4)
  if (header !== HEADER) return malformed(`its first line is not ${HEADER}`)

  let extra: Uint8Array | undefined
  if (lines[0]?.startsWith(EXTRA)) {
    extra = decodeBase64((lines.shift() as string).slice(EXTRA.length))
    if (extra === undefined) return malformed('its extra line holds no canonical base64')
  }
  const indexLine = lines.shift()
  if (!indexLine?.startsWith(INDEX)) return malformed('it has no index line')
  const index = parseDecimal(indexLine.slice(INDEX.length))
  if (index === undefined) return malformed('its index line holds no index from 0 to 2^53 − 1')

  if (lines.length > MAX_PROOF_HASHES) return malformed(`more than ${MAX_PROOF_HASHES} hashes`)
  const hashes: Uint8Array[] = []
  for (const line of lines) {
    const hash = decodeBase64(line)
    if (hash?.length !== HASH_BYTES) {
      return malformed(`hash ${hashes.length + 1} is no base64 of ${HASH_BYTES} bytes`)
    }
    hashes.push(hash)
  }
  const read = { index, hashes: Object.freeze(hashes), checkpoint: text.slice(blank + 2) }
  return accept(Object.freeze(extra === undefined ? read : { ...read, extra }))
}

const malformed = (detail: string): Outcome<never> => refuse('malformed', `not a tlog-proof: ${detail}`)

/**
 * Writes a proof, to be kept in a file that ends in `.tlog-proof`; {@link parseTlogProof} reads the same back.
 *
 * @throws TypeError when the checkpoint holds what no note does or a hash is not 32 bytes, RangeError for an
 * index that is no count, more than 63 hashes or more than 1 MiB.
 * @see C2SP tlog-proof, "Format"
 */
export function formatTlogProof(proof: TlogProof): string {
  const { index, hashes, checkpoint, extra } = proof
  const forbidden = forbiddenIn(checkpoint)
  if (forbidden !== undefined) throw new TypeError(`checkpoint: ${forbidden}`)
  if (hashes.length > MAX_PROOF_HASHES) throw new RangeError(`a proof has at most ${MAX_PROOF_HASHES} hashes`)
  const lines = [HEADER]
  if (extra !== undefined) lines.push(`${EXTRA}${encodeBase64(extra)}`)
  lines.push(`${INDEX}${readCount('index', index)}`)
  for (const hash of hashes) lines.push(encodeBase64(readHash('proof hash', hash)))
  const whole = `${lines.join('\n')}\n\n${checkpoint}`
  if (utf8Length(whole) > MAX_NOTE_BYTES) throw new RangeError(`a proof has at most ${MAX_NOTE_BYTES} bytes`)
  return whole
}
