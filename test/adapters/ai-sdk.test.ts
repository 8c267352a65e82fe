import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, UnmeteredRequest } from 'writ'
import { COVERAGE, type GovernedModelOptions, governedMiddleware, governModel } from 'writ/ai-sdk'
import { governedFetch } from 'writ/openai'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { MAJORS, type Major, scripted } from './ai-sdk-majors.js'
import { openAiWire } from './openai-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

const prompt = 'hi'
const given = ({ maxTokens, signal }: Ask = {}) => ({
  prompt,
  ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
  ...(signal === undefined ? {} : { abortSignal: signal }),
})
const connected = (
  { createOpenAI }: Major,
  { origin }: Pick<Provider, 'origin'>,
  api: 'chat' | 'responses' = 'chat',
  model: string = MODEL,
  more: object = {},
) => createOpenAI({ apiKey: 'none', baseURL: `${origin}/v1`, ...more })[api](model)

for (const major of MAJORS) {
  const { ai } = major
  for (const api of ['chat', 'responses'] as const) {
    adapterSuite(`ai ${major.major} ${api}`, {
      readsOn: true,
      wire: openAiWire,
      abortError: 'DOMException',
      client: (provider, options) => {
        const modelOf = ({ model = MODEL }: Ask) =>
          governModel(connected(major, provider, api, model), options)
        return {
          ask: async (ask = {}) => (await ai.generateText({ model: modelOf(ask), ...given(ask) })).text,
          stream: async function* (ask = {}) {
            const result = ai.streamText({ model: modelOf(ask), ...given(ask), onError: () => undefined })
            let isSilent = true
            for await (const piece of result.textStream) {
              isSilent = false
              yield piece
            }
            // A stream that is aborted ends; what was made of it is what rejects.
            if (isSilent) await result.text
          },
        }
      },
    })
  }
}

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: 'hello', tokens: TOKENS }
const pieces = (count: number): string[] => Array.from({ length: count }, () => 'abc')

