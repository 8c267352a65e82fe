import { InMemoryCache } from '@langchain/core/caches'
import { BaseCallbackHandler } from '@langchain/core/callbacks/base'
import { getRetryable } from '@langchain/core/errors'
import { AIMessageChunk, type AIMessageChunkFields, type BaseMessage } from '@langchain/core/messages'
import { ChatGenerationChunk } from '@langchain/core/outputs'
import { ChatPromptTemplate } from '@langchain/core/prompts'
import { ConfigurableModel } from 'langchain/chat_models/universal'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, NoSession, UnmeteredRequest } from 'writ'
import { governedModel } from 'writ/langchain'
import { governedFetch } from 'writ/openai'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { LoopbackChat } from './langchain-model.js'
import { ScriptedChat } from './langchain-scripted.js'
import { openAiWire } from './openai-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { MODEL, prices } from './suite.js'

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: 'hello', tokens: TOKENS }
const start = (budget: object = { usd: 100 }) => bench({ budget, prices })

const connected = ({ origin }: Provider, more: object = {}) =>
  new LoopbackChat({ baseURL: `${origin}/v1`, model: MODEL, maxTokens: 50, ...more })

async function read(stream: PromiseLike<AsyncIterable<unknown>> | AsyncIterable<unknown>): Promise<number> {
  let seen = 0
  for await (const _part of await stream) seen += 1
  return seen
}

describe('every way to call a model is metered', () => {
  const pick = { name: 'pick', description: '', schema: z.object({ a: z.string() }) }
  const turn = [[['pick', { a: 'x' }]]] as const
  const ways: [string, number, (model: ScriptedChat) => Promise<unknown>][] = [
    ['invoke', 1, (model) => model.invoke('hi')],
    ['batch', 3, (model) => model.batch(['a', 'b', 'c'])],
    ['generate', 2, (model) => model.generate([[['human', 'a']], [['human', 'b']]] as never)],
    ['stream', 1, (model) => read(model.stream('hi'))],
    ['streamEvents', 1, (model) => read(model.streamEvents('hi', { version: 'v2' }))],
    ['streamEvents of models', 1, (model) => readEvents(model)],
    ['bindTools', 1, (model) => model.bindTools([pick]).invoke('hi')],
    ['bindTools, streamed', 1, (model) => read(model.bindTools([pick]).stream('hi'))],
    ['withConfig', 1, (model) => model.withConfig({ tags: ['a'] }).invoke('hi')],
    [
      'withStructuredOutput',
      1,
      (model) => model.withStructuredOutput(pick.schema, { name: 'pick' }).invoke('hi'),
    ],
    ['withRetry', 1, (model) => model.withRetry().invoke('hi')],
    ['withFallbacks', 1, (model) => model.withFallbacks([]).invoke('hi')],
    ['pipe', 1, (model) => model.pipe((message: BaseMessage) => message.text).invoke('hi')],
    ['a chain', 1, (model) => ChatPromptTemplate.fromTemplate('{x}').pipe(model).invoke({ x: 'hi' })],
    [
      'a chain, streamed',
      1,
      (model) => read(ChatPromptTemplate.fromTemplate('{x}').pipe(model).stream({ x: 'hi' })),
    ],
    ['with a handler of tokens', 1, (model) => model.invoke('hi', { callbacks: [new Streaming()] })],
  ]

  /** The stream of events of a model is a promise of its message as well. */
  const readEvents = async (model: ScriptedChat) => {
    for await (const _event of model.streamEvents('hi') as AsyncIterable<unknown>);
  }

  class Streaming extends BaseCallbackHandler {
    name = 'streaming'
    lc_prefer_streaming = true
    tokens = 0
    override handleLLMNewToken(): void {
      this.tokens += 1
    }
  }

  test.each(ways)('%s', async (_name, calls, ask) => {
    const b = start()
    const model = new ScriptedChat(Array.from({ length: calls }, () => turn[0]))
    await b.agent.session('alice', async () => {
      await ask(governedModel(model))
    })
    expect(model.asked).toHaveLength(calls)
    expect(b.payloads('llm_call')).toHaveLength(calls)
    expect(b.payloads('llm_call')[0]).toMatchObject({ model: MODEL, input_tokens: 10, output_tokens: 20 })
    expect(await rejection((async () => ask(governedModel(model)))())).toBeInstanceOf(NoSession)
    expect(model.asked).toHaveLength(calls)
  })

  test('also by what a model makes another one of itself with, as those of some providers do', async () => {
    const inner = new ScriptedChat()
    class Copying extends ScriptedChat {
      override withConfig(): never {
        return inner as never
      }
    }
    const b = start()
    await b.agent.session('alice', () =>
      governedModel<ScriptedChat>(new Copying()).withConfig({}).invoke('hi'),
    )
    expect(inner.asked).toHaveLength(1)
    expect(b.payloads('llm_call')).toHaveLength(1)
  })

  test('the model itself is left as it is', async () => {
    const model = new ScriptedChat(['one', 'two'])
    const governed = governedModel(model)
    expect(governed).toBeInstanceOf(ScriptedChat)
    expect(governedModel(governed)).toBe(governed)
    expect((await model.invoke('hi')).text).toBe('one')
  })
})

