/**
 * Why a note, a checkpoint or a proof shows nothing.
 *
 * - `malformed`: not in the format, or beyond its limits.
 * - `unknown_keys`: signed by none of the keys that were given, so nobody known vouches for it.
 * - `bad_signature`: it bears the name and id of a key that was given, which never signed this text.
 * - `other_origin`: a checkpoint of another log.
 * - `not_included`: the record is not at that index of the tree that the checkpoint is of.
 * - `not_opened`: a disclosed value that does not open a commitment of the record.
 */
export type RefusalReason =
  | 'malformed'
  | 'unknown_keys'
  | 'bad_signature'
  | 'other_origin'
  | 'not_included'
  | 'not_opened'

/** What is wrong, in terms of the verifier: nothing of it is quoted from an untrusted text. */
export interface Refusal {
  readonly reason: RefusalReason
  /** For a reader; one line. */
  readonly detail: string
  /** For `bad_signature`: the key, as `name+id`. */
  readonly key?: string
}

/** Either what was read or verified, or why it was refused. Bad evidence is a value, and never thrown. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal }

export function accept<T>(value: T): Outcome<T> {
  return Object.freeze({ ok: true, value })
}

/** An {@link Outcome} of any type, since it has no value. */
export function refuse(reason: RefusalReason, detail: string, key?: string): Outcome<never> {
  const refusal = key === undefined ? { reason, detail } : { reason, detail, key }
  return Object.freeze({ ok: false, refusal: Object.freeze(refusal) })
}
