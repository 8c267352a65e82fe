import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager'
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base'
import { BaseChatModel, type BaseChatModelCallOptions } from '@langchain/core/language_models/chat_models'
import {
  AIMessage,
  AIMessageChunk,
  type AIMessageChunkFields,
  type AIMessageFields,
  type BaseMessage,
} from '@langchain/core/messages'
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs'
import type { Runnable } from '@langchain/core/runnables'
import { convertToOpenAITool } from '@langchain/core/utils/function_calling'
import { OpenAI } from 'openai-7'

interface Fields {
  readonly baseURL: string
  readonly model: string
  readonly maxTokens?: number | undefined
  /** Tries again: of LangChain, and of the client. */
  readonly maxRetries?: number
  readonly clientRetries?: number
  readonly fetch?: typeof globalThis.fetch
}

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details?: { readonly cached_tokens?: number }
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number }
}

type Options = BaseChatModelCallOptions & { readonly tools?: readonly unknown[] }

/** A chat model as the packages of LangChain's partners make them: a client, behind LangChain's own retries. */
export class LoopbackChat extends BaseChatModel<Options, AIMessageChunk> {
  readonly model: string
  readonly #fields: Fields
  readonly client: OpenAI

  constructor(fields: Fields) {
    super({ maxRetries: fields.maxRetries ?? 0 })
    this.model = fields.model
    this.#fields = fields
    const { baseURL, fetch, clientRetries = 2 } = fields
    this.client = new OpenAI({
      apiKey: 'none',
      baseURL,
      maxRetries: clientRetries,
      ...(fetch === undefined ? {} : { fetch }),
    })
  }

  override _llmType(): string {
    return 'loopback'
  }

  override invocationParams(options: Options) {
    const { tools } = options
    return {
      model: this.model,
      ...(this.#fields.maxTokens === undefined ? {} : { max_tokens: this.#fields.maxTokens }),
      ...(tools === undefined ? {} : { tools: tools.map(asOpenAiTool) }),
    }
  }

  override bindTools(
    tools: readonly unknown[],
    options: Partial<Options> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, Options> {
    return this.withConfig({ tools, ...options } as never) as never
  }

  override async _generate(messages: BaseMessage[], options: Options): Promise<ChatResult> {
    const reply = (await this.#ask(messages, options, {})) as {
      choices: { message: { content: string | null; tool_calls?: RawCall[] } }[]
      usage?: Usage
    }
    const { content = '', tool_calls = [] } = reply.choices[0]?.message ?? {}
    const message = new AIMessage({
      content: content ?? '',
      tool_calls: tool_calls.map(({ id, function: { name, arguments: args } }) => ({
        id,
        name,
        args: JSON.parse(args),
      })),
      ...(reply.usage === undefined ? {} : { usage_metadata: usageOf(reply.usage) }),
    } as AIMessageFields)
    return { generations: [{ text: content ?? '', message }] }
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: Options,
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const stream = (await this.#ask(messages, options, {
      stream: true,
      stream_options: { include_usage: true },
    })) as AsyncIterable<{
      choices: { delta: { content?: string; tool_calls?: (RawCall & { index: number })[] } }[]
      usage?: Usage | null
    }>
    for await (const { choices, usage } of stream) {
      const { content = '', tool_calls = [] } = choices[0]?.delta ?? {}
      const message = new AIMessageChunk({
        content,
        tool_call_chunks: tool_calls.map(({ index, id, function: { name, arguments: args } }) => ({
          index,
          id,
          name,
          args,
        })),
        ...(usage ? { usage_metadata: usageOf(usage) } : {}),
      } as AIMessageChunkFields)
      const chunk = new ChatGenerationChunk({ text: content, message })
      yield chunk
      await run?.handleLLMNewToken(content, undefined, undefined, undefined, undefined, { chunk })
    }
  }

  #ask(messages: BaseMessage[], options: Options, more: object): Promise<unknown> {
    const body = {
      ...this.invocationParams(options),
      messages: messages.map((message) => ({
        role: { human: 'user', ai: 'assistant', system: 'system', tool: 'tool' }[
          message.getType() as 'human'
        ],
        content: message.text,
      })),
      ...more,
    }
    const request = options.signal === undefined ? {} : { signal: options.signal }
    return this.caller.call(async () => this.client.chat.completions.create(body as never, request))
  }
}

interface RawCall {
  readonly id: string
  readonly function: { readonly name: string; readonly arguments: string }
}

function asOpenAiTool(tool: unknown): unknown {
  const { schema } = tool as { schema?: unknown }
  return schema === undefined ? tool : convertToOpenAITool(tool as never)
}

function usageOf(usage: Usage) {
  return {
    input_tokens: usage.prompt_tokens,
    output_tokens: usage.completion_tokens,
    total_tokens: usage.total_tokens,
    input_token_details: { cache_read: usage.prompt_tokens_details?.cached_tokens ?? 0 },
    output_token_details: { reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0 },
  }
}
