import { BaseChatModel, type BaseChatModelCallOptions } from '@langchain/core/language_models/chat_models'
import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages'
import type { ChatResult } from '@langchain/core/outputs'

interface Options extends BaseChatModelCallOptions {
  readonly tools?: readonly unknown[]
}

/** Stands where a chat model stands: it asks for a refund, then for another one, and then says what became of them. */
class StandIn extends BaseChatModel<Options> {
  override _llmType(): string {
    return 'stand-in'
  }

  override invocationParams(): object {
    return { model: 'gpt-5', max_tokens: 50 }
  }

  override bindTools(tools: readonly unknown[]): ReturnType<NonNullable<BaseChatModel['bindTools']>> {
    return this.withConfig({ tools }) as never
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const results = messages.filter((message) => ToolMessage.isInstance(message))
    const refused = results.filter(({ status }) => status === 'error').length
    const args = { eur: 20 }
    const call = { type: 'tool_call', id: `call_${results.length + 1}`, name: 'refund', args } as const
    const message = new AIMessage({
      content: results.length < 2 ? '' : `${results.length - refused} paid, ${refused} refused`,
      tool_calls: results.length < 2 ? [call] : [],
    })
    Object.assign(message, { usage_metadata: { input_tokens: 40, output_tokens: 8, total_tokens: 48 } })
    return { generations: [{ text: message.text, message }] }
  }
}

export const model: BaseChatModel = new StandIn({})
