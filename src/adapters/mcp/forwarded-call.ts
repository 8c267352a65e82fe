import type { AnySession } from '../../index.js'

/** A call that the other end of a governed transport answers. */
export interface ForwardedCall {
  /** Why it may not be made with this input, as far as its server is concerned; `undefined` where it may. */
  refusalOf(input: unknown): Promise<string | undefined>
  /** The contract allows it with just this input: hands it on. @returns what is answered. */
  run(input: unknown, signal: AbortSignal): Promise<unknown>
}

/** The calls that are being decided or run, by the session and their id in it. */
const expected = new WeakMap<AnySession, Map<string, ForwardedCall>>()

/** Says who runs a call. @returns takes that back. */
export function expectCall(session: AnySession, id: string, call: ForwardedCall): () => void {
  const calls = expected.get(session) ?? new Map<string, ForwardedCall>()
  expected.set(session, calls)
  calls.set(id, call)
  return () => calls.delete(id)
}

export function findCall(session: AnySession, id: string | undefined): ForwardedCall | undefined {
  return id === undefined ? undefined : expected.get(session)?.get(id)
}
