import { isPlainObject, own } from '../../core/guards.js'
import { LineReader } from '../line.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'
import { MAX_LINE_BYTES } from '../record.js'

/** What a sound record says of the values that its call was made with. */
export interface CommittedRecord {
  readonly logId: string
  readonly seq: number
  readonly user: string | undefined
  readonly callId: string
  readonly tool: string
  /** Commitments by pointer; null where the input had no such value. */
  readonly commitments: Readonly<Record<string, unknown>>
  readonly scopeId: string
}

const LF = 0x0a
const encoder = new TextEncoder()

/**
 * Reads the record of a tool call that commits to values.
 *
 * @param line with or without its LF.
 * @returns `malformed` for anything but a sound record, `not_opened` for one without commitments.
 */
export function readCommittedRecord(line: string | Uint8Array): Outcome<CommittedRecord> {
  const bytes = typeof line === 'string' ? encoder.encode(line) : line
  const record = bytes[bytes.length - 1] === LF ? bytes.subarray(0, -1) : bytes
  if (record.length >= MAX_LINE_BYTES) return refuse('malformed', 'not a record: the line is too long')
  const claims = new LineReader()
  if (!claims.read(record, 0, record.length) || !claims.hasHashes()) {
    return refuse('malformed', 'not a record: the line has not the shape of one')
  }
  if (!claims.isSealed()) {
    return refuse('malformed', 'not a sound record: its hash does not match its bytes')
  }
  const members = parse(record)
  const payload = members === undefined ? undefined : own(members, 'payload')
  if (members === undefined || !isPlainObject(payload)) {
    return refuse('malformed', 'not a sound record: it is no JSON object with a payload')
  }
  const [logId, callId, tool, scopeId] = [
    own(members, 'log_id'),
    own(payload, 'call_id'),
    own(payload, 'tool'),
    own(payload, 'commit_scope'),
  ]
  const commitments = own(payload, 'commitments')
  const user = own(members, 'invoking_user')
  if (
    typeof logId !== 'string' ||
    typeof callId !== 'string' ||
    typeof tool !== 'string' ||
    typeof scopeId !== 'string' ||
    !isPlainObject(commitments)
  ) {
    return refuse('not_opened', `record ${claims.seq} commits to no value`)
  }
  return accept(
    Object.freeze({
      logId,
      seq: claims.seq,
      user: typeof user === 'string' ? user : undefined,
      callId,
      tool,
      commitments,
      scopeId,
    }),
  )
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    )
    return isPlainObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
