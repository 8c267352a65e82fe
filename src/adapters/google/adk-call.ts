import type { BasePlugin, Context } from '@google/adk'
import type { AnySession, Session } from '../../index.js'
import { RunningCalls } from '../metered/running-calls.js'
import type { AdkTool } from './adk-shapes.js'

/** What a tool of the ADK is handed beside its input, and the plugin that its call went through, if one did. */
export interface AdkCall {
  /** The name under which the tool is registered. */
  readonly name: string
  readonly toolContext: Context
  readonly plugin?: BasePlugin
}

/** The calls that runs make. */
export const runningCalls: RunningCalls<AdkCall> = new RunningCalls()

/** The name under which a tool is registered: the ADK takes capitals, and the registry does not. */
export const registeredName = ({ name }: Pick<AdkTool, 'name'>): string => name.toLowerCase()

/**
 * Calls the tool of this name that the session may call.
 *
 * @returns what the model is to read: of a denial, why.
 * @throws what ended the session.
 */
export async function callThrough(
  session: AnySession,
  tool: AdkTool,
  input: Record<string, unknown>,
  call: Omit<AdkCall, 'name'>,
): Promise<unknown> {
  const { functionCallId: id, abortSignal: signal } = call.toolContext
  const name = registeredName(tool)
  const forget = id === undefined ? undefined : runningCalls.note(session, id, { ...call, name })
  try {
    const result = await (session as Session).dispatch(
      { ...(id === undefined ? {} : { id }), name, input },
      signal === undefined ? {} : { signal },
    )
    return result.ok ? result.output : { error: result.denial }
  } finally {
    forget?.()
  }
}
