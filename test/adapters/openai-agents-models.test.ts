import {
  type Model,
  OpenAIProvider,
  Runner,
  Agent as SdkAgent,
  setTracingDisabled,
  withTrace,
} from '@openai/agents'
import { OpenAI } from 'openai-7'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, UnmeteredRequest } from 'writ'
import { governedFetch } from 'writ/openai'
import { type GovernedProviderOptions, governedModel, governedProvider } from 'writ/openai-agents'
import { bench, rejection, thrown } from '../support/agents.js'
import { openAiWire } from './openai-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

// The models of the SDK ask for a trace, on or off.
setTracingDisabled(true)

type Request = Parameters<Model['getResponse']>[0]

const connected = ({ origin }: Pick<Provider, 'origin'>, useResponses: boolean, more: object = {}) =>
  new OpenAIProvider({
    useResponses,
    openAIClient: new OpenAI({ apiKey: 'none', baseURL: `${origin}/v1`, ...more }) as never,
  })

const request = ({ maxTokens, signal }: Ask = {}, more: Partial<Request> = {}): Request => ({
  input: 'hi',
  modelSettings: maxTokens === undefined ? {} : { maxTokens },
  tools: [],
  outputType: 'text',
  handoffs: [],
  tracing: false,
  ...(signal === undefined ? {} : { signal }),
  ...more,
})

const textOf = (output: readonly unknown[]): string => {
  const [first] = output as { content?: { text?: string }[] }[]
  return first?.content?.map(({ text = '' }) => text).join('') ?? ''
}

for (const useResponses of [false, true]) {
  adapterSuite(`openai-agents ${useResponses ? 'responses' : 'chat completions'}`, {
    wire: openAiWire,
    abortError: 'APIUserAbortError',
    abortedError: 'DOMException',
    counts: 'all',
    client: (provider, options) => {
      const models = governedProvider(connected(provider, useResponses), options)
      return {
        ask: async (ask = {}) => {
          const model = await models.getModel(ask.model ?? MODEL)
          const { output } = await withTrace('test', () => model.getResponse(request(ask)))
          return textOf(output)
        },
        stream: async function* (ask = {}) {
          const model = await models.getModel(ask.model ?? MODEL)
          for await (const event of model.getStreamedResponse(request(ask))) {
            if (event.type === 'output_text_delta') yield event.delta
          }
        },
      }
    },
  })
}

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: 'hello', tokens: TOKENS }
const writer = new SdkAgent({ name: 'writer', model: MODEL, modelSettings: { maxTokens: 50 } })

async function serve(plan: Plan, options: GovernedProviderOptions = {}, budget: object = { usd: 100 }) {
  const provider = await provide(openAiWire, plan)
  const runner = new Runner({
    modelProvider: governedProvider(connected(provider, true), options),
    tracingDisabled: true,
  })
  return { provider, runner, b: bench({ budget, prices }) }
}

describe('runs', () => {
  test('a run is metered', async () => {
    const { runner, b } = await serve(reply)
    const result = await b.agent.session('alice', () => runner.run(writer, 'hi'))
    expect(result.finalOutput).toBe('hello')
    expect(b.payloads('llm_call')).toMatchObject([
      { model: MODEL, input_tokens: 10, output_tokens: 20, metering: 'reported' },
    ])
  })

  test('a streamed run is metered, and does not count zero', async () => {
    const { runner, b } = await serve({ kind: 'stream', pieces: ['abc', 'def'], tokens: TOKENS })
    await b.agent.session('alice', async () => {
      const result = await runner.run(writer, 'hi', { stream: true })
      for await (const _event of result);
      await result.completed
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20, metering: 'reported' }])
  })

  test('a streamed run that crosses the limit is cut, and rejects with the kill as it is', async () => {
    const pieces = Array.from({ length: 2000 }, () => 'abc')
    const { runner, provider, b } = await serve({ kind: 'stream', pieces }, {}, { usd: 0.5 })
    const unbounded = new SdkAgent({ name: 'writer', model: MODEL })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        const result = await runner.run(unbounded, 'hi', { stream: true })
        seen = rejection(
          (async () => {
            for await (const _event of result);
            await result.completed
          })(),
        )
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(killed)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })

  test('what the session refuses is not tried again, whatever the retry policy', async () => {
    const { runner, provider, b } = await serve(reply)
    let asked = 0
    const agent = new SdkAgent({
      name: 'writer',
      model: 'model-2',
      modelSettings: {
        maxTokens: 50,
        retry: {
          maxRetries: 3,
          policy: ({ providerAdvice }) => {
            asked += 1
            return providerAdvice?.suggested !== false
          },
        },
      },
    })
    await b.agent.session('alice', async () => {
      expect(await rejection(runner.run(agent, 'hi'))).toMatchObject({ code: 'ERR_UNPRICED_MODEL' })
    })
    expect(provider.asked).toHaveLength(0)
    expect(asked).toBe(1)
  })
})

test('a stream that is broken off is charged and closed at once, not when its session ends', async () => {
  const cut = { after: 3, what: 'wait' } as const
  const provider = await provide(openAiWire, { kind: 'stream', pieces: ['abc', 'abc', 'abc', 'abc'], cut })
  const model = await governedProvider(connected(provider, true)).getModel(MODEL)
  const b = bench({ budget: { usd: 100 }, prices })
  await b.agent.session('alice', async () => {
    for await (const { type } of model.getStreamedResponse(request({ maxTokens: 50 }))) {
      if (type === 'output_text_delta') break
    }
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', error: { name: 'AbortError' } }])
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })
})

