import type { BaseLanguageModelInput } from '@langchain/core/language_models/base'
import { BaseChatModel, type BaseChatModelCallOptions } from '@langchain/core/language_models/chat_models'
import {
  AIMessageChunk,
  type AIMessageChunkFields,
  type BaseMessage,
  ToolMessage,
} from '@langchain/core/messages'
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs'
import type { Runnable } from '@langchain/core/runnables'
import { MODEL } from './suite.js'

export type Call = readonly [name: string, args: unknown]
/** What the model says in one turn: a text, or calls of tools. */
export type Turn = string | readonly Call[]

type Options = BaseChatModelCallOptions & { readonly tools?: readonly unknown[] }

/** A model that says what is written down, turn by turn, and then `done`. */
export class ScriptedChat extends BaseChatModel<Options, AIMessageChunk> {
  readonly model: string
  readonly asked: { readonly messages: readonly BaseMessage[]; readonly options: Options }[] = []
  readonly #turns: readonly Turn[]
  readonly #sent: object

  /** @param sent what it sends besides. */
  constructor(turns: readonly Turn[] = [], model: string = MODEL, sent: object = {}) {
    super({})
    this.#sent = sent
    this.#turns = turns
    this.model = model
  }

  /** What the model read as the results of tools, in order, in its last turn. */
  get read(): readonly ToolMessage[] {
    return (this.asked.at(-1)?.messages ?? []).filter((message) => ToolMessage.isInstance(message))
  }

  override _llmType(): string {
    return 'scripted'
  }

  override invocationParams(options: Options) {
    return { model: this.model, max_tokens: 50, tools: options.tools, ...this.#sent }
  }

  override bindTools(
    tools: readonly unknown[],
    options: Partial<Options> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, Options> {
    return this.withConfig({ tools, ...options } as never) as never
  }

  override async _generate(messages: BaseMessage[], options: Options): Promise<ChatResult> {
    const message = this.#next(messages, options)
    return { generations: [{ text: message.text, message }] }
  }

  override async *_streamResponseChunks(messages: BaseMessage[], options: Options) {
    const message = this.#next(messages, options)
    yield new ChatGenerationChunk({ text: message.text, message })
  }

  #next(messages: BaseMessage[], options: Options): AIMessageChunk {
    const turn = this.#turns[this.asked.length] ?? 'done'
    const at = this.asked.push({ messages, options })
    const calls = typeof turn === 'string' ? [] : turn
    return new AIMessageChunk({
      content: typeof turn === 'string' ? turn : '',
      tool_call_chunks: calls.map(([name, args], index) => ({
        index,
        id: `call-${at}-${index}`,
        name,
        args: JSON.stringify(args),
        type: 'tool_call_chunk',
      })),
      usage_metadata: { input_tokens: 10, output_tokens: 20, total_tokens: 30 },
    } as AIMessageChunkFields)
  }
}
