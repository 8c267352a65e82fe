import { getEventListeners, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, defineTool, UnmeteredRequest } from 'writ'
import { COVERAGE, governedFetch, type OpenAiOptions, runFunctionCalls, runToolCalls } from 'writ/openai'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { openAiWire, sse } from './openai-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

const governed = ({ origin }: Pick<Provider, 'origin'>, options: OpenAiOptions = {}): OpenAI =>
  new OpenAI({ apiKey: 'none', baseURL: `${origin}/v1`, fetch: governedFetch(options) })

const messages = [{ role: 'user' as const, content: 'hi' }]

adapterSuite('openai chat completions', {
  wire: openAiWire,
  abortError: 'APIUserAbortError',
  client: (provider, options) => {
    const { completions } = governed(provider, options).chat
    const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) =>
      [
        { model, messages, ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens }) },
        signal === undefined ? {} : { signal },
      ] as const
    return {
      ask: async (ask) => {
        const [body, more] = request(ask)
        return (await completions.create(body, more)).choices[0]?.message.content ?? ''
      },
      stream: async function* (ask) {
        const [body, more] = request(ask)
        // As most programs are written: there is always a choice.
        for await (const { choices } of await completions.create({ ...body, stream: true }, more)) {
          const { content } = choices[0]!.delta
          if (content) yield content
        }
      },
    }
  },
})

adapterSuite('openai responses', {
  wire: openAiWire,
  abortError: 'APIUserAbortError',
  client: (provider, options) => {
    const { responses } = governed(provider, options)
    const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) =>
      [
        { model, input: 'hi', ...(maxTokens === undefined ? {} : { max_output_tokens: maxTokens }) },
        signal === undefined ? {} : { signal },
      ] as const
    return {
      ask: async (ask) => {
        const [body, more] = request(ask)
        return (await responses.create(body, more)).output_text
      },
      stream: async function* (ask) {
        const [body, more] = request(ask)
        for await (const event of await responses.create({ ...body, stream: true }, more)) {
          if (event.type === 'response.output_text.delta') yield event.delta
        }
      },
    }
  },
})

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: '{"a":1}', tokens: TOKENS }
const stream: Plan = { kind: 'stream', pieces: ['abc', 'def'], tokens: TOKENS }
const create = { model: MODEL, messages, max_tokens: 50 }

async function serve(plan: Plan, options: OpenAiOptions = {}, budget: object = { usd: 100 }) {
  const provider = await provide(openAiWire, plan)
  return { provider, openai: governed(provider, options), b: bench({ budget, prices }) }
}

describe('every way to call', () => {
  const schema = { type: 'json_schema', json_schema: { name: 'a', schema: {} } } as const
  test.each<[string, Plan, (openai: OpenAI) => unknown]>([
    ['parse', reply, (openai) => openai.chat.completions.parse({ ...create, response_format: schema })],
    ['withResponse', reply, (openai) => openai.chat.completions.create(create).withResponse()],
    [
      'asResponse',
      reply,
      async (openai) => (await openai.chat.completions.create(create).asResponse()).json(),
    ],
    ['stream', stream, (openai) => openai.chat.completions.stream(create).finalContent()],
    [
      'responses.parse',
      reply,
      (openai) => openai.responses.parse({ model: MODEL, input: 'hi', max_output_tokens: 50 }),
    ],
    [
      'responses.stream',
      stream,
      (openai) => openai.responses.stream({ model: MODEL, input: 'hi', max_output_tokens: 50 }).done(),
    ],
    [
      'completions',
      reply,
      (openai) => openai.completions.create({ model: MODEL, prompt: 'hi', max_tokens: 50 }),
    ],
    ['withOptions', reply, (openai) => openai.withOptions({ maxRetries: 0 }).chat.completions.create(create)],
    [
      'runTools',
      reply,
      (openai) => openai.chat.completions.runTools({ ...create, tools: [] }).finalContent(),
    ],
  ])('%s is metered', async (_name, plan, call) => {
    const { openai, b } = await serve(plan)
    await b.agent.session('alice', async () => {
      await call(openai)
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { input_tokens: 10, output_tokens: 20, metering: 'reported', enforcement: 'enforced' },
    ])
  })

  test('embeddings are metered, and hold no output', async () => {
    const { openai, b } = await serve(reply, {}, { usd: 0.05 })
    await b.agent.session('alice', async () => {
      await openai.embeddings.create({ model: MODEL, input: 'hi', encoding_format: 'float' })
    })
    expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, output_tokens: 0, cost_usd: 0.01 }])
  })

  test('a helper wraps a refusal once, with the refusal as its cause, and does not try again', async () => {
    const { openai, provider, b } = await serve(reply, {}, { usd: 0.01 })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(openai.chat.completions.stream(create).finalContent())
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(((await seen) as Error).cause).toBe(killed)
    expect(provider.asked).toHaveLength(0)
  })
})

