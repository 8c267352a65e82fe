import { sha256Hex } from '../core/digest.js'
import type { AuditRecord, EventName } from './event.js'
import type { SealedRecord } from './sink.js'

/** `prev_hash` of the first record. */
export const GENESIS: string = '0'.repeat(64)

/** Bytes of the longest line a log may hold, its LF included. */
export const MAX_LINE_BYTES = 65_535

/** Characters after the hashed part of a line: `,"hash":"` + 64 digits + `"}`. */
export const SEAL_LENGTH = 75

const parseJson = JSON.parse

class Sealed implements SealedRecord {
  readonly seq: number
  readonly event: EventName
  readonly hash: string
  readonly line: string

  constructor(seq: number, event: EventName, hash: string, line: string) {
    this.seq = seq
    this.event = event
    this.hash = hash
    this.line = line
  }

  parse(): AuditRecord {
    return parseJson(this.line) as AuditRecord
  }
}

/** Parts of a record, each already JSON text, so that what is constant is written only once. */
export interface RecordParts {
  readonly seq: number
  readonly synced: number
  readonly ts: string
  /** `"log_id":"…",` followed by the session's members, each with its trailing comma. */
  readonly envelope: string
  readonly event: EventName
  readonly payload: string
  /** `,"budget":{…}`, or nothing for a record of the log itself. */
  readonly budget: string
  readonly prevHash: string
}

/**
 * Forms a line and seals it: the hash covers every byte before it, so nothing is ever canonicalised.
 *
 * @see docs/audit-log.md, hash rule
 */
export function seal(parts: RecordParts): SealedRecord {
  const body = `{"v":1,"seq":${parts.seq},"synced":${parts.synced},"ts":"${parts.ts}",${parts.envelope}"event":"${parts.event}","payload":${parts.payload}${parts.budget},"prev_hash":"${parts.prevHash}"`
  const hash = sha256Hex(body)
  return new Sealed(parts.seq, parts.event, hash, `${body},"hash":"${hash}"}`)
}