test('a model that is found by each call is governed, however it is called', async () => {
  const scripted = new ScriptedChat()
  class Found extends ConfigurableModel {
    override async _getModelInstance(): Promise<never> {
      return scripted as never
    }
  }
  const model = governedModel(new Found({}) as never as ScriptedChat)
  const b = start()
  await b.agent.session('alice', async () => {
    await model.invoke('hi')
    await read(model.stream('hi'))
    await model.batch(['a', 'b'])
    await read(model.streamEvents('hi', { version: 'v2' }))
  })
  expect(scripted.asked).toHaveLength(5)
  expect(b.payloads('llm_call')).toHaveLength(5)
})

describe('nothing is tried again', () => {
  test('what the session refuses', async () => {
    const provider = await provide(openAiWire, reply)
    const model = governedModel(connected(provider, { maxRetries: 6, clientRetries: 6 }))
    const b = start({ usd: 0.05 })
    const error = await rejection(b.agent.session('alice', () => model.invoke('hi')))
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(provider.asked).toHaveLength(0)
  })

  test('when the session ends while LangChain waits to try again', async () => {
    const provider = await provide(openAiWire, {
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '30' },
    })
    const model = governedModel(connected(provider, { maxRetries: 6, clientRetries: 0 }))
    const b = start({ usd: 100, wallMs: 1000 })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(model.invoke('hi'))
        await provider.arrived(1)
        b.clock.advance(1001)
        await seen
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
    expect(await seen).toBe(error)
  })

  test('what is refused is marked for whoever asks', async () => {
    const b = start()
    const unpriced = governedModel(new ScriptedChat([], 'model-2'))
    await b.agent.session('alice', async (s) => {
      expect(getRetryable(await rejection(unpriced.invoke('hi')))).toBe(false)
      const reservation = s.reserve({ usd: 99.99 })
      const reserved = await rejection(governedModel(new ScriptedChat()).invoke('hi'))
      expect(reserved).toBeInstanceOf(BudgetReserved)
      expect(getRetryable(reserved)).toBeUndefined()
      reservation.release()
    })
  })

  test('all tries of LangChain are one call', async () => {
    const busy: Plan = { kind: 'status', status: 503 }
    const provider = await provide(openAiWire, busy, reply)
    const model = governedModel(connected(provider, { maxRetries: 1, clientRetries: 0 }))
    const b = start()
    await b.agent.session('alice', () => model.invoke('hi'))
    expect(provider.asked).toHaveLength(2)
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })
})

