import { getEventListeners } from 'node:events'
import Anthropic, { type Middleware } from '@anthropic-ai/sdk'
import { betaRefusalFallbackMiddleware } from '@anthropic-ai/sdk/lib/middleware'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, currentSession, type PriceTable, UnmeteredRequest } from 'writ'
import { COVERAGE, type GovernedCallOptions, governedMiddleware } from 'writ/anthropic'
import { bench, rejection, thrown } from '../support/agents.js'
import {
  anthropicWire,
  blockDelta,
  blockStart,
  event,
  messageEnd,
  messageEvents,
  messageOf,
  messageStart,
  sendsEvents,
  text,
  thinking,
  toolUse,
  usageOf,
} from './anthropic-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

const governed = ({ origin }: Pick<Provider, 'origin'>, options: GovernedCallOptions = {}): Anthropic =>
  new Anthropic({
    apiKey: 'none',
    baseURL: origin,
    logLevel: 'off',
    middleware: [governedMiddleware(options)],
  })

const messages = [{ role: 'user' as const, content: 'hi' }]
const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) =>
  [
    // A request without a bound, which the types of the package do not allow.
    { model, messages, max_tokens: maxTokens as number },
    signal === undefined ? {} : { signal },
  ] as const

adapterSuite('anthropic messages', {
  wire: anthropicWire,
  abortError: 'APIUserAbortError',
  client: (provider, options) => {
    const anthropic = governed(provider, options)
    return {
      ask: async (ask) => {
        const [block] = (await anthropic.messages.create(...request(ask))).content
        return block?.type === 'text' ? block.text : ''
      },
      stream: async function* (ask) {
        const [body, more] = request(ask)
        for await (const { type, ...rest } of await anthropic.messages.create(
          { ...body, stream: true },
          more,
        )) {
          if (type === 'content_block_delta' && 'delta' in rest && 'text' in rest.delta) yield rest.delta.text
        }
      },
    }
  },
})

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: '{"a":1}', tokens: TOKENS }
const stream: Plan = { kind: 'stream', pieces: ['abc', 'def'], tokens: TOKENS }
const create = { model: MODEL, messages, max_tokens: 50 }

async function serve(plan: Plan | readonly Plan[], options: GovernedCallOptions = {}, budget?: object) {
  const provider = await provide(anthropicWire, ...[plan].flat())
  return {
    provider,
    anthropic: governed(provider, options),
    b: bench({ budget: budget ?? { usd: 100 }, prices }),
  }
}

/** A client whose requests end in this function. */
const unsent = (fetch: () => Promise<Response>, options: GovernedCallOptions = {}): Anthropic =>
  new Anthropic({ apiKey: 'none', baseURL: 'http://x', fetch, middleware: [governedMiddleware(options)] })

