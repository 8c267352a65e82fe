import type { ServerResponse } from 'node:http'
import type { Plan, Tokens, Wire } from './provider.js'

type Members = Readonly<Record<string, unknown>>

/** A block of a reply: text, a tool use, thinking. */
export type Block = Members & { readonly type: string }

export const text = (words: string): Block => ({ type: 'text', text: words, citations: null })

export const toolUse = (id: string, name: string, input: object, more: object = {}): Block => ({
  type: 'tool_use',
  id,
  name,
  input,
  caller: { type: 'direct' },
  ...more,
})

export const thinking = (words: string): Block => ({ type: 'thinking', thinking: words, signature: 'c2ln' })

/** One event of a stream, named as its data is. */
export const event = (data: Members & { readonly type: string }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

/** What Anthropic reports: input is without the cache. */
export function usageOf({ input, output, cached = 0, written5m = 0, written1h = 0, reasoning = 0 }: Tokens) {
  return {
    input_tokens: input - cached - written5m - written1h,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: written5m + written1h,
    cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
    output_tokens: output,
    output_tokens_details: { thinking_tokens: reasoning },
    server_tool_use: null,
    service_tier: 'standard',
  }
}

const stopReason = (content: readonly Block[]): string =>
  content.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn'

let messages = 0

/** A whole message; without tokens it says nothing of what it used. */
export function messageOf(content: readonly Block[], tokens: Tokens | undefined): Members {
  messages += 1
  return {
    id: `msg_${messages}`,
    type: 'message',
    role: 'assistant',
    model: 'model-1-dated',
    content,
    stop_reason: stopReason(content),
    stop_sequence: null,
    ...(tokens === undefined ? {} : { usage: usageOf(tokens) }),
  }
}

/** The first event of a stream: with all of the input and next to nothing of the output. */
export const messageStart = (tokens: Tokens | undefined): string =>
  event({
    type: 'message_start',
    message: {
      ...messageOf([], tokens === undefined ? undefined : { ...tokens, output: 1, reasoning: 0 }),
      stop_reason: null,
    },
  })

/** The events that end a stream, the first of them with the figures of the whole. */
export function messageEnd(tokens: Tokens | undefined, stop_reason = 'end_turn'): string[] {
  const { cache_creation, service_tier, ...cumulative } = usageOf(tokens ?? { input: 0, output: 0 })
  return [
    event({
      type: 'message_delta',
      delta: { stop_reason, stop_sequence: null },
      ...(tokens === undefined ? {} : { usage: cumulative }),
    }),
    event({ type: 'message_stop' }),
  ]
}

export const blockStart = (index: number, content_block: Block): string =>
  event({ type: 'content_block_start', index, content_block })
export const blockDelta = (index: number, delta: Block): string =>
  event({ type: 'content_block_delta', index, delta })
export const blockStop = (index: number): string => event({ type: 'content_block_stop', index })

/** All events of a message, in order. */
export function messageEvents(content: readonly Block[], tokens: Tokens | undefined): string[] {
  const blocks = content.flatMap((block, index) => {
    switch (block.type) {
      case 'text':
        return [
          blockStart(index, text('')),
          blockDelta(index, { type: 'text_delta', text: block['text'] }),
          blockStop(index),
        ]
      case 'tool_use':
        return [
          blockStart(index, { ...block, input: {} }),
          blockDelta(index, { type: 'input_json_delta', partial_json: JSON.stringify(block['input']) }),
          blockStop(index),
        ]
      case 'thinking':
        return [
          blockStart(index, { ...block, thinking: '', signature: '' }),
          blockDelta(index, { type: 'thinking_delta', thinking: block['thinking'] }),
          blockDelta(index, { type: 'signature_delta', signature: block['signature'] }),
          blockStop(index),
        ]
      default:
        return [blockStart(index, block), blockStop(index)]
    }
  })
  return [messageStart(tokens), ...blocks, ...messageEnd(tokens, stopReason(content))]
}

/** Answers with these events, whatever was asked. */
export const sendsEvents = (...events: readonly string[]): Plan => ({
  kind: 'raw',
  answer: (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.join('')),
})

/** Answers with a message of these blocks, as it was asked for: whole or as a stream. */
export const sends = (content: readonly Block[], tokens?: Tokens): Plan => ({
  kind: 'raw',
  answer: (response, body) => {
    const isStreamed = (body as Members)['stream'] === true
    response.writeHead(200, { 'content-type': isStreamed ? 'text/event-stream' : 'application/json' })
    if (isStreamed) response.end(messageEvents(content, tokens).join(''))
    else response.end(JSON.stringify(messageOf(content, tokens)))
  },
})

/** What Anthropic sends. */
export const anthropicWire: Wire = {
  reply: (_path, _body, words, tokens) => messageOf([text(words)], tokens),
  events: (_path, _body, pieces, tokens) => ({
    pieces: pieces.map(
      (words, index) =>
        (index === 0 ? messageStart(tokens) + blockStart(0, text('')) : '') +
        blockDelta(0, { type: 'text_delta', text: words }),
    ),
    end: [blockStop(0), ...messageEnd(tokens)],
  }),
}
