import { hexToBytes } from '@noble/hashes/utils.js'
import { commitmentTo } from '../../core/commitment.js'
import { own } from '../../core/guards.js'
import type { PlainData } from '../../core/json.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'
import { type CommittedRecord, readCommittedRecord } from './committed-record.js'
import { type Disclosure, readDisclosure } from './disclosure.js'

/** A value that a call was made with, as a record of a log commits to it. */
export interface DisclosedValue {
  readonly logId: string
  readonly seq: number
  readonly callId: string
  readonly tool: string
  readonly pointer: string
  readonly value: PlainData
}

/**
 * Verifies that a record commits to a disclosed value, with the line of the record and nothing else.
 *
 * It says that whoever wrote the record then knew this value and put it at this place of the input. It says
 * nothing of the log that the record is from: verify that as well, or the record's proof
 * (`verifyRecordProof`).
 *
 * @param line the record: the bytes of its line, with or without the LF.
 * @returns the value and the call it is of; or `malformed` for a line that is no sound record and for what is
 * no disclosure, and `not_opened` for a value or a key that is not the one of that record and pointer.
 * @example
 * const disclosed = verifyDisclosure(line, JSON.parse(text))
 * if (disclosed.ok) console.log(disclosed.value.pointer, disclosed.value.value)
 * @see docs/audit-log.md, "Commitments"
 */
export function verifyDisclosure(line: string | Uint8Array, disclosure: Disclosure): Outcome<DisclosedValue> {
  const given = readDisclosure(disclosure)
  if (!given.ok) return given
  const record = readCommittedRecord(line)
  return record.ok ? open(record.value, given.value) : record
}

/** Whether a disclosure opens its commitment in a record that has been read. */
export function open(record: CommittedRecord, disclosure: Disclosure): Outcome<DisclosedValue> {
  const { logId, seq, callId, tool, commitments } = record
  const { pointer, value } = disclosure
  if (disclosure.log_id !== logId) return refuse('not_opened', 'the disclosure is of another log')
  if (disclosure.seq !== seq) {
    return refuse('not_opened', `the disclosure is of record ${disclosure.seq}, not of record ${seq}`)
  }
  const expected = own(commitments, pointer)
  if (expected === undefined) return refuse('not_opened', 'the record commits to nothing at that pointer')
  if (expected === null) return refuse('not_opened', 'the input had no value at that pointer')
  let actual: string
  try {
    actual = commitmentTo(hexToBytes(disclosure.key), value)
  } catch {
    return refuse('malformed', 'not a disclosure: its value has no canonical JSON')
  }
  if (actual !== expected) {
    return refuse('not_opened', 'the value and the key do not open the commitment of the record')
  }
  return accept(Object.freeze({ logId, seq, callId, tool, pointer, value }))
}