describe('usage of streams', () => {
  const chunks = async (openai: OpenAI, more: object = {}) => {
    const seen: OpenAI.ChatCompletionChunk[] = []
    for await (const chunk of await openai.chat.completions.create({ ...create, stream: true, ...more }))
      seen.push(chunk)
    return seen
  }

  test('is asked for, and the chunk that brings it is hidden from who did not ask', async () => {
    const { openai, provider, b } = await serve(stream)
    const seen = await b.agent.session('alice', () => chunks(openai))
    expect(provider.asked[0]?.body).toMatchObject({ stream_options: { include_usage: true } })
    expect(seen.map(({ choices }) => choices.length)).toEqual([1, 1, 1])
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20, metering: 'reported' }])
  })

  test('is not hidden from who asks for it', async () => {
    const { openai } = await serve(stream)
    const b = bench({ budget: { usd: 100 }, prices })
    const seen = await b.agent.session('alice', () =>
      chunks(openai, { stream_options: { include_usage: true } }),
    )
    expect(seen.at(-1)?.usage).toMatchObject({ completion_tokens: 20 })
  })

  test('is left alone where that was said, and an estimate charged', async () => {
    const { openai, provider, b } = await serve(stream, { includeUsage: false })
    await b.agent.session('alice', () => chunks(openai))
    expect(provider.asked[0]?.body).not.toHaveProperty('stream_options')
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 2, metering: 'estimated' }])
  })

  test('of a response that failed or is incomplete is charged', async () => {
    for (const status of ['failed', 'incomplete']) {
      const usage = { input_tokens: 3, output_tokens: 4 }
      const event = { type: `response.${status}`, response: { status, usage } }
      const { openai, b } = await serve({
        kind: 'raw',
        answer: (response) =>
          response.writeHead(200, { 'content-type': 'text/event-stream' }).end(sse(event)),
      })
      await b.agent.session('alice', async () => {
        for await (const _event of await openai.responses.create({
          model: MODEL,
          input: 'hi',
          stream: true,
        }));
      })
      expect(b.payloads('llm_call')).toMatchObject([
        { input_tokens: 3, output_tokens: 4, metering: 'reported' },
      ])
    }
  })
})