describe('nothing is counted twice', () => {
  test('a governed client in a governed provider is refused', async () => {
    const provider = await provide(openAiWire, reply)
    const models = governedProvider(connected(provider, true, { fetch: governedFetch() }))
    const b = bench({ budget: { usd: 100 }, prices })
    await b.agent.session('alice', async (s) => {
      const model = await models.getModel(MODEL)
      const asked = withTrace('test', () => model.getResponse(request({ maxTokens: 50 })))
      expect(String(await rejection(asked))).toContain('metered already')
      expect(s.state).toBe('open')
    })
    expect(provider.asked).toHaveLength(0)
    expect(b.payloads('llm_call')).toHaveLength(1)
  })

  test('a stream likewise, and a model that is governed twice', async () => {
    const provider = await provide(openAiWire, reply)
    const models = governedProvider(governedProvider(connected(provider, true)))
    const b = bench({ budget: { usd: 100 }, prices })
    await b.agent.session('alice', async () => {
      const model = await models.getModel(MODEL)
      const read = async () => {
        for await (const _event of model.getStreamedResponse(request({ maxTokens: 50 })));
      }
      expect(String(await rejection(read()))).toContain('metered already')
    })
    expect(provider.asked).toHaveLength(0)
  })

  test('a governed client alone meters runs as well', async () => {
    const provider = await provide(openAiWire, reply)
    const runner = new Runner({
      modelProvider: connected(provider, true, { fetch: governedFetch() }),
      tracingDisabled: true,
    })
    const b = bench({ budget: { usd: 100 }, prices })
    await b.agent.session('alice', () => runner.run(writer, 'hi'))
    expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, output_tokens: 20 }])
  })
})

describe('models that do not behave', () => {
  const b = () => bench({ budget: { usd: 100, wallMs: 1000 }, prices })
  const fake = (getResponse: Model['getResponse']): Model =>
    governedModel(
      {
        getResponse,
        getStreamedResponse: () => {
          throw new TypeError('not in this test')
        },
      },
      { model: MODEL },
    )

  test('one that ignores its signal does not outlive the session', async () => {
    const { agent, clock, payloads } = b()
    const model = fake(() => new Promise(() => undefined))
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      agent.session('alice', async () => {
        seen = rejection(model.getResponse(request({ maxTokens: 50 })))
        clock.advance(1001)
        await seen
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
    expect(await seen).toBe(error)
    expect(payloads('llm_call')).toMatchObject([{ priced_by: 'reservation' }])
  })

  test('usage in details of many requests is added up', async () => {
    const { agent, payloads } = b()
    const usage = {
      requests: 2,
      inputTokens: 10,
      outputTokens: 20,
      totalTokens: 30,
      inputTokensDetails: [{ cached_tokens: 2 }, { cached_tokens: 3 }],
      outputTokensDetails: [{ reasoning_tokens: 4 }],
    }
    const model = fake(async () => ({ usage, output: [] }) as never)
    await agent.session('alice', () => model.getResponse(request({ maxTokens: 50 })))
    expect(payloads('llm_call')).toMatchObject([{ cached_input_tokens: 5, reasoning_tokens: 4 }])
  })

  test('a bound that is set past the settings holds everything that is left', async () => {
    const { agent } = b()
    let held: number | undefined
    let left = (): number | undefined => undefined
    const model = fake(async () => {
      held = left()
      return { usage: { inputTokens: 1, outputTokens: 1 }, output: [] } as never
    })
    await agent.session('alice', async (s) => {
      left = () => s.remaining().usd
      const modelSettings = { maxTokens: 5, providerData: { max_output_tokens: 500 } }
      await model.getResponse(request({}, { modelSettings }))
    })
    expect(held).toBe(0)
  })

  test('hosted tools and background responses are refused, unless they may be observed', async () => {
    const { agent } = b()
    const answer = async () => ({ usage: { inputTokens: 1, outputTokens: 1 }, output: [] }) as never
    const cases: Partial<Request>[] = [
      { tools: [{ type: 'hosted_tool', name: 'web_search', providerData: {} }] },
      { tools: [{ type: 'shell', name: 'shell', environment: { type: 'container_auto' } } as never] },
      { modelSettings: { providerData: { background: true } } },
    ]
    for (const more of cases) {
      await agent.session('alice', async () => {
        expect(await rejection(fake(answer).getResponse(request({}, more)))).toBeInstanceOf(UnmeteredRequest)
        const observed = governedModel(fake(answer), {
          model: MODEL,
          unmetered: 'observe',
          outside: 'observe',
        })
        expect(String(await rejection(observed.getResponse(request({}, more))))).toContain('not metered')
      })
    }
  })
})

test('what cannot be used is refused', async () => {
  const model: Model = { getResponse: async () => ({}) as never, getStreamedResponse: () => ({}) as never }
  expect(thrown(() => governedModel(model, {} as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel({} as never, { model: MODEL }))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(model, { model: MODEL, fetch } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedModel(model, { model: '' }))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedProvider({} as never))).toBeInstanceOf(TypeError)
  const models = governedProvider({ getModel: () => model })
  expect(await rejection(Promise.resolve(models.getModel()))).toBeInstanceOf(TypeError)
})