describe('callbacks', () => {
  test('one that swallows what it is told does not swallow the kill', async () => {
    const told: unknown[] = []
    class Swallowing extends BaseCallbackHandler {
      name = 'swallowing'
      override handleLLMError(error: unknown): void {
        told.push(error)
      }
    }
    const provider = await provide(openAiWire, { kind: 'stream', pieces: Array(2000).fill('abc') })
    const model = governedModel(connected(provider, { maxTokens: undefined }))
    const b = start({ usd: 0.5 })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(read(model.stream('hi', { callbacks: [new Swallowing()] })))
        await seen
      }),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(error)
    expect(told).toEqual([error])
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })

  test('one that throws keeps nothing off the record', async () => {
    class Throwing extends BaseCallbackHandler {
      name = 'throwing'
      override raiseError = true
      override awaitHandlers = true
      override handleLLMEnd(): void {
        throw new TypeError('no')
      }
    }
    const b = start()
    const model = governedModel(new ScriptedChat())
    await b.agent.session('alice', async () => {
      expect(await rejection(model.invoke('hi', { callbacks: [new Throwing()] }))).toBeInstanceOf(TypeError)
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20, metering: 'reported' }])
  })
})

describe('streams that are left', () => {
  const cut = { after: 3, what: 'wait' } as const
  const silent: Plan = { kind: 'stream', pieces: ['abc', 'abc', 'abc', 'abc'], cut }
  const leave: [string, (stream: AsyncIterable<unknown> & ReadableStream) => Promise<void>][] = [
    [
      'by a break',
      async (stream) => {
        for await (const _chunk of stream) break
      },
    ],
    ['by cancel', (stream) => stream.cancel()],
  ]

  test.each(leave)('%s are charged and closed at once', async (_name, go) => {
    const provider = await provide(openAiWire, silent)
    const model = governedModel(connected(provider))
    const b = start()
    await b.agent.session('alice', async (s) => {
      const stream = await model.stream('hi')
      await provider.arrived(1)
      await go(stream as never)
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', error: { name: 'AbortError' } }])
      expect(s.state).toBe('open')
    })
  })
})

describe('nothing is counted twice', () => {
  test.each(['invoke', 'stream'] as const)(
    'a governed client in a governed model is refused (%s)',
    async (way) => {
      const provider = await provide(openAiWire, reply)
      const model = governedModel(connected(provider, { fetch: governedFetch(), maxRetries: 6 }))
      const b = start()
      await b.agent.session('alice', async (s) => {
        const asked = way === 'invoke' ? model.invoke('hi') : read(model.stream('hi'))
        expect(String(await rejection(asked))).toContain('metered already')
        expect(s.state).toBe('open')
      })
      expect(provider.asked).toHaveLength(0)
      expect(b.payloads('llm_call')).toHaveLength(1)
    },
  )

  test('a governed client alone meters as well', async () => {
    const provider = await provide(openAiWire, reply)
    const model = connected(provider, { fetch: governedFetch() })
    const b = start()
    await b.agent.session('alice', () => model.invoke('hi'))
    expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, output_tokens: 20 }])
  })
})

test('a stream that reports in its chunks is charged their sum, and an estimate of what comes after', async () => {
  class Chunked extends ScriptedChat {
    chunks: readonly (readonly [content: string, output?: number])[] = []
    override async *_streamResponseChunks() {
      for (const [content, output] of this.chunks) {
        const usage = { input_tokens: 10, output_tokens: output, total_tokens: 10 + (output ?? 0) }
        const message = new AIMessageChunk({
          content,
          ...(output === undefined ? {} : { usage_metadata: usage }),
        } as AIMessageChunkFields)
        yield new ChatGenerationChunk({ text: content, message })
      }
    }
  }
  const b = start()
  await b.agent.session('alice', async () => {
    const model = new Chunked()
    for (const chunks of [
      [
        ['abc', 3],
        ['abc', 4],
      ],
      [['', 1], ['abcabcabc']],
    ] as const) {
      model.chunks = chunks
      await read(governedModel(model).stream('hi'))
    }
  })
  expect(b.payloads('llm_call')).toMatchObject([
    { input_tokens: 20, output_tokens: 7, metering: 'reported' },
    { input_tokens: 10, output_tokens: 3, metering: 'estimated' },
  ])
})