describe('usage in its shapes', () => {
  const charged = async (usage: unknown) => {
    const b = bench({ budget: { usd: 100 }, prices })
    const fetch = governedFetch({ fetch: async () => Response.json({ usage }) })
    const body = JSON.stringify(create)
    await b.agent.session('alice', async () => {
      await (await fetch('http://x/v1/chat/completions', { method: 'POST', body })).text()
    })
    return b.payloads('llm_call')[0]
  }
  test.each<[object, object]>([
    [
      { prompt_tokens: 5, completion_tokens: 6 },
      { input_tokens: 5, output_tokens: 6 },
    ],
    [
      { input_tokens: 5, output_tokens: 6 },
      { input_tokens: 5, output_tokens: 6 },
    ],
    [
      { prompt_tokens: 5, total_tokens: 5 },
      { input_tokens: 5, output_tokens: 0 },
    ],
    [{ total_tokens: 7 }, { input_tokens: 7, output_tokens: 0 }],
    [
      { prompt_tokens: 5, completion_tokens: 6, total_tokens: 20 },
      { input_tokens: 5, output_tokens: 15 },
    ],
    [
      { prompt_tokens: 5, completion_tokens: 6, completion_tokens_details: { reasoning_tokens: 9 } },
      { output_tokens: 15, reasoning_tokens: 9 },
    ],
    [
      { prompt_tokens: 5, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 90 } },
      { input_tokens: 95, cached_input_tokens: 90 },
    ],
    [
      {
        input_tokens: 9,
        output_tokens: 1,
        input_tokens_details: { cached_tokens: 2, cache_write_tokens: 3 },
      },
      { input_tokens: 9, cached_input_tokens: 2, cache_write_tokens: 3 },
    ],
    [
      { prompt_tokens: 5, completion_tokens: 6, prompt_tokens_details: null },
      { input_tokens: 5, cached_input_tokens: 0 },
    ],
  ])('%j', async (usage, expected) => {
    expect(await charged(usage)).toMatchObject({ ...expected, metering: 'reported' })
  })

  test.each([[{ prompt_tokens: -5, completion_tokens: 6 }], [{ prompt_tokens: 0.5, completion_tokens: 6 }]])(
    'a report that cannot be charged is refused, and all that was held is charged: %j',
    async (usage) => {
      const b = bench({ budget: { usd: 100 }, prices })
      const fetch = governedFetch({ fetch: async () => Response.json({ usage }) })
      await b.agent.session('alice', async (s) => {
        const response = await fetch('http://x/completions', { method: 'POST', body: JSON.stringify(create) })
        expect(thrown(() => response.ok)).toMatchObject({ code: 'ERR_USAGE_INVALID' })
        expect(s.usage().usd).toBeGreaterThan(0.1)
      })
    },
  )
})

