import { type AnySession, type DispatchResult, type Session, UnmeteredRequest } from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import { endOf } from '../metered/session-end.js'
import { type RunningCall, runningCalls, type SdkTool } from './running-calls.js'

/** What governing an agent can be told. */
export interface GovernAgentOptions extends SessionChoice {
  /**
   * What happens to tools that do not go through the session: those that OpenAI hosts, computers, shells and
   * patches. `refuse`, the default: {@link UnmeteredRequest}. `observe`: they stay as they are.
   */
  readonly unmetered?: 'refuse' | 'observe'
}

/** Tools whose calls go through a session, and agents as tools whose agents are governed. */
const governed = new WeakSet<object>()

export function isGovernedTool(tool: object): boolean {
  return governed.has(tool)
}

/** Says of a tool that it needs no governing: what it does is governed. */
export function markGoverned<T extends object>(tool: T): T {
  governed.add(tool)
  return tool
}

/**
 * The tool with its calls going through the session. The tool of this name that the session may call is what
 * runs: not this one, unless `fromTool` made the other of it.
 *
 * @throws TypeError for an agent as a tool that is not governed.
 * @throws {@link UnmeteredRequest} (ERR_UNMETERED_REQUEST) for a tool that is no function.
 */
export function governTool<T extends { readonly type: string; readonly name?: string }>(
  tool: T,
  options: GovernAgentOptions,
): T {
  if (governed.has(tool)) return tool
  const name = String(tool.name ?? tool.type)
  if (tool.type !== 'function') {
    if (options.unmetered === 'observe') return tool
    throw new UnmeteredRequest(`the tool ${JSON.stringify(name)} (${tool.type})`)
  }
  if (isAgentTool(tool)) {
    throw new TypeError(
      `governAgent: ${JSON.stringify(name)} is an agent as a tool, and its agent is not governed: use governAgent(agent).asTool()`,
    )
  }
  return markGoverned({ ...tool, invoke: invokeThrough(tool as unknown as SdkTool, options) })
}

/** The SDK does not say whose tool an agent's tool is; it alone has handlers of events. */
export function isAgentTool(tool: object): boolean {
  return 'on' in tool && typeof tool.on === 'function'
}

/** What the SDK calls in the place of the tool. */
export function invokeThrough(tool: SdkTool, options: SessionChoice): SdkTool['invoke'] {
  return async (runContext, input, details) => {
    const session = findSession(options)
    if (session === undefined) return tool.invoke(runContext, input, details)
    return call(session, { tool, runContext, details }, input)
  }
}

async function call(session: AnySession, running: RunningCall, input: string): Promise<unknown> {
  const { tool, details } = running
  const id = details?.toolCall?.callId
  const forget = id === undefined ? undefined : runningCalls.note(session, id, running)
  try {
    const request = {
      name: tool.name,
      input: input === '' ? '{}' : input,
      ...(id === undefined ? {} : { id }),
    }
    const signal = details?.signal
    return answer(await (session as Session).dispatch(request, signal === undefined ? {} : { signal }))
  } catch (error) {
    // The SDK wraps what a tool throws. The run ends with the error as it is, in `throwIfOver`.
    if (endOf(session) === undefined) throw error
    return `the session is over: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    forget?.()
  }
}

/** What the model reads: of a denial, why. */
function answer(result: DispatchResult): unknown {
  return result.ok ? result.output : JSON.stringify({ error: result.denial })
}
