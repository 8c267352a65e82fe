import { ToolMessage } from '@langchain/core/messages'
import {
  type Denial,
  type DispatchResult,
  type Session,
  ToolNotPermitted,
  type ToolSet,
} from '../../index.js'
import type { ToolAnswer } from './running-calls.js'

/** A call as a model of LangChain proposes it. */
interface ToolCall {
  readonly id?: string | undefined
  readonly name: string
  readonly args: unknown
}

/**
 * Puts a call through the session.
 *
 * @throws whatever ended the session; TypeError in a synchronous one.
 */
export function dispatchCall(
  session: object,
  { id, name, args }: ToolCall,
  signal: AbortSignal | undefined,
): Promise<DispatchResult> {
  const { dispatch } = session as Partial<Session<ToolSet>>
  if (dispatch === undefined)
    throw new TypeError('LangChain needs a session: agent.session() or agent.open()')
  return (session as Session<ToolSet>).dispatch(
    // LangChain has callers whose ids are empty.
    { ...(id ? { id } : {}), name, input: args },
    signal === undefined ? {} : { signal },
  )
}

/** What a tool gave, as LangChain hands it to the model; what the tool made for LangChain stays as it is. */
export function toolAnswer({ id, name }: ToolCall, output: unknown): ToolAnswer {
  if (ToolMessage.isInstance(output) || isCommand(output)) return output
  return new ToolMessage({ name, content: textOf(output), tool_call_id: id ?? '', status: 'success' })
}

/** A denial as the error of a tool, that the model can read. */
export function toolDenial({ id, name }: ToolCall, denial: Denial): ToolMessage {
  const content = JSON.stringify({ error: denial })
  return new ToolMessage({ name, content, tool_call_id: id ?? '', status: 'error' })
}

/** For callers that are no agents: a denial as the error that it is. */
export function denialError({ message, tool, reason }: Denial): Error {
  return new ToolNotPermitted(message, tool, reason as ConstructorParameters<typeof ToolNotPermitted>[2])
}

function textOf(output: unknown): string {
  if (typeof output === 'string') return output
  try {
    return JSON.stringify(output) ?? 'null'
  } catch {
    // The call is done and on record: what has no JSON is no reason to fail.
    return String(output)
  }
}

function isCommand(output: unknown): output is Exclude<ToolAnswer, ToolMessage> {
  return typeof output === 'object' && output !== null && 'lg_name' in output && output.lg_name === 'Command'
}