describe('what is declared is what happens', () => {
  const made = async (method: string, path: string, options: OpenAiOptions = {}) => {
    const b = bench({ budget: { usd: 100 }, prices })
    let sent = 0
    const fetch = governedFetch({
      ...options,
      fetch: async () => {
        sent += 1
        return Response.json({ usage: { prompt_tokens: 1, completion_tokens: 1 } })
      },
    })
    let refusal: unknown
    await b.agent.session('alice', async () => {
      const body = method === 'POST' ? { body: JSON.stringify(create) } : {}
      const response = await fetch(`http://x/v1${path}`, { method, ...body })
      try {
        await response.text()
      } catch (error) {
        refusal = error
      }
    })
    return { sent, refusal, records: b.payloads('llm_call') }
  }
  const requests = COVERAGE.filter(({ governance }) => governance !== 'outside').map(
    ({ method, path, governance }) =>
      [
        method === 'any other' ? 'PUT' : method,
        path.replace('/**', '/some/thing').replaceAll('*', 'id_1'),
        governance,
      ] as const,
  )

  test.each([
    ...requests,
    ['POST', '/images/generations', 'unmetered'],
    ['POST', '/audio/speech', 'unmetered'],
    ['POST', '/batches', 'unmetered'],
    ['POST', '/fine_tuning/jobs', 'unmetered'],
    ['POST', '/threads/id_1/runs', 'unmetered'],
    ['POST', '/whatever/comes/next', 'unmetered'],
  ] as const)('%s %s is %s', async (method, path, governance) => {
    const { sent, refusal, records } = await made(method, path)
    if (governance === 'unmetered') {
      expect(refusal).toBeInstanceOf(UnmeteredRequest)
      expect(sent).toBe(0)
      const passed = await made(method, path, { unmetered: 'observe' })
      expect(passed.sent).toBe(1)
      expect(passed.records).toMatchObject([{ enforcement: 'observed', metering: 'estimated', cost_usd: 0 }])
      return
    }
    expect([refusal, sent]).toEqual([undefined, 1])
    expect(records).toMatchObject(
      governance === 'metered' ? [{ enforcement: 'enforced', input_tokens: 1 }] : [],
    )
  })

  test('every metered endpoint refuses outside of a session, and so does every free one', async () => {
    let sent = 0
    const fetch = governedFetch({
      fetch: async () => {
        sent += 1
        return new Response()
      },
    })
    for (const [method, path] of requests) {
      const response = await fetch(`http://x${path}`, { method })
      expect(thrown(() => response.status)).toMatchObject({ code: 'ERR_NO_SESSION' })
    }
    expect(sent).toBe(0)
  })

  test('a request as an object keeps its own signal, and what cannot be read of it is not sent', async () => {
    const { agent } = bench({ budget: { usd: 1 }, prices })
    const abort = new AbortController()
    let sent = 0
    const fetch = governedFetch({
      fetch: (_input, init) => {
        sent += 1
        return new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        })
      },
    })
    await agent.session('alice', async () => {
      const pending = rejection(fetch(new Request('http://x/v1/models', { signal: abort.signal })))
      abort.abort(new RangeError('enough'))
      expect(await pending).toBeInstanceOf(RangeError)
      const body = JSON.stringify({ model: MODEL, messages })
      const request = new Request('http://x/v1/chat/completions', { method: 'POST', body })
      const response = await fetch(request)
      expect(thrown(() => response.status)).toBeInstanceOf(TypeError)
    })
    expect(sent).toBe(1)
  })

  test.each<[string, object]>([
    ['a response in the background', { background: true }],
    ['the hosted tool "web_search"', { tools: [{ type: 'web_search' }] }],
    ['the hosted tool "mcp"', { tools: [{ type: 'function', name: 'f' }, { type: 'mcp' }] }],
    ['the hosted tool undefined', { tools: [null] }],
    ['web_search_options', { web_search_options: {} }],
  ])('%s is refused unless it may pass', async (what, part) => {
    const { openai, provider, b } = await serve(reply)
    const body = { ...create, ...part }
    await b.agent.session('alice', async () => {
      expect(await rejection(openai.chat.completions.create(body))).toMatchObject({ what })
    })
    expect(provider.asked).toHaveLength(0)
    const lenient = governed(provider, { unmetered: 'observe' })
    await b.agent.session('alice', async () => {
      await lenient.chat.completions.create(body)
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })
})

describe('what is held', () => {
  const together = async (body: object, options: OpenAiOptions = {}) => {
    const { openai, b } = await serve(reply, options, { usd: 10 })
    return b.agent.session('alice', async () => {
      const ask = () => openai.chat.completions.create({ model: MODEL, messages, ...body })
      const outcomes = await Promise.allSettled([ask(), ask()])
      return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
    })
  }
  const refused = [undefined, expect.any(BudgetReserved)]
  test.each<[string, object, OpenAiOptions, unknown[]]>([
    ['a bound', { max_tokens: 50 }, {}, [undefined, undefined]],
    ['a bound for each of many choices', { max_tokens: 50, n: 60 }, {}, refused],
    ['no bound: everything', {}, {}, refused],
    ['what is assumed', {}, { assumeOutputTokens: 50 }, [undefined, undefined]],
    ['everything for input on the server', { max_tokens: 50, previous_response_id: 'r' }, {}, refused],
    [
      'everything for a picture',
      {
        max_tokens: 50,
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }],
      },
      {},
      refused,
    ],
    [
      'what somebody knows of the input',
      { max_tokens: 50, previous_response_id: 'r' },
      { estimateInputTokens: () => 100 },
      [undefined, undefined],
    ],
  ])('%s', async (_name, body, options, expected) => {
    expect(await together(body, options)).toEqual(expected)
  })

  test('output beyond what was assumed is held as it arrives', async () => {
    const { openai, b } = await serve(
      {
        kind: 'stream',
        pieces: Array.from({ length: 300 }, () => 'abc'),
        tokens: { input: 10, output: 300 },
      },
      { assumeOutputTokens: 2 },
    )
    await b.agent.session('alice', async (s) => {
      let least = 100
      for await (const _chunk of await openai.chat.completions.create({
        model: MODEL,
        messages,
        stream: true,
      })) {
        least = Math.min(least, s.remaining().usd ?? 0)
      }
      expect(least).toBeLessThan(99.45)
      expect(s.usage().usd).toBe(0.61)
    })
  })
})

