import type { Asked, Tokens, Wire } from './provider.js'

type Members = Readonly<Record<string, unknown>>

export const sse = (data: unknown, event?: string): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

const chatUsage = ({ input, output, cached = 0, reasoning = 0 }: Tokens): Members => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: { cached_tokens: cached },
  completion_tokens_details: { reasoning_tokens: reasoning },
})

const responseUsage = ({ input, output, cached = 0, reasoning = 0 }: Tokens): Members => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
  input_tokens_details: { cached_tokens: cached, cache_write_tokens: 0 },
  output_tokens_details: { reasoning_tokens: reasoning },
})

const chunk = (choices: readonly unknown[], more: Members = {}): string =>
  sse({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'model-1-dated', choices, ...more })

const response = (text: string, tokens: Tokens | undefined, status = 'completed'): Members => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'model-1-dated',
  status,
  output: [
    {
      type: 'message',
      id: 'm',
      role: 'assistant',
      status,
      content: [{ type: 'output_text', text, annotations: [] }],
    },
  ],
  usage: tokens === undefined ? null : responseUsage(tokens),
})

/** What OpenAI sends. Usage in a stream of chat completions comes only to those who ask for it. */
export const openAiWire: Wire = {
  reply: (path, _body, text, tokens) => {
    if (path.endsWith('/responses')) return response(text, tokens)
    if (path.endsWith('/embeddings')) {
      const { input = 0 } = tokens ?? {}
      return {
        object: 'list',
        model: 'model-1-dated',
        data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
        usage: { prompt_tokens: input, total_tokens: input },
      }
    }
    return {
      id: 'c1',
      object: 'chat.completion',
      model: 'model-1-dated',
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          text,
          message: { role: 'assistant', content: text, refusal: null },
        },
      ],
      ...(tokens === undefined ? {} : { usage: chatUsage(tokens) }),
    }
  },
  events: (path, body, pieces, tokens) =>
    path.endsWith('/responses') ? responseEvents(pieces, tokens) : chatEvents(body, pieces, tokens),
}

function chatEvents(body: Asked['body'], pieces: readonly string[], tokens: Tokens | undefined) {
  const wanted = (body['stream_options'] as Members | undefined)?.['include_usage'] === true
  const usage = wanted ? { usage: null } : {}
  return {
    pieces: pieces.map((content) => chunk([{ index: 0, delta: { role: 'assistant', content } }], usage)),
    end: [
      chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], usage),
      ...(wanted && tokens !== undefined ? [chunk([], { usage: chatUsage(tokens) })] : []),
      sse('[DONE]'),
    ],
  }
}

function responseEvents(pieces: readonly string[], tokens: Tokens | undefined) {
  const delta = (text: string): string =>
    sse(
      { type: 'response.output_text.delta', item_id: 'm', output_index: 0, content_index: 0, delta: text },
      'response.output_text.delta',
    )
  const begin = [
    sse({ type: 'response.created', response: { ...response('', undefined, 'in_progress'), output: [] } }),
    sse({
      type: 'response.output_item.added',
      output_index: 0,
      item: { type: 'message', id: 'm', role: 'assistant', status: 'in_progress', content: [] },
    }),
    sse({
      type: 'response.content_part.added',
      item_id: 'm',
      output_index: 0,
      content_index: 0,
      part: { type: 'output_text', text: '', annotations: [] },
    }),
  ].join('')
  return {
    pieces: pieces.map((text, index) => (index === 0 ? begin : '') + delta(text)),
    end: [
      sse({ type: 'response.completed', response: response(pieces.join(''), tokens) }, 'response.completed'),
    ],
  }
}
