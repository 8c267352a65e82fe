import type { AnySession, DispatchResult, Session } from '../../index.js'
import { denialAnswer, failureAnswer } from './answers.js'
import { nextLabel, whileExpected } from './forwarded-call.js'
import { isMembers, type Members, type RequestId } from './json-rpc.js'
import { isMcpTool } from './probe.js'
import type { JsonRpcMessage } from './transport.js'

/** Asks the contract for something that is not handed on here: counted, approved and recorded as a call is. */
export async function permitted(
  session: AnySession,
  call: { readonly id: string; readonly name: string; readonly input: unknown; readonly server: string },
  signal?: AbortSignal,
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
  return whileExpected(id, forwarded, () =>
    (session as Session).dispatch({ id, name, input }, signal === undefined ? {} : { signal }),
  )
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

/**
 * Why somebody may not listen to what a request names: to be told of a resource is to subscribe to it.
 *
 * @param tool the tool that stands for subscribing.
 * @returns makes the answer; `undefined` where the contract allows it.
 */
export async function refusalOfListening(
  { notifications }: Members,
  server: string,
  tool: string | undefined,
  session: () => AnySession | undefined,
): Promise<((id: RequestId) => JsonRpcMessage) | undefined> {
  const named = isMembers(notifications) ? (notifications['resourceSubscriptions'] ?? []) : []
  try {
    for (const uri of Array.isArray(named) ? named : [named]) {
      const asked = session()
      if (asked === undefined) return undefined
      const given = await permitted(asked, {
        id: nextLabel(server),
        name: tool ?? 'mcp/resources/subscribe',
        input: { uri },
        server,
      })
      if (!given.ok) return (id) => denialAnswer(id, given.denial, given.denial.message)
    }
  } catch (error) {
    return (id) => failureAnswer(id, error)
  }
  return undefined
}
