import { setTimeout as sleep } from 'node:timers/promises'
import type { LlmUsage } from 'writ'

export interface ChatReply {
  readonly text: string
  readonly usage: LlmUsage
}

/** Stands where your model client stands: it takes a moment, honours its signal and reports what it used. */
export const provider = {
  async chat(prompt: string, { signal }: { signal: AbortSignal }): Promise<ChatReply> {
    await sleep(10, undefined, { signal })
    return {
      text: `You said: ${prompt}`,
      usage: { model: 'claude-sonnet-4-5', inputTokens: 120, outputTokens: 300, costUsd: 0.012 },
    }
  },

  /** The same, one word at a time. */
  async *stream(
    words: readonly string[],
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<string, LlmUsage> {
    for (const word of words) {
      await sleep(20, undefined, { signal })
      yield `${word} `
    }
    return { model: 'claude-sonnet-4-5', inputTokens: 40, outputTokens: words.length, costUsd: 0.001 }
  },
}
