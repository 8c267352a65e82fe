import type { AnySession } from '../../index.js'
import { denialAnswer, failureAnswer } from './answers.js'
import { nextLabel } from './forwarded-call.js'
import { isMembers, type Members, type RequestId } from './json-rpc.js'
import { CallCancelled, type Lane } from './lane.js'
import { permitted } from './permission.js'
import { linkRequestSignal } from './request-signal.js'
import type { JsonRpcMessage } from './transport.js'

/** A request to be told of what happens, and who decides on it. */
export interface Listening {
  readonly id: RequestId
  readonly params: Members
  readonly extra: object | undefined
  /** What the server is called here. */
  readonly server: string
  /** The tool that stands for subscribing to a resource. */
  readonly tool: string | undefined
  /** @throws where it cannot be told whose request it is. */
  readonly session: () => AnySession | undefined
  readonly handOn: () => Promise<void>
}

/** What somebody wants to be told of; nothing of it is trusted to have a form. */
function resourcesIn({ notifications }: Members): readonly unknown[] {
  const named = isMembers(notifications) ? (notifications['resourceSubscriptions'] ?? []) : []
  return Array.isArray(named) ? named : [named]
}

/** True where the contract has to be asked: to be told of a resource is to subscribe to it. */
export const needsDecision = (params: Members): boolean => resourcesIn(params).length > 0

/** Asks the contract for each resource, and hands the request on when it allows all of them. */
export async function listen(lane: Lane, request: Listening): Promise<void> {
  const { id, extra, handOn } = request
  const cancel = new AbortController()
  // Taken while it is decided: by its id it can be cancelled, and nothing else can have that.
  lane.open.set(id, { cancel })
  const unlink = linkRequestSignal(extra, cancel)
  const refusal = await refusalOf(request, cancel.signal)
  unlink()
  lane.open.delete(id)
  // Nobody waits for the answer to what was cancelled.
  if (cancel.signal.reason instanceof CallCancelled) return
  if (refusal !== undefined) return lane.reply(refusal)
  try {
    await handOn()
  } catch (error) {
    await lane.reply(failureAnswer(id, error))
  }
}

async function refusalOf(
  { id, params, server, tool, session }: Listening,
  signal: AbortSignal,
): Promise<JsonRpcMessage | undefined> {
  try {
    for (const uri of resourcesIn(params)) {
      const asked = session()
      if (asked === undefined) return undefined
      const name = tool ?? 'mcp/resources/subscribe'
      const call = { id: nextLabel(server), name, input: { uri }, server }
      const given = await permitted(asked, call, signal)
      if (!given.ok) return denialAnswer(id, given.denial, given.denial.message)
    }
    return undefined
  } catch (error) {
    return failureAnswer(id, error)
  }
}
