import type { AnySession } from '../../index.js'

/** Why a call may not be made, as far as its server is concerned. */
export interface Refusal {
  /** What kind of reason it is: in the log. */
  readonly code: 'not_declared' | 'not_usable' | 'not_accepted' | 'server_schema' | 'other_server'
  /** For the model. */
  readonly text: string
}

/** A call that the other end of a governed transport answers. */
export interface ForwardedCall {
  readonly session: AnySession
  /** What the server is called here. */
  readonly server: string
  /** True once it was found that nothing which the server declares is against just this input. */
  isVetted(input: unknown): boolean
  /** Whether it may be made with this input, as far as its server is concerned; `undefined` where it may. */
  vet(input: unknown, server: string | undefined): Promise<Refusal | undefined>
  /** The contract allows it with just this input: hands it on. @returns what is answered. */
  run(input: unknown, signal: AbortSignal): Promise<unknown>
}

/** The calls that are being decided or run, by their id. */
const expected = new Map<string, ForwardedCall>()

let labels = 0

/** What a call is called in the log of its session: it tells calls apart, whatever connections there are. */
export function nextLabel(server: string): string {
  labels += 1
  return `${server}/${labels}`
}

/** The call whose decision begins right now. A schema is asked before anything is waited for. */
let starting: ForwardedCall | undefined

/** Makes a call known while it is decided and run. */
export async function whileExpected<T>(
  id: string,
  call: ForwardedCall,
  dispatch: () => Promise<T>,
): Promise<T> {
  expected.set(id, call)
  try {
    starting = call
    let dispatched: Promise<T>
    try {
      dispatched = dispatch()
    } finally {
      starting = undefined
    }
    return await dispatched
  } finally {
    expected.delete(id)
  }
}

/** The call whose input is asked about, for a schema. It is there once. */
export function takeStartingCall(): ForwardedCall | undefined {
  const call = starting
  starting = undefined
  return call
}

/** The call with an id, for whoever decides on it: its session, or one that it works for. */
export function findCall(id: string | undefined): ForwardedCall | undefined {
  return id === undefined ? undefined : expected.get(id)
}
