import type { ChatCompletionMessageToolCall, ChatCompletionToolMessageParam } from 'openai/resources'
import type { ResponseInputItem, ResponseOutputItem } from 'openai/resources/responses/responses'
import type { DispatchResult, Session, ToolSet } from '../../index.js'

/**
 * Runs the tool calls of a message through the session, all at once, and returns the messages to answer it
 * with, in the order of the calls. A denial, a tool's error and a timeout are answers that the model can
 * read; the end of the session is thrown.
 *
 * @throws whatever ended the session.
 * @example
 * messages.push(message, ...(await runToolCalls(s, message.tool_calls)))
 */
export function runToolCalls<Tools extends ToolSet>(
  session: Session<Tools>,
  calls: readonly ChatCompletionMessageToolCall[] | undefined,
): Promise<ChatCompletionToolMessageParam[]> {
  return Promise.all(
    (calls ?? []).map(async (call): Promise<ChatCompletionToolMessageParam> => {
      const { name, input } =
        call.type === 'custom' ? call.custom : { ...call.function, input: call.function.arguments }
      const result = await session.dispatch({ id: call.id, name, input })
      return { role: 'tool', tool_call_id: call.id, content: answer(result) }
    }),
  )
}

/**
 * As {@link runToolCalls}, for the output of the Responses API: runs its function calls and returns the items
 * to answer it with. Items of other kinds are left out.
 *
 * @throws whatever ended the session.
 */
export function runFunctionCalls<Tools extends ToolSet>(
  session: Session<Tools>,
  output: readonly ResponseOutputItem[],
): Promise<ResponseInputItem.FunctionCallOutput[]> {
  return Promise.all(
    output
      .filter((item) => item.type === 'function_call')
      .map(async (item): Promise<ResponseInputItem.FunctionCallOutput> => {
        const { call_id, name, arguments: input } = item
        const result = await session.dispatch({ id: call_id, name, input })
        return { type: 'function_call_output', call_id, output: answer(result) }
      }),
  )
}

/** The text that the model reads. */
function answer(result: DispatchResult): string {
  if (!result.ok) return JSON.stringify({ error: result.denial })
  const { output } = result
  return typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
}