describe('every way to call', () => {
  const format = { type: 'json_schema', schema: { type: 'object' } } as const
  test.each<[string, Plan, (anthropic: Anthropic) => unknown]>([
    ['withResponse', reply, (anthropic) => anthropic.messages.create(create).withResponse()],
    ['asResponse', reply, async (anthropic) => (await anthropic.messages.create(create).asResponse()).json()],
    ['parse', reply, (anthropic) => anthropic.messages.parse({ ...create, output_config: { format } })],
    ['stream', stream, (anthropic) => anthropic.messages.stream(create).finalText()],
    ['beta', reply, (anthropic) => anthropic.beta.messages.create(create)],
    ['beta.parse', reply, (anthropic) => anthropic.beta.messages.parse({ ...create, output_format: format })],
    ['beta.stream', stream, (anthropic) => anthropic.beta.messages.stream(create).finalText()],
    [
      'a thread',
      reply,
      (anthropic) => anthropic.beta.messages.thread({ model: MODEL, max_tokens: 50 }).send(messages[0]),
    ],
    ['toolRunner', reply, (anthropic) => anthropic.beta.messages.toolRunner({ ...create, tools: [] })],
    [
      'toolRunner, streamed and eager',
      stream,
      (anthropic) =>
        anthropic.beta.messages
          .toolRunner({ ...create, tools: [], stream: true, runToolsEagerly: true })
          .runUntilDone(),
    ],
    ['withOptions', reply, (anthropic) => anthropic.withOptions({ maxRetries: 0 }).messages.create(create)],
    ['post', reply, (anthropic) => anthropic.post('/v1/messages', { body: create })],
  ])('%s is metered', async (_name, plan, call) => {
    const { anthropic, b } = await serve(plan)
    await b.agent.session('alice', async () => {
      await call(anthropic)
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { input_tokens: 10, output_tokens: 20, metering: 'reported', enforcement: 'enforced' },
    ])
  })

  test('a client that exists becomes a governed one', async () => {
    const { provider, b } = await serve(reply)
    const plain = new Anthropic({ apiKey: 'none', baseURL: provider.origin })
    const anthropic = plain.withOptions({ middleware: [governedMiddleware()] })
    await b.agent.session('alice', () => anthropic.messages.create(create))
    await b.agent.session('alice', () =>
      plain.messages.create(create, { middleware: [governedMiddleware()] }),
    )
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  test('a helper wraps a refusal once, with the refusal as its cause, and does not try again', async () => {
    const { anthropic, provider, b } = await serve(reply, {}, { usd: 0.01 })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(anthropic.messages.stream(create).finalMessage())
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(((await seen) as Error).cause).toBe(killed)
    expect(provider.asked).toHaveLength(0)
  })

  test('a helper whose stream crosses the limit is cut, with the limit as the cause', async () => {
    const pieces = Array.from({ length: 2000 }, () => 'abc')
    const { anthropic, provider, b } = await serve(
      { kind: 'stream', pieces, tokens: TOKENS },
      {},
      { usd: 0.5 },
    )
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        const unbounded = { ...create, max_tokens: undefined as unknown as number }
        seen = rejection(anthropic.messages.stream(unbounded).finalMessage())
        await seen
      }),
    )
    expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd' })
    expect(((await seen) as Error).cause).toBe(killed)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })
})

describe('the cache', () => {
  const dear: PriceTable = {
    [MODEL]: {
      inputUsdPerMTok: 1000,
      outputUsdPerMTok: 2000,
      cachedInputUsdPerMTok: 100,
      cacheWriteUsdPerMTok: 1250,
      cacheWrite1hUsdPerMTok: 2000,
    },
  }
  const tokens = { input: 1000, output: 20, cached: 500, written5m: 100, written1h: 300, reasoning: 5 }
  /** 100 plain, 500 read, 100 for five minutes, 300 for an hour, 20 made. */
  const usd = 0.1 + 0.05 + 0.125 + 0.6 + 0.04

  test.each<[string, Plan, (anthropic: Anthropic) => PromiseLike<unknown>]>([
    [
      'a reply',
      { kind: 'reply', text: 'hi', tokens },
      (anthropic) => anthropic.messages.create({ ...create, max_tokens: 5000 }),
    ],
    [
      'a stream',
      { kind: 'stream', pieces: ['hi'], tokens },
      (anthropic) => anthropic.messages.stream({ ...create, max_tokens: 5000 }).finalMessage(),
    ],
  ])('of %s is counted as input, and priced by how long it is kept', async (_name, plan, call) => {
    const { anthropic } = await serve(plan)
    const b = bench({ budget: { usd: 100 }, prices: dear })
    await b.agent.session('alice', async () => {
      await call(anthropic)
    })
    expect(b.payloads('llm_call')).toMatchObject([
      {
        input_tokens: 1000,
        output_tokens: 20,
        cached_input_tokens: 500,
        cache_write_tokens: 400,
        cache_write_1h_tokens: 300,
        reasoning_tokens: 5,
        cost_usd: usd,
      },
    ])
  })

  test.each<[string | undefined, object, object]>([
    [undefined, { cache_creation_input_tokens: 7 }, { cache_write_tokens: 7 }],
    ['5m', { cache_creation_input_tokens: 7 }, { cache_write_tokens: 7 }],
    ['1h', { cache_creation_input_tokens: 7 }, { cache_write_tokens: 7, cache_write_1h_tokens: 7 }],
    [
      '1h',
      { cache_creation_input_tokens: 7, cache_creation: { ephemeral_5m_input_tokens: 3 } },
      { cache_write_tokens: 7, cache_write_1h_tokens: 4 },
    ],
    [
      undefined,
      { cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 } },
      { cache_write_tokens: 7, cache_write_1h_tokens: 4 },
    ],
  ])('asked for %s and reported as %j', async (ttl, usage, expected) => {
    const b = bench({ budget: { usd: 100 }, prices })
    const anthropic = unsent(async () =>
      Response.json({ type: 'message', usage: { input_tokens: 1, output_tokens: 1, ...usage } }),
    )
    const system = [{ type: 'text', text: 'be good', cache_control: { type: 'ephemeral', ttl } }] as const
    await b.agent.session('alice', () =>
      anthropic.messages.create({ ...create, system: system as unknown as Anthropic.TextBlockParam[] }),
    )
    const [record] = b.payloads('llm_call')
    expect(record).toMatchObject({ input_tokens: 8, ...expected })
    expect(record?.['cache_write_1h_tokens']).toBe(
      (expected as { cache_write_1h_tokens?: number }).cache_write_1h_tokens,
    )
  })
})

