import type { AnySession, Denial } from '../../index.js'
import {
  asAgentCall,
  type RunningCall,
  type ToolAnswer,
  type ToolHandler,
  type ToolRequest,
} from './running-calls.js'
import { dispatchCall, toolAnswer, toolDenial } from './tool-answer.js'

/** How LangGraph goes from a tool to elsewhere: interrupts, and commands for the graph around. */
interface BubbleUp {
  readonly is_bubble_up: true
}

/**
 * Puts an agent's call of a tool through the session.
 *
 * @returns what the tool gave, or why it did not run, as an error that the model can read.
 * @throws whatever ended the session.
 */
export async function callTool(
  session: AnySession,
  request: ToolRequest,
  handler: ToolHandler,
): Promise<ToolAnswer> {
  const { toolCall, runtime } = request
  let bubble: BubbleUp | undefined
  const call: RunningCall = {
    tool: request.tool,
    run: async (input, signal) => {
      try {
        return await handler(bound(request, input, signal))
      } catch (error) {
        if (isBubbleUp(error)) bubble = error
        throw error
      }
    },
  }
  let denial: Denial
  try {
    const result = await asAgentCall(call, () => dispatchCall(session, toolCall, runtime.signal))
    if (result.ok) return toolAnswer(toolCall, result.output)
    denial = result.denial
  } catch (error) {
    return handler(failing(request, error))
  }
  if (bubble !== undefined) throw bubble
  return toolDenial(toolCall, denial)
}

/** The request with the input that the session let through, whatever is made of it on the way to the tool. */
function bound(request: ToolRequest, input: unknown, signal: AbortSignal): ToolRequest {
  const toolCall = { ...request.toolCall, args: input as Record<string, unknown> }
  const tool = request.tool as Invokable | undefined
  if (tool === undefined) return { ...request, toolCall }
  const invoke: Invokable['invoke'] = (call, config) =>
    tool.invoke(
      { ...call, args: input },
      { ...config, signal: AbortSignal.any([signal, ...(config?.signal ? [config.signal] : [])]) },
    )
  return { ...request, toolCall, tool: { name: tool.name, invoke } as unknown as ToolRequest['tool'] }
}

/** A request that fails. LangChain wraps what middleware throws, and what a tool throws it does not. */
function failing(request: ToolRequest, error: unknown): ToolRequest {
  const tool = { name: request.toolCall.name, invoke: () => Promise.reject(error) }
  return { ...request, tool: tool as unknown as ToolRequest['tool'] }
}

interface Invokable {
  readonly name: string
  invoke(call: object, config?: { readonly signal?: AbortSignal }): Promise<unknown>
}

function isBubbleUp(error: unknown): error is BubbleUp {
  return typeof error === 'object' && error !== null && 'is_bubble_up' in error && error.is_bubble_up === true
}
