import type { AnySession, DispatchResult, Session } from '../../index.js'
import { whileExpected } from './forwarded-call.js'
import { isMcpTool } from './probe.js'

/** Asks the contract for something that is not handed on here: counted, approved and recorded as a call is. */
export async function permitted(
  session: AnySession,
  call: { readonly id: string; readonly name: string; readonly input: unknown; readonly server: string },
  signal: AbortSignal,
): Promise<DispatchResult> {
  const { id, input, server } = call
  const name = (await isMcpTool(session, call.name)) ? call.name : `mcp/${call.name}`
  const forwarded = {
    session,
    server,
    isVetted: () => true,
    vet: async () => undefined,
    run: async () => null,
  }
  return whileExpected(id, forwarded, () => (session as Session).dispatch({ id, name, input }, { signal }))
}

/**
 * Records that a method was refused that no tool stands for.
 *
 * @throws what ended the session.
 */
export async function recordRefused(session: AnySession | undefined, method: string): Promise<void> {
  // A name that no tool can have.
  await (session as Session | undefined)?.dispatch({ name: `mcp/${method}`, input: {} })
}