describe('usage in its shapes', () => {
  const charged = async (usage: unknown) => {
    const b = bench({ budget: { usd: 100 }, prices })
    const anthropic = unsent(async () => Response.json({ type: 'message', usage }))
    const outcome = b.agent.session('alice', async (s) => {
      const call = anthropic.messages.create(create)
      return {
        error: await call.then(
          () => undefined,
          (error: unknown) => error,
        ),
        usd: s.usage().usd,
      }
    })
    return { ...(await outcome), record: b.payloads('llm_call')[0] }
  }
  const iteration = (type: string, input_tokens: number, output_tokens: number) => ({
    type,
    input_tokens,
    output_tokens,
    cache_read_input_tokens: 1,
    cache_creation_input_tokens: 0,
    cache_creation: null,
  })

  test.each<[object, object]>([
    [
      { input_tokens: 5, output_tokens: 6 },
      { input_tokens: 5, output_tokens: 6 },
    ],
    [{ input_tokens: 5 }, { input_tokens: 5, output_tokens: 0 }],
    [
      {
        input_tokens: 5,
        output_tokens: 6,
        cache_read_input_tokens: null,
        cache_creation: null,
        iterations: null,
      },
      { input_tokens: 5, output_tokens: 6, cached_input_tokens: 0 },
    ],
    [
      { input_tokens: 5, output_tokens: 6, output_tokens_details: { thinking_tokens: 7 } },
      { output_tokens: 7, reasoning_tokens: 7 },
    ],
    [
      // A compaction is not in the totals.
      {
        input_tokens: 5,
        output_tokens: 6,
        iterations: [iteration('compaction', 50, 60), iteration('message', 5, 6)],
      },
      { input_tokens: 57, output_tokens: 66, cached_input_tokens: 2 },
    ],
    [
      { input_tokens: 500, output_tokens: 600, iterations: [iteration('message', 5, 6)] },
      { input_tokens: 501, output_tokens: 600 },
    ],
    [
      { input_tokens: 500, output_tokens: 600, iterations: [] },
      { input_tokens: 500, output_tokens: 600 },
    ],
  ])('%j', async (usage, expected) => {
    expect((await charged(usage)).record).toMatchObject({ ...expected, metering: 'reported' })
  })

  test.each([[null], [{}], [{ output_tokens: '7' }], [7]])('%j says nothing', async (usage) => {
    expect((await charged(usage)).record).toMatchObject({ metering: 'estimated' })
  })

  test.each([[{ input_tokens: -5, output_tokens: 6 }], [{ input_tokens: 5, output_tokens: 0.5 }]])(
    'a report that cannot be charged is refused, and all that was held is charged: %j',
    async (usage) => {
      const { error, usd } = await charged(usage)
      expect(error).toMatchObject({ code: 'ERR_USAGE_INVALID' })
      expect(usd).toBeGreaterThan(0.1)
    },
  )
})

