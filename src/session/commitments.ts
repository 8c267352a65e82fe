import { readScopeKey, type ScopeKey } from '../audit/scope/scope-key.js'
import { commitmentTo, recordKey } from '../core/commitment.js'
import type { PlainData } from '../core/json.js'
import { type JsonPointer, valueAt } from '../core/json-pointer.js'
import { omitted, quote } from '../core/json-text.js'
import { utf8Length } from '../core/utf8.js'
import type { SessionCore } from './core.js'

/** Asked for once: what a session commits to can be opened with one key. */
const scopes = new WeakMap<SessionCore, ScopeKey>()

function scopeOf(core: SessionCore): ScopeKey {
  let scope = scopes.get(core)
  if (scope === undefined) {
    const { scopeKeys } = core.agent
    scope = readScopeKey('scopeKeys.keyFor', scopeKeys?.keyFor(core.setup.user))
    scopes.set(core, scope)
  }
  return scope
}

/**
 * The members of a record that commit to values of an input, each with its comma.
 *
 * @throws whatever `keyFor` throws, and TypeError for a key that is none or a value without canonical JSON.
 */
export function commitments(
  core: SessionCore,
  callId: string,
  pointers: readonly JsonPointer[],
  input: PlainData,
): string {
  const { id, key } = scopeOf(core)
  const members = pointers.map((pointer) => {
    const value = valueAt(input, pointer)
    const text = value === undefined ? 'null' : commitment(key, callId, pointer, value)
    return `${quote(pointer.text)}:${text}`
  })
  return `,"commitments":{${members.join(',')}},"commit_scope":"${id}"`
}

function commitment(scopeKey: Uint8Array, callId: string, { text }: JsonPointer, value: PlainData): string {
  return `"${commitmentTo(recordKey(scopeKey, callId, text), value)}"`
}

/** What stands there when they could not be made. */
export const NO_COMMITMENTS: string = `,"commitments":${omitted('commit_error')}`

/** What commitments and arguments may take of a line; everything else in it is bounded far below the rest. */
const MAX_BYTES = 60_000

/** Arguments and commitments: a `redact` that shows too much must not push the commitments out of the line. */
export function withCommitments(args: string, committed: string): string {
  const whole = args + committed
  if (whole.length <= MAX_BYTES / 3 || utf8Length(whole) <= MAX_BYTES) return whole
  return `"args":${omitted('too_large')}${committed}`
}