describe('models that stream events of their own', () => {
  class Eventful extends ScriptedChat {
    events: readonly object[] = []
    override async *_streamChatModelEvents() {
      for (const event of this.events) yield event as never
    }
  }
  const text = { event: 'content-block-delta', index: 0, delta: { type: 'text-delta', text: 'abcabc' } }
  const args = (so: string) => ({
    event: 'content-block-delta',
    index: 1,
    delta: { type: 'block-delta', fields: { type: 'tool_call_chunk', args: so } },
  })
  const finish = { event: 'message-finish' }
  const cases: [string, readonly object[], object][] = [
    [
      'what they report in parts is one report',
      [
        { event: 'message-start', usage: { input_tokens: 10, output_tokens: 1, total_tokens: 11 } },
        text,
        { ...finish, usage: { output_tokens: 20, total_tokens: 30 } },
      ],
      { input_tokens: 10, output_tokens: 20, metering: 'reported' },
    ],
    [
      'what they do not report is estimated',
      [text, text, finish],
      { output_tokens: 4, metering: 'estimated' },
    ],
    [
      'what comes as a whole each time counts once',
      [args('abc'), args('abcabc'), args('abcabcabc'), finish],
      { output_tokens: 3, metering: 'estimated' },
    ],
  ]

  test.each(cases)('%s', async (_name, events, charged) => {
    const b = start()
    const model = new Eventful()
    model.events = events
    await b.agent.session('alice', async () => {
      for await (const _event of governedModel(model).streamEvents('hi') as AsyncIterable<unknown>);
    })
    expect(b.payloads('llm_call')).toMatchObject([charged])
  })
})