describe('usage of streams', () => {
  const read = async (...events: readonly string[]) => {
    const { anthropic, b } = await serve(sendsEvents(...events))
    let error: unknown
    await b.agent.session('alice', async () => {
      try {
        for await (const _event of await anthropic.messages.create({ ...create, stream: true }));
      } catch (thrown) {
        error = thrown
      }
    })
    return { error, record: b.payloads('llm_call') }
  }
  const delta = (usage: object, stop_reason: string | null = 'end_turn') =>
    event({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage })
  const piece = blockDelta(0, { type: 'text_delta', text: 'abcdef' })

  test('is that of its end, with what only its start has', async () => {
    const cached = { input: 30, output: 20, cached: 8, written1h: 2 }
    expect((await read(...messageEvents([text('hi')], cached))).record).toMatchObject([
      { input_tokens: 30, cached_input_tokens: 8, cache_write_1h_tokens: 2, output_tokens: 20 },
    ])
    const nulls = { input_tokens: null, cache_read_input_tokens: null, output_tokens: 20 }
    const end = [delta(nulls), event({ type: 'message_stop' })]
    expect((await read(messageStart(cached), piece, ...end)).record).toMatchObject([
      { input_tokens: 30, cached_input_tokens: 8, output_tokens: 20, metering: 'reported' },
    ])
  })

  test('never gets smaller, and what only the end has counts', async () => {
    const end = [delta({ input_tokens: 0, output_tokens: 20 }), event({ type: 'message_stop' })]
    expect((await read(messageStart(TOKENS), piece, ...end)).record).toMatchObject([{ input_tokens: 10 }])
    expect((await read(messageStart(undefined), piece, ...messageEnd(TOKENS))).record).toMatchObject([
      { input_tokens: 10, output_tokens: 20, metering: 'reported' },
    ])
  })

  test('is reported where only the last event is missing', async () => {
    expect((await read(messageStart(TOKENS), piece, delta({ output_tokens: 20 }))).record).toMatchObject([
      { input_tokens: 10, output_tokens: 20, metering: 'reported' },
    ])
  })

  test.each<[string, string[], number]>([
    ['ends after its first event', [messageStart(TOKENS)], 1],
    ['ends in the middle', [messageStart(TOKENS), piece], 2],
    [
      'ends after a report that is not the last',
      [messageStart(TOKENS), delta({ output_tokens: 9 }, null)],
      9,
    ],
    ['ends without figures', [messageStart(TOKENS), piece, ...messageEnd(undefined)], 2],
    [
      'fails',
      [messageStart(TOKENS), piece, event({ type: 'error', error: { type: 'overloaded_error' } })],
      2,
    ],
  ])(
    'is estimated where it %s: the input is known, the output is what was seen',
    async (_, events, output) => {
      expect((await read(...events)).record).toMatchObject([
        { input_tokens: 10, output_tokens: output, metering: 'estimated' },
      ])
    },
  )

  test('thinking and the input of tools are output; results of tools, citations and signatures are not', async () => {
    const seen = [
      ...messageEvents([thinking('abc'), toolUse('toolu_0123456789', 'xyz', { a: 1 })], TOKENS).slice(0, -2),
      blockStart(2, { type: 'redacted_thinking', data: 'abc' }),
      blockStart(3, { type: 'web_search_tool_result', tool_use_id: 't', content: 'x'.repeat(900) }),
      blockDelta(3, { type: 'citations_delta', citation: { cited_text: 'x'.repeat(900) } }),
      'event: made_up\ndata: {"type":"made_up","text":"x"}\n\n',
    ]
    // abc, xyz, {"a":1}, abc
    expect((await read(...seen)).record).toMatchObject([{ output_tokens: 6, metering: 'estimated' }])
  })

  test('what cannot be read is charged by its length', async () => {
    const { error, record } = await read(messageStart(TOKENS), `event: x\ndata: ${'?'.repeat(30)}\n\n`)
    expect(error).toBeInstanceOf(SyntaxError)
    expect(record).toMatchObject([{ output_tokens: 10, metering: 'estimated' }])
  })

  test('abort before it begins: nothing was made, so that its input is charged, and not all that was held', async () => {
    const { anthropic, provider, b } = await serve({ kind: 'silence' })
    await b.agent.session('alice', async () => {
      const helper = anthropic.messages.stream(create)
      const pending = rejection(helper.finalMessage())
      await provider.arrived(1)
      helper.abort()
      expect(await pending).toBeInstanceOf(Anthropic.APIUserAbortError)
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { output_tokens: 0, metering: 'estimated', priced_by: 'table' },
    ])
  })

  test('abort of a helper: the partial message is there, and an estimate is charged', async () => {
    const { anthropic, provider, b } = await serve({ ...stream, cut: { after: 1, what: 'wait' } } as Plan)
    await b.agent.session('alice', async () => {
      const helper = anthropic.messages.stream(create)
      helper.on('text', () => helper.abort())
      expect(await rejection(helper.finalMessage())).toBeInstanceOf(Anthropic.APIUserAbortError)
      expect(helper.currentMessage?.usage).toMatchObject({ input_tokens: 10 })
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { input_tokens: 10, output_tokens: 1, metering: 'estimated', error: { name: 'AbortError' } },
    ])
  })
})

