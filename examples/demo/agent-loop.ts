import type OpenAI from 'openai'
import type { DispatchResult, LlmRequest, LlmUsage, OpenAiToolSchema, Session } from 'writ'

export type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam
type Completion = OpenAI.Chat.Completions.ChatCompletion

/** A call that the model asked for, and what came of it. */
export interface Step {
  readonly turn: number
  /** What the model said along with its calls. */
  readonly remark: string | null
  readonly tool: string
  readonly args: string
  readonly result: DispatchResult
}

export interface LoopOptions {
  readonly client: OpenAI
  readonly model: string
  readonly tools: OpenAiToolSchema[]
  readonly task: string
  readonly maxOutputTokens: number
  /** What a model call with these messages may use at most. */
  readonly atMost: (messages: readonly Message[]) => LlmRequest
  readonly onStep: (step: Step) => void
}

// #region loop
/** Asks the model, runs what it asks for, hands back the results; until it asks for nothing more. */
export async function runAgent(s: Session, options: LoopOptions): Promise<string | null> {
  const { client, model, tools, task, maxOutputTokens, atMost, onStep } = options
  const messages: Message[] = [{ role: 'user', content: task }]
  for (let turn = 1; ; turn++) {
    const body = { model, messages, tools, max_completion_tokens: maxOutputTokens }
    const completion = await s.callLlm(
      atMost(messages),
      (signal) => client.chat.completions.create(body, { signal }),
      usageOf,
    )
    const message = completion.choices[0]?.message
    if (message?.tool_calls === undefined) return message?.content ?? null
    messages.push(message)
    for (const call of message.tool_calls) {
      const { name, input } = calledTool(call)
      const result = await s.dispatch({ id: call.id, name, input })
      onStep({ turn, remark: message.content, tool: name, args: input, result })
      const content = JSON.stringify(result.ok ? result.output : { denied: result.denial })
      messages.push({ role: 'tool', tool_call_id: call.id, content })
    }
  }
}

/** What the provider reports. Where it reports nothing, NaN is refused, and all that was held is charged. */
function usageOf({ model, usage }: Completion): LlmUsage {
  return {
    model,
    inputTokens: usage?.prompt_tokens ?? Number.NaN, // includes what came from the cache, as Writ wants it
    outputTokens: usage?.completion_tokens ?? Number.NaN,
    cachedInputTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
    reasoningTokens: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
  }
}
// #endregion loop

/** The SDK knows two kinds of tool calls. */
function calledTool(call: OpenAI.Chat.Completions.ChatCompletionMessageToolCall): {
  name: string
  input: string
} {
  if (call.type === 'custom') return call.custom
  return { name: call.function.name, input: call.function.arguments }
}
