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
const encoder = new TextEncoder()

/** The bytes of the newest line up to its hash; one array serves every record, because nothing here waits. */
const bytes = new Uint8Array(MAX_LINE_BYTES)
let newest: { readonly record: SealedRecord; readonly hash: string; readonly length: number } | undefined

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
export function seal({ synced, ts, envelope, ...parts }: RecordParts): SealedRecord {
  return sealStamped({ ...parts, stamp: `"synced":${synced},"ts":"${ts}",`, session: envelope })
}

/** Parts of a record whose beginning many records share. */
export interface StampedParts extends Omit<RecordParts, 'synced' | 'ts' | 'envelope'> {
  /** `"synced":…,"ts":"…","log_id":"…",` */
  readonly stamp: string
  /** The session's members, each with its trailing comma; empty for a record of the log itself. */
  readonly session: string
}

const heads = new Map<EventName, string>()

/** What stands before the payload; one text for all records of an event. */
function headOf(event: EventName): string {
  let head = heads.get(event)
  if (head === undefined) {
    head = ['"event":"', event, '","payload":'].join('')
    heads.set(event, head)
  }
  return head
}

/** As {@link seal}. */
export function sealStamped(parts: StampedParts): SealedRecord {
  const { seq, event } = parts
  const body = `{"v":1,"seq":${seq},${parts.stamp}${parts.session}${headOf(event)}${parts.payload}${parts.budget},"prev_hash":"${parts.prevHash}"`
  const { read, written } = encoder.encodeInto(body, bytes)
  const fits = read === body.length && written + SEAL_LENGTH < bytes.length
  const hash = sha256Hex(fits ? bytes.subarray(0, written) : body)
  const record = new Sealed(seq, event, hash, `${body},"hash":"${hash}"}`)
  newest = fits ? { record, hash, length: written } : undefined
  return record
}

/**
 * The line of a record with its LF, as the very bytes that were hashed: to be copied at once. `undefined` for a
 * record that is not the last that was sealed.
 */
export function sealedBytes(record: SealedRecord): Uint8Array | undefined {
  if (newest === undefined || newest.record !== record) return undefined
  const { hash, length } = newest
  encoder.encodeInto(`,"hash":"${hash}"}\n`, bytes.subarray(length))
  return bytes.subarray(0, length + SEAL_LENGTH + 1)
}