describe('what is declared is what happens', () => {
  const made = async (method: string, path: string, options: GovernedCallOptions = {}) => {
    const b = bench({ budget: { usd: 100 }, prices })
    let sent = 0
    const anthropic = unsent(async () => {
      sent += 1
      return Response.json({ usage: { input_tokens: 1, output_tokens: 1 } })
    }, options)
    const verb = method.toLowerCase() as 'post'
    let refusal: unknown
    await b.agent.session('alice', async () => {
      await anthropic[verb](path, method === 'POST' ? { body: create } : {}).catch((error: unknown) => {
        refusal = error
      })
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
    ['POST', '/v1/messages/batches', 'unmetered'],
    ['POST', '/v1/complete', 'unmetered'],
    ['POST', '/v1/sessions/id_1/events', 'unmetered'],
    ['POST', '/v1/agents', 'unmetered'],
    ['POST', '/v1/messages/whatever/comes/next', 'unmetered'],
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

  test('batches are refused as the package makes them, and count_tokens is free', async () => {
    const { anthropic, provider, b } = await serve(reply)
    const batch = { requests: [{ custom_id: 'a', params: create }] }
    await b.agent.session('alice', async () => {
      expect(await rejection(anthropic.messages.batches.create(batch))).toBeInstanceOf(UnmeteredRequest)
      expect(await rejection(anthropic.beta.messages.batches.create(batch))).toBeInstanceOf(UnmeteredRequest)
      await anthropic.messages.countTokens({ model: MODEL, messages })
    })
    expect(provider.asked.map(({ path }) => path)).toEqual(['/v1/messages/count_tokens'])
    expect(b.payloads('llm_call')).toEqual([])
  })

  test('every endpoint refuses outside of a session, but for credentials of the client itself', async () => {
    let sent = 0
    const anthropic = unsent(async () => {
      sent += 1
      return Response.json({})
    })
    for (const [method, path] of requests) {
      expect(await rejection(anthropic[method.toLowerCase() as 'post'](path))).toMatchObject({
        code: 'ERR_NO_SESSION',
      })
    }
    expect(sent).toBe(0)
    await anthropic.post('/v1/oauth/token')
    expect(sent).toBe(1)
  })

  const tool = { name: 'f', input_schema: { type: 'object' } }
  const added = (more: object) => [
    { role: 'user', content: 'hi' },
    { role: 'system', content: [{ type: 'tool_addition', tool: more }] },
  ]
  test.each<[string, object]>([
    [
      'the hosted tool "web_search_20250305"',
      { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
    ],
    [
      'the hosted tool "code_execution_20250825"',
      { tools: [tool, { type: 'code_execution_20250825', name: 'code_execution' }] },
    ],
    ['the hosted tool "web_fetch_20260318"', { tools: [{ type: 'web_fetch_20260318' }] }],
    ['the hosted tool "advisor_20260301"', { tools: [{ type: 'advisor_20260301' }] }],
    ['the hosted tool "mcp_toolset"', { tools: [{ type: 'mcp_toolset', mcp_server_name: 'a' }] }],
    ['the hosted tool "custom_20300101"', { tools: [{ type: 'custom_20300101' }] }],
    ['the hosted tool "server_custom"', { tools: [{ type: 'server_custom' }] }],
    ['the hosted tool undefined', { tools: [null] }],
    ['the hosted tool 7', { tools: [{ type: 7 }] }],
    ['mcp_servers', { mcp_servers: [{ type: 'url', url: 'https://x', name: 'a' }] }],
    ['fallbacks', { fallbacks: 'default' }],
    ['container', { container: { skills: [] } }],
    ['speed: "fast"', { speed: 'fast' }],
    [
      'the hosted tool "web_search_20250305"',
      { messages: added({ type: 'tool_definition', definition: { type: 'web_search_20250305' } }) },
    ],
    ['the hosted tool "mcp_tool_reference"', { messages: added({ type: 'mcp_tool_reference', name: 'a' }) }],
    [
      'the hosted tool "mcp_toolset_reference"',
      {
        messages: [
          {
            role: 'assistant',
            content: [
              {
                type: 'compaction',
                tool_changes: [{ type: 'tool_addition', tool: { type: 'mcp_toolset_reference' } }],
              },
            ],
          },
        ],
      },
    ],
  ])('%s is refused unless it may pass', async (what, part) => {
    const { anthropic, provider, b } = await serve(reply)
    const body = { ...create, ...part } as typeof create
    await b.agent.session('alice', async () => {
      expect(await rejection(anthropic.messages.create(body))).toMatchObject({ what })
    })
    expect(provider.asked).toHaveLength(0)
    const lenient = governed(provider, { unmetered: 'observe' })
    await b.agent.session('alice', () => lenient.messages.create(body))
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })

  test('tools of the caller, and what looks through them, are no hosted tools', async () => {
    const { anthropic, b } = await serve(reply)
    const types = [
      null,
      'custom',
      'bash_20250124',
      'text_editor_20250728',
      'memory_20250818',
      'computer_20251124',
      'browser_toolset_20260801',
      'tool_search_tool_regex_20251119',
    ]
    const tools = types.map((type) => ({ ...tool, type })) as unknown as Anthropic.Tool[]
    const parts = [
      { mcp_servers: [], fallbacks: null, container: null, speed: 'standard' },
      { messages: added({ type: 'tool_definition', definition: tool }) },
      { messages: added({ type: 'tool_reference', name: 'f' }) },
    ] as object[]
    await b.agent.session('alice', async () => {
      for (const part of parts) await anthropic.messages.create({ ...create, tools, ...part })
    })
    expect(b.payloads('llm_call')).toHaveLength(3)
  })
})

describe('what is held', () => {
  const together = async (body: object, options: GovernedCallOptions = {}) => {
    const { anthropic, b } = await serve(reply, options, { usd: 10 })
    return b.agent.session('alice', async () => {
      const ask = () => anthropic.messages.create({ ...create, ...body })
      const outcomes = await Promise.allSettled([ask(), ask()])
      return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
    })
  }
  const both = [undefined, undefined]
  const refused = [undefined, expect.any(BudgetReserved)]
  const says = (content: unknown) => ({ messages: [{ role: 'user', content }] })
  const source = { type: 'base64', media_type: 'image/png', data: 'x' }
  test.each<[string, object, GovernedCallOptions, unknown[]]>([
    ['a bound', {}, {}, both],
    ['a bound that is too much for two', { max_tokens: 3000 }, {}, refused],
    ['no bound: everything', { max_tokens: undefined }, {}, refused],
    ['what is assumed', { max_tokens: undefined }, { assumeOutputTokens: 50 }, both],
    ['everything for a picture', says([{ type: 'image', source }]), {}, refused],
    [
      'everything for a document',
      says([{ type: 'document', source: { type: 'file', file_id: 'f' } }]),
      {},
      refused,
    ],
    [
      'the text of a document',
      says([{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' } }]),
      {},
      both,
    ],
    [
      'the input of a tool that speaks of files',
      says([{ type: 'tool_use', id: 't', name: 'f', input: { type: 'file' } }]),
      {},
      both,
    ],
    [
      'everything for a file that is moved to a container',
      says([{ type: 'container_upload', file_id: 'f' }]),
      {},
      refused,
    ],
    ['a new thread', { thread: { type: 'create' } }, {}, both],
    ['everything for a thread', { thread: { type: 'continue', previous_message_id: 'm' } }, {}, refused],
    ['everything for a compaction', { compaction: { type: 'summarize' } }, {}, refused],
    [
      'everything for a compaction on the way',
      { context_management: { edits: [{ type: 'compact_20260112' }] } },
      {},
      refused,
    ],
    [
      'everything for a search of tools',
      { tools: [{ type: 'tool_search_tool_bm25_20251119', name: 'x' }] },
      {},
      refused,
    ],
    [
      'everything for a hosted tool',
      { tools: [{ type: 'web_search_20250305' }] },
      { unmetered: 'observe' },
      refused,
    ],
    [
      'what somebody knows of the input',
      { thread: { type: 'continue', previous_message_id: 'm' } },
      { estimateInputTokens: () => 100 },
      both,
    ],
  ])('%s', async (_name, body, options, expected) => {
    expect(await together(body, options)).toEqual(expected)
  })
})

describe('what ended a session is no broken connection', () => {
  test.each([
    ['a deadline of the caller', new DOMException('The operation timed out.', 'TimeoutError')],
    ['an abort', new DOMException('This operation was aborted', 'AbortError')],
  ])('%s is not tried again', async (_name, reason) => {
    const { provider, b } = await serve({ kind: 'silence' })
    const abort = new AbortController()
    const s = b.agent.open('alice', { signal: abort.signal })
    // What it would try again, it would wrap at its last try.
    const anthropic = governed(provider, { session: s }).withOptions({ maxRetries: 0 })
    const pending = rejection(anthropic.messages.create(create))
    await provider.arrived(1)
    abort.abort(reason)
    expect(await pending).toBe(reason)
    expect(await rejection(anthropic.messages.create(create))).toBe(reason)
    expect(provider.asked).toHaveLength(1)
    await s.close()
  })

  test('a request that costs nothing is refused by a dead session, and ends with a live one', async () => {
    const { provider, b } = await serve({ kind: 'silence' })
    const s = b.agent.open('alice')
    const anthropic = governed(provider, { session: s }).withOptions({ maxRetries: 0 })
    const list = () => rejection(Promise.resolve(anthropic.models.list()))
    const pending = list()
    await provider.arrived(1)
    await s.close()
    expect(await pending).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    expect(await list()).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(provider.asked).toHaveLength(1)
  })

  test('a request that costs nothing is not made after a deadline that nothing has noticed yet', async () => {
    const { anthropic, provider, b } = await serve(reply, {}, { usd: 100, wallMs: 1000 })
    const killed = b.agent.session('alice', async () => {
      b.clock.block(1001)
      await anthropic.messages.countTokens({ model: MODEL, messages })
    })
    expect(await rejection(killed)).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
    expect(provider.asked).toHaveLength(0)
  })

  test('a refusal that speaks of time reaches the caller as it is, once', async () => {
    const { anthropic, b } = await serve(reply)
    await b.agent.session('alice', async () => {
      const error = await rejection(anthropic.messages.create({ ...create, model: 'timeout-1' }))
      expect(error).toMatchObject({ code: 'ERR_UNPRICED_MODEL' })
    })
  })

  test('a time limit of the client is a broken connection: each try is charged what was held', async () => {
    const { anthropic, provider, b } = await serve({ kind: 'silence' })
    await b.agent.session('alice', async () => {
      const error = await rejection(anthropic.messages.create(create, { timeout: 50, maxRetries: 1 }))
      expect(error).toBeInstanceOf(Anthropic.APIConnectionTimeoutError)
    })
    expect(provider.asked).toHaveLength(2)
    expect(b.payloads('llm_call')).toMatchObject([{ priced_by: 'reservation' }, { priced_by: 'reservation' }])
  })
})

describe('beside other middleware', () => {
  const refusal: Plan = {
    kind: 'raw',
    answer: (response) => {
      response.setHeader('content-type', 'application/json')
      const stop_details = { type: 'refusal', fallback_credit_token: 'token' }
      response.end(JSON.stringify({ ...messageOf([text('')], TOKENS), stop_reason: 'refusal', stop_details }))
    },
  }

  test('each request of a fallback is a call of its own, at the price of its model', async () => {
    const { provider } = await serve([refusal, reply])
    const b = bench({
      budget: { usd: 100 },
      prices: { ...prices, 'model-2': { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } },
    })
    const anthropic = new Anthropic({
      apiKey: 'none',
      baseURL: provider.origin,
      logLevel: 'off',
      middleware: [betaRefusalFallbackMiddleware([{ model: 'model-2' }]), governedMiddleware()],
    })
    await b.agent.session('alice', () => anthropic.beta.messages.create(create))
    expect(b.payloads('llm_call')).toMatchObject([
      { model: MODEL, cost_usd: 0.05 },
      { model: 'model-2', cost_usd: 0.00003 },
    ])
  })

  test('a chain with the middleware twice counts once', async () => {
    const { anthropic, b } = await serve([reply, stream])
    const twice = { middleware: [governedMiddleware()] }
    await b.agent.session('alice', async () => {
      await anthropic.messages.create(create, twice)
      await anthropic.messages.stream(create, twice).finalMessage()
    })
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0.05 }, { cost_usd: 0.05 }])
  })

  test('a middleware that sends requests of its own, without a signal or with that of the session, is governed', async () => {
    const { provider } = await serve(reply)
    const b = bench({ budget: { usd: 100 }, prices })
    const body = JSON.stringify(create)
    const busybody: Middleware = async (request, next) => {
      const { signal, ...rest } = request
      await next({ ...rest, url: `${provider.origin}/v1/messages/count_tokens`, body })
      await next({ ...rest, body, signal: currentSession().signal })
      return next(request)
    }
    const anthropic = new Anthropic({
      apiKey: 'none',
      baseURL: provider.origin,
      middleware: [busybody, governedMiddleware()],
    })
    await b.agent.session('alice', () => anthropic.messages.create(create))
    expect(provider.asked).toHaveLength(3)
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  test('a middleware that reads the response sees what the caller sees', async () => {
    const { provider, b } = await serve(reply)
    const seen: unknown[] = []
    const reader: Middleware = async (request, next, ctx) => {
      const response = await next(request)
      seen.push(response.url, await ctx.parse(response))
      return response
    }
    const anthropic = new Anthropic({
      apiKey: 'none',
      baseURL: provider.origin,
      middleware: [reader, governedMiddleware()],
    })
    const message = await b.agent.session('alice', () => anthropic.messages.create(create))
    expect(seen).toEqual([`${provider.origin}/v1/messages`, message])
    expect(message).toMatchObject({ usage: usageOf(TOKENS) })
  })
})

test('nothing is left on the signal of the caller, or on that of the session', async () => {
  const { anthropic, b } = await serve([reply, stream, stream], {}, { usd: 1 })
  const { signal } = new AbortController()
  await b.agent.session('alice', async (s) => {
    await anthropic.messages.create(create, { signal })
    for await (const _event of await anthropic.messages.create({ ...create, stream: true }, { signal }));
    for await (const _event of await anthropic.messages.create({ ...create, stream: true }, { signal })) break
    await rejection(anthropic.messages.create({ ...create, model: 'model-2' }, { signal }))
    await rejection(anthropic.messages.create({ ...create, container: 'c' } as typeof create, { signal }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(getEventListeners(s.signal, 'abort')).toHaveLength(0)
  })
})

describe('bad input', () => {
  test.each<[unknown, RegExp]>([
    [null, /expected options/],
    [{ sesion: 1 }, /unknown option sesion/],
    [{ fetch: () => undefined }, /unknown option fetch/],
    [{ session: {} }, /session: expected a session/],
    [{ outside: 'allow' }, /outside: expected 'refuse' or 'observe'/],
    [{ estimateInputTokens: 1 }, /estimateInputTokens: expected a function/],
    [{ assumeOutputTokens: 1.5 }, /assumeOutputTokens: expected an integer/],
  ])('options %j', (options, message) => {
    expect(thrown(() => governedMiddleware(options as GovernedCallOptions))).toMatchObject({
      message: expect.stringMatching(message),
    })
  })

  test.each<[unknown, RegExp]>([
    [[], /text of a JSON object/],
    [undefined, /text of a JSON object/],
    [new Uint8Array(2), /text of a JSON object/],
    [{}, /needs a model/],
    [{ model: '' }, /needs a model/],
  ])('a body %s is refused: it cannot be metered', async (body, message) => {
    const b = bench({ budget: { usd: 1 } })
    let sent = 0
    const anthropic = unsent(async () => {
      sent += 1
      return Response.json({})
    })
    await b.agent.session('alice', async () => {
      const error = await rejection(anthropic.post('/v1/messages', { body }))
      expect(error).toMatchObject({ message: expect.stringMatching(message) })
    })
    expect(sent).toBe(0)
  })
})