test('nothing is left on the signal of the caller, or on that of the session', async () => {
  const { openai, b } = await serve(stream)
  const signal = new AbortController().signal
  let inner: AbortSignal | undefined
  const fetch = governedFetch({ fetch: async () => Response.json({}) })
  await b.agent.session('alice', async (s) => {
    const body = JSON.stringify(create)
    for (let call = 0; call < 20; call += 1) {
      await fetch('http://x/v1/chat/completions', { method: 'POST', body, signal })
      for await (const _chunk of await openai.chat.completions.create({ ...create, stream: true }));
    }
    inner = s.signal
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(getEventListeners(inner, 'abort')).toHaveLength(0)
  })
})

test('a stream that is read without a client is metered as well, cancelled or read to its end', async () => {
  const { provider, b } = await serve({
    kind: 'stream',
    pieces: ['abc', 'def', 'ghi'],
    cut: { after: 2, what: 'wait' },
  })
  const fetch = governedFetch()
  const { signal } = new AbortController()
  const body = JSON.stringify({ ...create, stream: true })
  await b.agent.session('alice', async () => {
    const response = await fetch(`${provider.origin}/v1/chat/completions`, { method: 'POST', body, signal })
    const reader = response.body?.getReader()
    await reader?.read()
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await reader?.cancel()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated' }])

    const { provider: other } = await serve(stream)
    const url = `${other.origin}/v1/chat/completions`
    await (await fetch(url, { method: 'POST', body, signal })).text()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

test('a call that the end of its session stops is refused, and is no broken connection to try again', async () => {
  const { provider, b } = await serve({ kind: 'silence' })
  const s = b.agent.open('alice')
  const url = `${provider.origin}/v1/chat/completions`
  const pending = governedFetch({ session: s })(url, { method: 'POST', body: JSON.stringify(create) })
  await provider.arrived(1)
  await s.close()
  const response = await pending
  expect(thrown(() => response.headers)).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
})

test('a request that costs nothing is refused by a dead session, and ends with a live one', async () => {
  const { provider, b } = await serve({ kind: 'silence' })
  const s = b.agent.open('alice')
  const openai = governed(provider, { session: s })
  const pending = rejection(Promise.resolve(openai.models.list()))
  await provider.arrived(1)
  await s.close()
  expect(await pending).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
  expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  expect(await rejection(Promise.resolve(openai.models.list()))).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
  const counted = bench({ budget: { llmCalls: 0 }, prices })
  const killed = counted.agent.open('alice')
  thrown(() => killed.reserve({ model: MODEL }))
  const listing = governed(provider, { session: killed }).models.list()
  expect(await rejection(Promise.resolve(listing))).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' })
  expect(provider.asked).toHaveLength(1)
})

test('a connection that was never made costs nothing', async () => {
  const b = bench({ budget: { usd: 100 }, prices })
  // Nobody listens there any more.
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const openai = governed({ origin: `http://127.0.0.1:${port}` }).withOptions({ maxRetries: 0 })
  await b.agent.session('alice', async () => {
    expect(await rejection(openai.chat.completions.create(create))).toBeInstanceOf(OpenAI.APIConnectionError)
  })
  expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0, error: { name: 'TypeError' } }])
})

describe('tool calls', () => {
  const look_up = defineTool({
    inputSchema: z.object({ id: z.number() }),
    when: ({ id }) => id > 0,
    execute: async ({ id }) => ({ id, found: true }),
  })
  const call = (id: string, name: string, text: string) =>
    ({ id, type: 'function', function: { name, arguments: text } }) as const

  test('are answered in their order, and a denial is an answer', async () => {
    const b = bench({ budget: { toolCalls: 9 }, tools: { look_up } })
    const answers = await b.agent.session('alice', (s) =>
      runToolCalls(s, [
        call('1', 'look_up', '{"id":7}'),
        call('2', 'look_up', '{"id":-7}'),
        call('3', 'payOut', '{}'),
        call('4', 'look_up', 'not json'),
        { id: '5', type: 'custom', custom: { name: 'look_up', input: '{"id":8}' } },
      ]),
    )
    expect(answers.map(({ tool_call_id }) => tool_call_id)).toEqual(['1', '2', '3', '4', '5'])
    const said = answers.map(({ content }) => JSON.parse(content as string))
    expect(said).toMatchObject([
      { id: 7, found: true },
      { error: { reason: 'predicate_false' } },
      { error: { reason: 'not_registered' } },
      { error: { code: 'ERR_TOOL_NOT_PERMITTED' } },
      { id: 8 },
    ])
    expect(await b.agent.session('alice', (s) => runToolCalls(s, undefined))).toEqual([])
  })

  test('of the responses API are answered too', async () => {
    const b = bench({ budget: { toolCalls: 9 }, tools: { look_up } })
    const output = [
      { type: 'reasoning', id: 'r', summary: [] },
      { type: 'function_call', call_id: 'c', name: 'look_up', arguments: '{"id":7}' },
    ] as const
    const answers = await b.agent.session('alice', (s) =>
      runFunctionCalls(s, output as unknown as Parameters<typeof runFunctionCalls>[1]),
    )
    expect(answers).toEqual([{ type: 'function_call_output', call_id: 'c', output: '{"id":7,"found":true}' }])
  })

  test('end the run when the session is killed', async () => {
    const b = bench({ budget: { toolCalls: 1 }, tools: { look_up } })
    const calls = [call('1', 'look_up', '{"id":7}'), call('2', 'look_up', '{"id":7}')]
    expect(await rejection(b.agent.session('alice', (s) => runToolCalls(s, calls)))).toBeInstanceOf(
      BudgetExceeded,
    )
  })
})

describe('bad input', () => {
  test.each<[unknown, RegExp]>([
    [null, /expected options/],
    [{ sesion: 1 }, /unknown option sesion/],
    [{ session: {} }, /session: expected a session/],
    [{ outside: 'allow' }, /outside: expected 'refuse' or 'observe'/],
    [{ unmetered: true }, /unmetered: expected/],
    [{ fetch: 1 }, /fetch: expected a function/],
    [{ assumeOutputTokens: -1 }, /assumeOutputTokens: expected an integer/],
    [{ includeUsage: 'no' }, /includeUsage: expected a boolean/],
  ])('options %j', (options, message) => {
    expect(thrown(() => governedFetch(options as OpenAiOptions))).toMatchObject({
      message: expect.stringMatching(message),
    })
  })

  test.each<[unknown, RegExp]>([
    ['not json', /text of a JSON object/],
    ['[]', /text of a JSON object/],
    [undefined, /text of a JSON object/],
    [new Uint8Array(2), /text of a JSON object/],
    ['{}', /needs a model/],
  ])('a body %s is refused: it cannot be metered', async (body, message) => {
    const b = bench({ budget: { usd: 1 } })
    const fetch = governedFetch({ fetch: async () => new Response() })
    await b.agent.session('alice', async () => {
      const response = await fetch('http://x/chat/completions', { method: 'POST', body: body as string })
      expect(thrown(() => response.ok)).toMatchObject({ message: expect.stringMatching(message) })
    })
  })

  test('the deployment of Azure names the model where the body does not', async () => {
    const b = bench({ budget: { usd: 1 }, prices })
    const fetch = governedFetch({ fetch: async () => Response.json({ usage: { total_tokens: 1 } }) })
    await b.agent.session('alice', async () => {
      const url = `http://x/openai/deployments/${MODEL}/chat/completions?api-version=1`
      await fetch(url, { method: 'POST', body: '{"messages":[],"max_tokens":1}' })
    })
    expect(b.payloads('llm_call')).toMatchObject([{ model: MODEL }])
  })
})