describe.each(MAJORS.map((major) => [major.major, major] as const))('ai %i', (_name, major) => {
  const { ai, spec } = major
  const serve = async (plans: Plan[], budget: object = { usd: 100 }, options: GovernedModelOptions = {}) => {
    const provider = await provide(openAiWire, ...plans)
    return { provider, model: governModel(connected(major, provider), options), b: bench({ budget, prices }) }
  }

  test('a middleware governs a model, and all models of a provider', async () => {
    const provider = await provide(openAiWire, reply)
    const b = bench({ budget: { usd: 100 }, prices })
    const wrapped = ai.wrapLanguageModel({
      model: connected(major, provider),
      middleware: [ai.defaultSettingsMiddleware({ settings: { maxOutputTokens: 50 } }), governedMiddleware()],
    })
    const all = ai.wrapProvider({
      provider: major.createOpenAI({ apiKey: 'none', baseURL: `${provider.origin}/v1` }),
      languageModelMiddleware: governedMiddleware({ model: MODEL }),
    })
    await b.agent.session('alice', async () => {
      expect((await ai.generateText({ model: wrapped, prompt })).text).toBe('hello')
      expect((await ai.generateText({ model: all.languageModel('other'), prompt })).text).toBe('hello')
    })
    expect(b.payloads('llm_call')).toMatchObject([{ model: MODEL }, { model: MODEL }])
  })

  test('a refusal after a try that failed is not wrapped, nor tried again', async () => {
    const busy: Plan = { kind: 'status', status: 429, headers: { 'retry-after-ms': '1' } }
    const { provider, model, b } = await serve([busy, reply], { llmCalls: 1 })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(ai.generateText({ model, prompt, maxOutputTokens: 50 }))
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(killed)
    expect(provider.asked).toHaveLength(1)
  })

  test('an answer that cannot be read is charged what was held', async () => {
    const raw: Plan = { kind: 'raw', answer: (response) => response.end('{') }
    const { model, b } = await serve([raw])
    await b.agent.session('alice', () =>
      rejection(ai.generateText({ model, ...given({ maxTokens: 50 }), maxRetries: 0 })),
    )
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', priced_by: 'reservation' }])
  })

  test('a stream that is refused says so to onError, to who reads and to who awaits', async () => {
    const { provider, model, b } = await serve([reply], { usd: 0.05 })
    await rejection(
      b.agent.session('alice', async () => {
        const told: unknown[] = []
        const result = ai.streamText({
          model,
          prompt,
          maxOutputTokens: 50,
          onError: ({ error }) => {
            told.push(error)
          },
        })
        const read = async () => {
          for await (const _piece of result.textStream);
        }
        const error = await rejection(read())
        expect(error).toBeInstanceOf(BudgetExceeded)
        expect(told).toEqual([error])
        expect(await rejection(result.text)).toBe(error)
      }),
    )
    expect(provider.asked).toHaveLength(0)
  })

  test('a UI hears of a stream that is cut', async () => {
    const { model, b } = await serve([{ kind: 'stream', pieces: pieces(2000) }], { usd: 0.5 })
    const chunks: string[] = []
    const read = async () => {
      const result = ai.streamText({ model, prompt, onError: () => undefined })
      for await (const { type } of result.toUIMessageStream()) chunks.push(type)
    }
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(read())
        await seen
      }),
    )
    expect(await seen).toBe(killed)
    expect(chunks).toContain('text-delta')
    expect(chunks.at(-1)).toBe('error')
  })

  test('a stream whose reader has gone is drained, and stops with the session', async () => {
    const cut = { after: 3, what: 'wait' } as const
    const { provider, model, b } = await serve([{ kind: 'stream', pieces: pieces(9), cut }])
    await b.agent.session('alice', async () => {
      const result = ai.streamText({ model, prompt, maxOutputTokens: 50, onError: () => undefined })
      for await (const _piece of result.textStream) break
    })
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated' }])
  })

  test('a model that is cancelled is charged and closed at once', async () => {
    const cut = { after: 3, what: 'wait' } as const
    const { provider, model, b } = await serve([{ kind: 'stream', pieces: pieces(9), cut }])
    await b.agent.session('alice', async () => {
      const { stream } = await model.doStream({
        prompt: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
        maxOutputTokens: 50,
      })
      const reader = stream.getReader()
      while ((await reader.read()).value?.type !== 'text-delta');
      await reader.cancel()
      expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', error: { name: 'AbortError' } }])
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    })
  })

  test('an object is metered, and so is an output with a schema', async () => {
    const { model, b } = await serve([{ kind: 'reply', text: '{"n":1}', tokens: TOKENS }])
    const schema = z.object({ n: z.number() })
    await b.agent.session('alice', async () => {
      expect((await ai.generateObject({ model, prompt, schema })).object).toEqual({ n: 1 })
      const { output } = await ai.generateText({ model, prompt, output: ai.Output.object({ schema }) })
      expect(output).toEqual({ n: 1 })
    })
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  test('embeddings are metered', async () => {
    const provider = await provide(openAiWire, { kind: 'reply', text: '', tokens: { input: 10, output: 0 } })
    const openai = major.createOpenAI({ apiKey: 'none', baseURL: `${provider.origin}/v1` })
    const model = governModel(openai.embedding(MODEL))
    const b = bench({ budget: { usd: 100 }, prices })
    await b.agent.session('alice', async (s) => {
      await ai.embed({ model, value: 'hi' })
      await ai.embedMany({ model, values: ['hi'] })
      const middleware = governedMiddleware()
      const wrapped = ai.wrapEmbeddingModel({ model: openai.embedding(MODEL), middleware })
      await ai.embed({ model: wrapped, value: 'hi' })
      expect(s.usage()).toMatchObject({ usd: 0.03, llmCalls: 3 })
    })
    expect(await rejection(ai.embed({ model, value: 'hi' }))).toMatchObject({ code: 'ERR_NO_SESSION' })
    expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, output_tokens: 0 }, {}, {}])
  })

  describe('nothing is counted twice', () => {
    test.each(['generateText', 'streamText'] as const)(
      'a governed client in a governed model is refused (%s)',
      async (how) => {
        const provider = await provide(openAiWire, reply)
        const model = governModel(connected(major, provider, 'chat', MODEL, { fetch: governedFetch() }))
        const b = bench({ budget: { usd: 100 }, prices })
        await b.agent.session('alice', async (s) => {
          const told: unknown[] = []
          const onError = ({ error }: { error: unknown }): void => {
            told.push(error)
          }
          const ask = { model, ...given({ maxTokens: 50 }) }
          const asked =
            how === 'generateText' ? ai.generateText(ask) : ai.streamText({ ...ask, onError }).text
          const error = await rejection(asked)
          expect(String(told[0] ?? error)).toContain('metered already')
          expect(s.state).toBe('open')
        })
        expect(provider.asked).toHaveLength(0)
      },
    )

    test('a model that is governed twice is refused', async () => {
      const { model, b, provider } = await serve([reply])
      await b.agent.session('alice', async () => {
        const asked = ai.generateText({ model: governModel(model), ...given({ maxTokens: 50 }) })
        expect(String(await rejection(asked))).toContain('metered already')
      })
      expect(provider.asked).toHaveLength(0)
    })

    test('a governed client alone meters runs as well', async () => {
      const provider = await provide(openAiWire, reply)
      const model = connected(major, provider, 'chat', MODEL, { fetch: governedFetch() })
      const b = bench({ budget: { usd: 100 }, prices })
      await b.agent.session('alice', () => ai.generateText({ model, ...given({ maxTokens: 50 }) }))
      expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, output_tokens: 20 }])
    })
  })

  test('tools that the provider executes are refused, unless they may be observed', async () => {
    const { provider, b } = await serve([reply])
    const { tools } = major.createOpenAI({ apiKey: 'none' })
    const ask = async (options: GovernedModelOptions, hosted: object) => {
      const model = governModel(connected(major, provider, 'responses'), options)
      return ai.generateText({ model, tools: { hosted } as never, ...given({ maxTokens: 50 }) })
    }
    await b.agent.session('alice', async () => {
      expect(await rejection(ask({}, tools.webSearch({})))).toBeInstanceOf(UnmeteredRequest)
      expect(provider.asked).toHaveLength(0)
      await ask({ unmetered: 'observe' }, tools.webSearch({}))
      await ask({}, tools.localShell({}))
    })
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  describe('models that do not behave', () => {
    const fake = (doGenerate: (params: never) => unknown, options: GovernedModelOptions = {}) => {
      const { ungoverned } = scripted(spec, [])
      return governModel({ ...ungoverned, doGenerate } as typeof ungoverned, options)
    }
    const answer = (usage: object) => async () => ({
      content: [{ type: 'text', text: 'abc' }],
      finishReason: { unified: 'stop', raw: 'stop' },
      usage,
      warnings: [],
    })

    test('one that ignores its signal does not outlive the session', async () => {
      const { agent, clock, payloads } = bench({ budget: { usd: 100, wallMs: 1000 }, prices })
      const model = fake(() => new Promise(() => undefined))
      let seen: Promise<unknown> | undefined
      const error = await rejection(
        agent.session('alice', async () => {
          seen = rejection(ai.generateText({ model, ...given({ maxTokens: 50 }) }))
          await new Promise((resolve) => setImmediate(resolve))
          clock.advance(1001)
          await seen
        }),
      )
      expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
      expect(await seen).toBe(error)
      expect(payloads('llm_call')).toMatchObject([{ priced_by: 'reservation' }])
    })

    const streaming = (doStream: (params: never) => unknown) => {
      const { ungoverned } = scripted(spec, [])
      return governModel({ ...ungoverned, doStream } as typeof ungoverned)
    }
    /** What a stream fails with when a session ends of its deadline. */
    const dying = async (model: ReturnType<typeof streaming>, isBegun: boolean) => {
      const { agent, clock, payloads } = bench({ budget: { usd: 100, wallMs: 1000 }, prices })
      const told: unknown[] = []
      let seen: Promise<unknown> | undefined
      const killed = await rejection(
        agent.session('alice', async () => {
          const onError = ({ error }: { error: unknown }): void => {
            told.push(error)
          }
          const result = ai.streamText({ model, ...given({ maxTokens: 50 }), onError })
          const read = async () => {
            for await (const _piece of result.textStream) clock.advance(1001)
          }
          seen = rejection(read())
          await new Promise((resolve) => setTimeout(resolve, 5))
          if (!isBegun) clock.advance(1001)
          await seen
        }),
      )
      expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
      expect(await seen).toBe(killed)
      expect(told).toEqual([killed])
      expect(payloads('llm_call')).toMatchObject([{ metering: 'estimated' }])
    }

    test('a stream that is never begun, and one that never ends, do not outlive the session', async () => {
      await dying(
        streaming(() => new Promise(() => undefined)),
        false,
      )
      let cancelled: unknown
      const stream = new ReadableStream({
        start: (controller) => {
          controller.enqueue({ type: 'stream-start', warnings: [] })
          controller.enqueue({ type: 'text-start', id: 't' })
          controller.enqueue({ type: 'text-delta', id: 't', delta: 'abc' })
        },
        cancel: (reason) => {
          cancelled = reason
        },
      })
      await dying(
        streaming(async () => ({ stream })),
        true,
      )
      expect(cancelled).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' })
    })

    test('the input of a tool counts once, and a stream without an end at its end', async () => {
      const { agent, payloads } = bench({ budget: { usd: 100 }, prices })
      const stream = ReadableStream.from([
        { type: 'stream-start', warnings: [] },
        { type: 'tool-input-start', id: 'c', toolName: 'abc' },
        { type: 'tool-input-delta', id: 'c', delta: '{"n":1}12' },
        { type: 'tool-input-end', id: 'c' },
        { type: 'tool-call', toolCallId: 'c', toolName: 'abc', input: '{"n":1}12' },
      ])
      await agent.session('alice', async () => {
        const model = streaming(async () => ({ stream }))
        const { stream: parts } = await model.doStream({ prompt: [], maxOutputTokens: 50 })
        for await (const _part of parts);
        expect(payloads('llm_call')).toMatchObject([{ output_tokens: 4, metering: 'estimated' }])
      })
      expect(payloads('llm_call')).toHaveLength(1)
    })

    test('what is aborted before it is made is none of the session', async () => {
      const { agent, payloads } = bench({ budget: { usd: 100 }, prices })
      const { model } = scripted(spec, [])
      await agent.session('alice', async () => {
        const ask = { prompt: [], abortSignal: AbortSignal.abort() }
        expect(await rejection(model.doGenerate(ask))).toMatchObject({ name: 'AbortError' })
        expect(await rejection(model.doStream(ask))).toMatchObject({ name: 'AbortError' })
      })
      expect(payloads('llm_call')).toEqual([])
    })

    test('a response in the background, and a shell of the provider, are not metered', async () => {
      const { agent } = bench({ budget: { usd: 100 }, prices })
      const { model } = scripted(spec, [])
      const shell = (type: string) => ({
        type: 'provider' as const,
        id: 'openai.shell' as const,
        name: 'shell',
        args: { environment: { type } },
      })
      await agent.session('alice', async () => {
        const background = { prompt: [], providerOptions: { openai: { background: true } } }
        expect(await rejection(model.doGenerate(background))).toBeInstanceOf(UnmeteredRequest)
        const hosted = { prompt: [], tools: [shell('containerAuto')] }
        expect(await rejection(model.doGenerate(hosted))).toBeInstanceOf(UnmeteredRequest)
        await model.doGenerate({ prompt: [], tools: [shell('local')] })
      })
    })

    test('what is written to a cache counts, for an hour too', async () => {
      const { agent, payloads } = bench({ budget: { usd: 100 }, prices })
      const usage = {
        inputTokens: { total: 30, noCache: 10, cacheRead: 8, cacheWrite: 12 },
        outputTokens: { total: undefined, text: 5, reasoning: 4 },
        raw: { cache_creation: { ephemeral_1h_input_tokens: 7 } },
      }
      await agent.session('alice', () => ai.generateText({ model: fake(answer(usage)), prompt }))
      expect(payloads('llm_call')).toMatchObject([
        {
          input_tokens: 30,
          cached_input_tokens: 8,
          cache_write_tokens: 12,
          output_tokens: 9,
          reasoning_tokens: 4,
        },
      ])
    })

    test.each<[string, object]>([
      ['a bound of the provider', { providerOptions: { openai: { maxCompletionTokens: 500 } } }],
      ['a level of reasoning elsewhere than at OpenAI', { reasoning: 'high' }],
      ['input that is kept elsewhere', { providerOptions: { openai: { previousResponseId: 'r' } } }],
      [
        'a picture',
        {
          prompt: undefined,
          messages: [
            { role: 'user', content: [{ type: 'image', image: new Uint8Array([137, 80, 78, 71]) }] },
          ],
        },
      ],
    ])('%s holds everything that is left', async (_name, more) => {
      // Version 6 knows no levels.
      if (major.major === 6 && 'reasoning' in more) return
      const { agent } = bench({ budget: { usd: 100 }, prices })
      let held: number | undefined
      await agent.session('alice', async (s) => {
        const model = fake(async () => {
          held = s.remaining().usd
          return answer({ inputTokens: { total: 1 }, outputTokens: { total: 1 } })()
        })
        await ai.generateText({ model, ...given({ maxTokens: 5 }), ...more } as never)
      })
      expect(held).toBe(0)
    })

    test('a budget for thinking is held beside the bound', async () => {
      const { agent } = bench({ budget: { usd: 100 }, prices })
      let held: number | undefined
      await agent.session('alice', async (s) => {
        const model = fake(async () => {
          held = 100 - (s.remaining().usd ?? 0)
          return answer({ inputTokens: { total: 1 }, outputTokens: { total: 1 } })()
        })
        const providerOptions = { anthropic: { thinking: { type: 'enabled', budgetTokens: 1000 } } }
        await ai.generateText({ model, ...given({ maxTokens: 5 }), providerOptions })
      })
      expect(held).toBeGreaterThan(2.01)
      expect(held).toBeLessThan(3)
    })
  })
})

test('what cannot be used is refused', () => {
  const { model } = scripted('v3', [])
  expect(thrown(() => governModel('openai/gpt-5' as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governModel({ doGenerate: () => ({}) } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governModel(model, { model: '' }))).toBeInstanceOf(TypeError)
  expect(thrown(() => governModel(model, { fetch } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governedMiddleware({ assumeOutputTokens: -1 }))).toBeInstanceOf(RangeError)
})

test('COVERAGE is what the documents say, part by part', () => {
  const rows = readFileSync('docs/ai-sdk.md', 'utf8').matchAll(/^\| (.+?) \| \*\*(\w+)\*\*/gm)
  expect([...rows].map(([, part, governance]) => ({ part, governance }))).toEqual(COVERAGE)
  expect(Object.isFrozen(COVERAGE)).toBe(true)
})