describe('models that do not behave', () => {
  test('one that ignores its signal does not outlive the session', async () => {
    const model = new ScriptedChat()
    model._generate = () => new Promise(() => undefined)
    const b = start({ usd: 100, wallMs: 1000 })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(governedModel(model).invoke('hi'))
        await new Promise((resolve) => setImmediate(resolve))
        b.clock.advance(1001)
        await seen
      }),
    )
    expect(error).toMatchObject({ limit: 'wallMs' })
    expect(await seen).toBe(error)
    expect(b.payloads('llm_call')).toMatchObject([{ priced_by: 'reservation' }])
  })

  test('one that does not say its name is told which one it is', async () => {
    const model = new ScriptedChat([], '')
    const b = start()
    await b.agent.session('alice', async () => {
      expect(await rejection(governedModel(model).invoke('hi'))).toBeInstanceOf(TypeError)
      await governedModel(model, { model: MODEL }).invoke('hi')
    })
    expect(b.payloads('llm_call')).toMatchObject([{ model: MODEL }])
  })

  test('usage of a cache that is written is counted and priced', async () => {
    const model = new ScriptedChat()
    const generate = model._generate.bind(model)
    model._generate = async (...args) => {
      const result = await generate(...args)
      Object.assign(result.generations[0]?.message ?? {}, {
        usage_metadata: {
          input_tokens: 100,
          output_tokens: 20,
          total_tokens: 120,
          input_token_details: { cache_read: 30, cache_creation: 40, ephemeral_1h_input_tokens: 10 },
          output_token_details: { reasoning: 5 },
        },
      })
      return result
    }
    const b = start()
    await b.agent.session('alice', () => governedModel(model).invoke('hi'))
    expect(b.payloads('llm_call')).toMatchObject([
      { input_tokens: 100, cached_input_tokens: 30, cache_write_tokens: 40, reasoning_tokens: 5 },
    ])
  })

  test.each([
    { type: 'web_search_20250305', name: 'web_search' },
    { type: 'code_interpreter', container: { type: 'auto' } },
    { googleSearch: {} },
    { type: 'mcp', server_label: 'x' },
  ])('hosted tools are refused, unless they may be observed: %o', async (hosted) => {
    const b = start()
    const model = new ScriptedChat()
    await b.agent.session('alice', async () => {
      expect(await rejection(governedModel(model).bindTools([hosted]).invoke('hi'))).toBeInstanceOf(
        UnmeteredRequest,
      )
      expect(model.asked).toHaveLength(0)
      await governedModel(model, { unmetered: 'observe' }).bindTools([hosted]).invoke('hi')
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })

  test.each([
    { background: true },
    { web_search_options: {} },
    { mcp_servers: [{ url: 'https://example.com' }] },
  ])('what else has the provider act is refused too: %o', async (sent) => {
    const b = start()
    const model = new ScriptedChat([], MODEL, sent)
    await b.agent.session('alice', async () => {
      expect(await rejection(governedModel(model).invoke('hi'))).toBeInstanceOf(UnmeteredRequest)
      await governedModel(model, { unmetered: 'observe' }).invoke('hi')
    })
    expect(model.asked).toHaveLength(1)
  })

  test('the price is that of the model that is sent, whatever a call says', async () => {
    const b = start()
    const model = governedModel(new ScriptedChat()).withConfig({ model: 'model-2' } as never)
    await b.agent.session('alice', () => model.invoke('hi'))
    expect(b.payloads('llm_call')).toMatchObject([{ model: MODEL, cost_usd: 0.05 }])
  })

  test('tools that the caller runs pass, in the form of any provider', async () => {
    const b = start()
    const tools = [
      { type: 'function', function: { name: 'a', parameters: {} } },
      { name: 'b', input_schema: {} },
      { toolSpec: { name: 'c' } },
      { functionDeclarations: [{ name: 'd' }] },
      { type: 'bash_20250124', name: 'bash' },
    ]
    await b.agent.session('alice', () => governedModel(new ScriptedChat()).bindTools(tools).invoke('hi'))
    expect(b.payloads('llm_call')).toHaveLength(1)
  })

  test('input that the provider has kept holds everything that is left', async () => {
    const b = start()
    const model = new ScriptedChat([], MODEL, { previous_response_id: 'resp_1' })
    await b.agent.session('alice', async (s) => {
      const generate = model._generate.bind(model)
      let held: unknown
      model._generate = (...args) => {
        held = s.remaining().usd
        return generate(...args)
      }
      await governedModel(model).invoke('hi')
      expect(held).toBe(0)
    })
  })

  test('input that does not show in its text holds everything that is left', async () => {
    const b = start()
    const model = new ScriptedChat()
    const held: unknown[] = []
    await b.agent.session('alice', async (s) => {
      const generate = model._generate.bind(model)
      model._generate = (...args) => {
        held.push(s.remaining().usd)
        return generate(...args)
      }
      const picture = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }
      await governedModel(model).invoke([['human', [picture]]] as never)
      await governedModel(model, { estimateInputTokens: () => 100 }).invoke([['human', [picture]]] as never)
    })
    expect(held[0]).toBe(0)
    expect(held[1]).toBeGreaterThan(99)
  })
})

test('an answer from a cache of LangChain is no model call', async () => {
  const model = new ScriptedChat()
  model.cache = new InMemoryCache()
  const b = start()
  await b.agent.session('alice', async () => {
    await governedModel(model).invoke('hi')
    await governedModel(model).invoke('hi')
  })
  expect(model.asked).toHaveLength(1)
  expect(b.payloads('llm_call')).toHaveLength(1)
})

test('what cannot be used is refused', () => {
  expect(thrown(() => governedModel({} as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(new ScriptedChat().bindTools([]) as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(new ScriptedChat(), { model: '' }))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(new ScriptedChat(), { fetch } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(new ScriptedChat(), { assumeOutputTokens: -1 }))).toBeInstanceOf(
    RangeError,
  )
})
