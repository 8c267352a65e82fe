import type OpenAI from 'openai'
import type { DispatchResult, LlmRequest, LlmUsage, OpenAiToolSchema, Session } from 'writ'

type Message = OpenAI.Chat.Completions.ChatCompletionMessageParam
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
  readonly price: { readonly inputUsdPerMTok: number; readonly outputUsdPerMTok: number }
  readonly tools: readonly OpenAiToolSchema[]
  readonly task: string
  /** Told of every model call before it is made. */
  readonly onRequest?: (atMost: LlmRequest) => void
  readonly onStep?: (step: Step) => void
}

const MAX_OUTPUT_TOKENS = 400

// #region loop
/** Asks the model, runs what it asks for, hands back the results; until it asks for nothing more. */
export async function runAgent(s: Session, options: LoopOptions): Promise<string | null> {
  const { client, model, task, onRequest, onStep } = options
  const tools = options.tools.map((tool) => ({ ...tool, function: { ...tool.function } }))
  const messages: Message[] = [{ role: 'user', content: task }]
  for (let turn = 1; ; turn++) {
    const atMost = mostItMayUse(messages, options)
    onRequest?.(atMost)
    const body = { model, messages, tools, max_completion_tokens: MAX_OUTPUT_TOKENS }
    const completion = await s.callLlm(
      atMost,
      (signal) => client.chat.completions.create(body, { signal }),
      usageOf,
    )
    const message = completion.choices[0]?.message
    if (message?.tool_calls === undefined) return message?.content ?? null
    messages.push(message)
    for (const call of message.tool_calls) {
      const [name, args] =
        call.type === 'function'
          ? [call.function.name, call.function.arguments]
          : [call.custom.name, call.custom.input]
      const result = await s.dispatch({ id: call.id, name, input: args })
      onStep?.({ turn, remark: message.content, tool: name, args, result })
      const content = JSON.stringify(result.ok ? result.output : { denied: result.denial })
      messages.push({ role: 'tool', tool_call_id: call.id, content })
    }
  }
}

/** What the provider reports, in the words of Writ. Its input count includes what came from the cache. */
function usageOf({ model, usage }: Completion): LlmUsage {
  return {
    model,
    inputTokens: usage?.prompt_tokens ?? Number.NaN,
    outputTokens: usage?.completion_tokens ?? Number.NaN,
    cachedInputTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
    reasoningTokens: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
  }
}
// #endregion loop

/**
 * What is reserved before a call: its output is bounded by the request, and a token of input is taken for
 * three characters, which is too much rather than too little.
 */
function mostItMayUse(messages: readonly Message[], { model, tools, price }: LoopOptions): LlmRequest {
  const inputTokens = Math.ceil(JSON.stringify([messages, tools]).length / 3)
  const usdPerMTok = inputTokens * price.inputUsdPerMTok + MAX_OUTPUT_TOKENS * price.outputUsdPerMTok
  return { model, maxTokens: inputTokens + MAX_OUTPUT_TOKENS, maxUsd: usdPerMTok / 1_000_000 }
}
