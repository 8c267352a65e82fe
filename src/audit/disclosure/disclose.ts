import { bytesToHex } from '@noble/hashes/utils.js'
import { recordKey } from '../../core/commitment.js'
import type { PlainData } from '../../core/json.js'
import { accept, type Outcome, refuse } from '../note/outcome.js'
import { readScopeKey, type ScopeKey } from '../scope/scope-key.js'
import { readCommittedRecord } from './committed-record.js'
import { type Disclosure, readDisclosure } from './disclosure.js'
import { open } from './verify-disclosure.js'

/**
 * Makes the disclosure of one value of a call: it can be checked with the record alone, and shows neither
 * another value nor the scope key.
 *
 * @param line the record: the bytes of its line, with or without the LF.
 * @param scope the key under which the session of the record committed.
 * @returns a disclosure that does open its commitment; or `malformed`, or `not_opened` when the value, the
 * pointer or the scope is not that of the record.
 * @throws TypeError when `scope` is no scope key.
 */
export function disclose(
  line: string | Uint8Array,
  pointer: string,
  value: PlainData,
  scope: ScopeKey,
): Outcome<Disclosure> {
  const { id, key } = readScopeKey('scope', scope)
  const record = readCommittedRecord(line)
  if (!record.ok) return record
  const { logId, seq, callId, scopeId } = record.value
  if (id !== scopeId) {
    return refuse('not_opened', 'the key is of another scope: that of the record may have been destroyed')
  }
  const opening = bytesToHex(recordKey(key, callId, pointer))
  const disclosure = readDisclosure({ v: 1, log_id: logId, seq, pointer, value, key: opening })
  if (!disclosure.ok) return disclosure
  const opened = open(record.value, disclosure.value)
  return opened.ok ? accept(disclosure.value) : opened
}
