import { describe } from '../../core/describe.js'
import { readCount, readOptions } from '../../core/guards.js'
import { quote } from '../../core/json-text.js'
import { emptyRoot, HASH_BYTES, readHash, sameHash } from '../merkle/hash.js'
import { decodeBase64, encodeBase64 } from './base64.js'
import { parseDecimal } from './decimal.js'
import { forbiddenIn } from './note-text.js'
import { type OpenedNote, openNote } from './open-note.js'
import { accept, type Outcome, refuse } from './outcome.js'
import type { VerifierKey } from './verifier-key.js'

/** The head of a log: what it was when it had `size` records. */
export interface Checkpoint {
  /** The log's own name: one line, not empty. */
  readonly origin: string
  /** Records, from 0 to 2^53 − 1. */
  readonly size: number
  /** The root of the Merkle tree over them, 32 bytes. */
  readonly root: Uint8Array
  /** Further lines, which nothing interprets. */
  readonly extensions?: readonly string[]
}

/** A checkpoint that the verifier's own keys vouch for. */
export interface OpenedCheckpoint extends OpenedNote {
  readonly checkpoint: Checkpoint
}

/** Whom a verifier believes, about which log. */
export interface TrustOptions {
  /** The verifier's own keys. */
  readonly keys: readonly VerifierKey[]
  /**
   * The log it must be of. Default: a log that one of the keys that signed is named after, so that the key
   * of one log, or of a witness, does not vouch for a checkpoint of another.
   */
  readonly origin?: string
}

/**
 * Reads the text of a note as a checkpoint, and believes nothing of it: for that there is
 * {@link openCheckpoint}.
 *
 * @param text the note's text, its last LF included.
 * @returns the checkpoint, or `malformed`: also for a size of 2^53 and more, which the format allows.
 * @see C2SP tlog-checkpoint, "Note text"
 */
export function parseCheckpoint(text: string): Outcome<Checkpoint> {
  const forbidden = forbiddenIn(text)
  if (forbidden !== undefined) return malformed(forbidden)
  if (!text.endsWith('\n')) return malformed('its last line is cut: it has no LF')
  const [origin, decimal, base64, ...extensions] = text.slice(0, -1).split('\n')
  if (origin === undefined || decimal === undefined || base64 === undefined) {
    return malformed('it has fewer than three lines')
  }
  if (origin === '' || extensions.includes('')) return malformed('it has an empty line')
  const size = parseDecimal(decimal)
  if (size === undefined) return malformed('line 2 is no size from 0 to 2^53 − 1')
  const root = decodeBase64(base64)
  if (root?.length !== HASH_BYTES) return malformed(`line 3 is no base64 of ${HASH_BYTES} bytes`)
  if (size === 0 && !sameHash(root, emptyRoot())) return malformed('its root is not that of an empty tree')
  return accept(Object.freeze({ origin, size, root, extensions: Object.freeze(extensions) }))
}

const malformed = (detail: string): Outcome<never> => refuse('malformed', `not a checkpoint: ${detail}`)

/**
 * The text of a checkpoint, for a note to sign; {@link parseCheckpoint} reads the same back.
 *
 * @throws TypeError or RangeError when the origin is no line of text, the size no count or the root not 32 bytes.
 * @example
 * formatCheckpoint({ origin: 'example.com/log', size: tree.size, root: tree.root() })
 * @see C2SP tlog-checkpoint, "Note text"
 */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions = [] } = checkpoint
  readHash('checkpoint.root', root)
  const lines = [origin, String(readCount('checkpoint.size', size)), encodeBase64(root), ...extensions]
  for (const line of lines) {
    if (typeof line !== 'string' || line === '' || line.includes('\n') || forbiddenIn(line) !== undefined) {
      throw new TypeError(`checkpoint: expected a line of text, got ${describe(line)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/**
 * Reads a checkpoint and verifies it: that one of the verifier's own keys signed it, and of which log it is.
 *
 * @param note the signed note.
 * @returns the checkpoint, or `malformed`, `bad_signature` with the `key`, `unknown_keys` or `other_origin`.
 * @throws TypeError when an option is unknown, or `keys` or `origin` is not what it should be; see `openNote`.
 * @throws {@link RuntimeUnsupported} (ERR_RUNTIME_UNSUPPORTED) where there is no Ed25519.
 * @example
 * const opened = await openCheckpoint(bytes, { keys: [VerifierKey.parse(text)] })
 * if (opened.ok) console.log(opened.value.checkpoint.size)
 * @see C2SP tlog-checkpoint
 */
export async function openCheckpoint(
  note: string | Uint8Array,
  trust: TrustOptions,
): Promise<Outcome<OpenedCheckpoint>> {
  const { keys, origin } = readOptions('trust', trust, ['keys', 'origin'])
  if (origin !== undefined && typeof origin !== 'string') {
    throw new TypeError(`origin: expected a string, got ${describe(origin)}`)
  }
  const opened = await openNote(note, keys as readonly VerifierKey[])
  if (!opened.ok) return opened
  const parsed = parseCheckpoint(opened.value.text)
  if (!parsed.ok) return parsed
  const checkpoint = parsed.value
  const isOfLog =
    origin === undefined
      ? opened.value.signedBy.some((key) => key.name === checkpoint.origin)
      : origin === checkpoint.origin
  if (!isOfLog) {
    const expected = origin === undefined ? 'the log that the key is named after' : quote(origin)
    return refuse('other_origin', `the checkpoint is not of ${expected}`)
  }
  return accept(Object.freeze({ ...opened.value, checkpoint }))
}
