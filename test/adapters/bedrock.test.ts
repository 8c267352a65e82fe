import { getEventListeners, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import * as bedrockRuntime from '@aws-sdk/client-bedrock-runtime'
import {
  BedrockRuntime,
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, defineTool, SessionClosed, UnmeteredRequest } from 'writ'
import { type BedrockOptions, COVERAGE, governed, runToolUses, toToolConfig } from 'writ/bedrock'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { bedrockWire, frame } from './bedrock-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

const configOf = ({ origin }: Pick<Provider, 'origin'>, isHttp2 = false): BedrockRuntimeClientConfig => ({
  region: 'us-east-1',
  endpoint: origin,
  credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
  // Without one it is the client's own, which speaks HTTP/2.
  ...(isHttp2 ? {} : { requestHandler: new NodeHttpHandler() }),
})

const clientFor = (provider: Pick<Provider, 'origin'>, options: BedrockOptions = {}, isHttp2 = false) =>
  governed(BedrockRuntimeClient, configOf(provider, isHttp2), options)

const messages = [{ role: 'user' as const, content: [{ text: 'hi' }] }]

for (const isHttp2 of [true, false])
  adapterSuite(`bedrock over HTTP/${isHttp2 ? 2 : 1.1}`, {
    wire: { ...bedrockWire, isHttp2 },
    abortError: 'Error',
    isReasoningHidden: true,
    client: (provider, options) => {
      const bedrock = clientFor(provider, options, isHttp2)
      const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) =>
        [
          {
            modelId: model,
            messages,
            ...(maxTokens === undefined ? {} : { inferenceConfig: { maxTokens } }),
          },
          signal === undefined ? {} : { abortSignal: signal },
        ] as const
      return {
        ask: async (ask) => {
          const [input, more] = request(ask)
          const { output } = await bedrock.send(new ConverseCommand(input), more)
          return output?.message?.content?.[0]?.text ?? ''
        },
        stream: async function* (ask) {
          const [input, more] = request(ask)
          const { stream = [] } = await bedrock.send(new ConverseStreamCommand(input), more)
          try {
            for await (const { contentBlockDelta } of stream) {
              const text = contentBlockDelta?.delta?.text
              if (text) yield text
            }
          } catch (error) {
            // Of a stream that the caller aborts, the client says that its connection was.
            if (ask?.signal?.aborted !== true) throw error
          }
        },
      }
    },
  })

const TOKENS = { input: 10, output: 20 }
const reply: Plan = { kind: 'reply', text: 'hello', tokens: TOKENS }
const stream: Plan = { kind: 'stream', pieces: ['abc', 'def'], tokens: TOKENS }
const input = { modelId: MODEL, messages, inferenceConfig: { maxTokens: 50 } }

/** A stream of whatever frames. */
const frames = (...events: readonly Uint8Array[]): Plan => ({
  kind: 'raw',
  answer: (response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    response.end(Buffer.concat(events))
  },
})

async function serve(
  plans: Plan | readonly Plan[],
  options: BedrockOptions = {},
  budget: object = { usd: 100 },
) {
  const provider = await provide(bedrockWire, ...[plans].flat())
  return { provider, bedrock: clientFor(provider, options), b: bench({ budget, prices }) }
}

async function read(bedrock: BedrockRuntimeClient): Promise<unknown[]> {
  const events: unknown[] = []
  const { stream: sent = [] } = await bedrock.send(new ConverseStreamCommand(input))
  for await (const event of sent) events.push(event)
  return events
}

describe('every way to call', () => {
  test('the client that has a method for each command', async () => {
    const { provider, b } = await serve(reply)
    const bedrock = governed(BedrockRuntime, configOf(provider))
    await b.agent.session('alice', async () => {
      await bedrock.converse(input)
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20, enforcement: 'enforced' }])
  })

  test('with a callback, which is told the refusal', async () => {
    const { bedrock, b } = await serve(reply, {}, { llmCalls: 1 })
    const send = () =>
      new Promise((resolve, reject) => {
        bedrock.send(new ConverseCommand(input), (error, output) =>
          error === null ? resolve(output) : reject(error),
        )
      })
    await rejection(
      b.agent.session('alice', async () => {
        expect(await send()).toMatchObject({ stopReason: 'end_turn' })
        expect(await rejection(send())).toBeInstanceOf(BudgetExceeded)
      }),
    )
  })

  test('with handlers that the client keeps', async () => {
    const { provider, b } = await serve(reply)
    const bedrock = governed(BedrockRuntimeClient, { ...configOf(provider), cacheMiddleware: true })
    const spent = await Promise.all(
      [1, 2].map((count) =>
        b.agent.session('alice', async (s) => {
          for (let call = 0; call < count; call += 1) await bedrock.send(new ConverseCommand(input))
          return s.usage().usd
        }),
      ),
    )
    expect(spent).toEqual([0.05, 0.1])
  })

  test('by a handler that another extension puts in the place of the first', async () => {
    const { provider, b } = await serve({ kind: 'silence' })
    const another = new NodeHttpHandler()
    const { requestHandler: _one, ...config } = configOf(provider)
    const bedrock = governed(BedrockRuntimeClient, {
      ...config,
      extensions: [{ configure: (client) => client.setHttpHandler(another as never) }],
    })
    await b.agent.session('alice', async (s) => {
      const pending = rejection(bedrock.send(new ConverseCommand(input)))
      await provider.arrived(1)
      void s.close()
      expect(await pending).toBeInstanceOf(SessionClosed)
    })
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })
})

const make = (name: string): never =>
  new (bedrockRuntime as unknown as Record<string, new (given: unknown) => unknown>)[name]!({
    ...input,
    invocationArn: 'a',
    body: '{}',
    guardrailIdentifier: 'g',
    guardrailVersion: '1',
    source: 'INPUT',
    content: [],
    checks: [],
    modelInput: {},
    outputDataConfig: {},
    input: {},
  }) as never

describe('coverage', () => {
  const commands = Object.keys(bedrockRuntime).filter((name) => /^[A-Z].*Command$/.test(name))

  test('has a line for each command of the client, and one for those to come', () => {
    expect(COVERAGE.map(({ command }) => command).sort()).toEqual([...commands, 'any other'].sort())
    expect(Object.isFrozen(COVERAGE)).toBe(true)
  })

  test.each(COVERAGE.filter(({ governance }) => governance === 'unmetered').slice(0, -1))(
    '$command is refused before it is sent',
    async ({ command }) => {
      const { bedrock, provider, b } = await serve(reply)
      await b.agent.session('alice', async () => {
        const error = await rejection(bedrock.send(make(command)) as unknown as Promise<unknown>)
        expect(error).toBeInstanceOf(UnmeteredRequest)
        expect(error).toMatchObject({ what: command })
      })
      expect(provider.asked).toHaveLength(0)
      expect(b.payloads('llm_call')).toEqual([])
    },
  )

  test.each(COVERAGE.filter(({ governance }) => governance === 'free'))(
    '$command passes while its session is open, and is refused by one that is not',
    async ({ command }) => {
      const { provider, b } = await serve({
        kind: 'raw',
        answer: (response) => response.setHeader('content-type', 'application/json').end('{}'),
      })
      const s = b.agent.open('alice')
      const bedrock = clientFor(provider, { session: s })
      await bedrock.send(make(command))
      expect(provider.asked).toHaveLength(1)
      expect(s.usage()).toMatchObject({ usd: 0, llmCalls: 0 })
      await s.close()
      expect(await rejection(bedrock.send(make(command)) as unknown as Promise<unknown>)).toBeInstanceOf(
        SessionClosed,
      )
      expect(provider.asked).toHaveLength(1)
    },
  )

  test('what may pass unmetered is on record, and ends with its session', async () => {
    const { bedrock, provider, b } = await serve(
      [
        {
          kind: 'raw',
          answer: (response) => response.setHeader('content-type', 'application/json').end('{"a":1}'),
        },
        { kind: 'silence' },
      ],
      { unmetered: 'observe' },
    )
    const stopped: unknown[] = []
    await b.agent.session('alice', async (s) => {
      const { body } = await bedrock.send(new InvokeModelCommand({ modelId: MODEL, body: '{}' }))
      expect(JSON.parse(new TextDecoder().decode(body))).toEqual({ a: 1 })
      const pending = rejection(
        bedrock.send(new InvokeModelWithResponseStreamCommand({ modelId: MODEL, body: '{}' })),
      )
      await provider.arrived(2)
      void s.close()
      stopped.push(await pending)
    })
    expect(stopped[0]).toBeInstanceOf(SessionClosed)
    expect(await provider.asked[1]?.closed).toEqual({ whole: false })
    expect(b.payloads('llm_call')).toMatchObject([
      { model: 'InvokeModelCommand', cost_usd: 0, metering: 'estimated', enforcement: 'observed' },
      { model: 'InvokeModelWithResponseStreamCommand' },
    ])
  })

  const spec = { toolSpec: { name: 'f', inputSchema: { json: {} } } }
  test.each<[string, Partial<ConverseCommandInput>]>([
    [
      'the hosted tool "nova_grounding"',
      { toolConfig: { tools: [spec, { systemTool: { name: 'nova_grounding' } }] } },
    ],
    [
      'the hosted tool "web_search_20250305"',
      {
        additionalModelRequestFields: { tools: [{ type: 'bash_20250124' }, { type: 'web_search_20250305' }] },
      },
    ],
  ])('%s is refused unless it may pass', async (what, part) => {
    const { bedrock, provider, b } = await serve(reply)
    const command = () => new ConverseCommand({ ...input, ...part })
    await b.agent.session('alice', async () => {
      expect(await rejection(bedrock.send(command()))).toMatchObject({ what })
    })
    expect(provider.asked).toHaveLength(0)
    const lenient = clientFor(provider, { unmetered: 'observe' })
    await b.agent.session('alice', async () => {
      await lenient.send(command())
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })

  test('a client whose request handler was replaced refuses everything', async () => {
    const { bedrock, provider, b } = await serve(reply)
    bedrock.config.requestHandler = new NodeHttpHandler() as never
    await b.agent.session('alice', async () => {
      expect(await rejection(bedrock.send(new ConverseCommand(input)))).toBeInstanceOf(UnmeteredRequest)
    })
    expect(provider.asked).toHaveLength(0)
  })

  test('a request that a later middleware puts in the place of the metered one is refused', async () => {
    const { bedrock, provider, b } = await serve(reply)
    bedrock.middlewareStack.add(
      (next) => (args) => next({ ...args, request: Object.create(args.request as object) }),
      { step: 'deserialize', priority: 'low' },
    )
    await b.agent.session('alice', async () => {
      expect(await rejection(bedrock.send(new ConverseCommand(input)))).toBeInstanceOf(UnmeteredRequest)
    })
    expect(provider.asked).toHaveLength(0)
  })
})

describe('what is held', () => {
  const together = async (body: object, options: BedrockOptions = {}) => {
    const { bedrock, b } = await serve(reply, options, { usd: 10 })
    return b.agent.session('alice', async () => {
      const ask = () => bedrock.send(new ConverseCommand({ modelId: MODEL, messages, ...body }))
      const outcomes = await Promise.allSettled([ask(), ask()])
      return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
    })
  }
  const bound = { inferenceConfig: { maxTokens: 50 } }
  const both = [undefined, undefined]
  const refused = [undefined, expect.any(BudgetReserved)]
  const saying = (...content: object[]) => ({ ...bound, messages: [{ role: 'user', content }] })
  const bytes = new Uint8Array(3)
  test.each<[string, object, BedrockOptions, unknown[]]>([
    ['a bound', bound, {}, both],
    ['no bound: everything', {}, {}, refused],
    ['what is assumed', {}, { assumeOutputTokens: 50 }, both],
    [
      'the larger of two bounds',
      { ...bound, additionalModelRequestFields: { max_tokens: 3000 } },
      {},
      refused,
    ],
    [
      'everything for a bound that nobody can read',
      { ...bound, additionalModelRequestFields: { max_tokens: '40' } },
      {},
      refused,
    ],
    ['everything for a picture', saying({ image: { format: 'png', source: { bytes } } }), {}, refused],
    [
      'everything for a document in the result of a tool',
      saying({
        toolResult: { toolUseId: 't', content: [{ document: { name: 'd', source: { text: 'x' } } }] },
      }),
      {},
      refused,
    ],
    [
      'data of a tool as text, whatever its names',
      saying(
        { toolUse: { toolUseId: 't', name: 'f', input: { image: { a: 1 }, document: 'x' } } },
        { toolResult: { toolUseId: 't', content: [{ json: { video: {} } }] } },
      ),
      {},
      both,
    ],
    [
      'what somebody knows of the input',
      saying({ image: { format: 'png', source: { bytes } } }),
      { estimateInputTokens: ({ modelId }) => (modelId === MODEL ? 100 : undefined) },
      both,
    ],
  ])('%s', async (_name, body, options, expected) => {
    expect(await together(body, options)).toEqual(expected)
  })

  test('everything for a prompt that is kept by AWS', async () => {
    const modelId = 'arn:aws:bedrock:us-east-1:1:prompt/P:1'
    const provider = await provide(bedrockWire, reply)
    const b = bench({ budget: { usd: 10 }, prices: { [modelId]: prices[MODEL]! } })
    const bedrock = clientFor(provider)
    await b.agent.session('alice', async () => {
      const ask = () => bedrock.send(new ConverseCommand({ ...bound, modelId }))
      const outcomes = await Promise.allSettled([ask(), ask()])
      expect(outcomes[1]).toMatchObject({ reason: expect.any(BudgetReserved) })
    })
  })
})

describe('what is charged', () => {
  const usage = (figures: object): Plan => ({
    kind: 'raw',
    answer: (response) =>
      response.setHeader('content-type', 'application/json').end(
        JSON.stringify({
          output: { message: { role: 'assistant', content: [{ text: 'hello' }] } },
          stopReason: 'end_turn',
          usage: figures,
        }),
      ),
  })
  test.each<[string, object, object]>([
    [
      'what is read from the cache and written to it is input',
      {
        inputTokens: 5,
        outputTokens: 1,
        totalTokens: 16,
        cacheReadInputTokens: 3,
        cacheWriteInputTokens: 7,
        cacheDetails: [
          { ttl: '1h', inputTokens: 4 },
          { ttl: '5m', inputTokens: 3 },
        ],
      },
      {
        input_tokens: 15,
        output_tokens: 1,
        cached_input_tokens: 3,
        cache_write_tokens: 7,
        cache_write_1h_tokens: 4,
      },
    ],
    [
      'the larger figure, where the sum says more than the parts',
      { inputTokens: 5, outputTokens: 1, totalTokens: 30 },
      { input_tokens: 5, output_tokens: 25 },
    ],
  ])('%s', async (_name, figures, expected) => {
    const { bedrock, b } = await serve(usage(figures))
    await b.agent.session('alice', async () => {
      await bedrock.send(new ConverseCommand(input))
    })
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'reported', ...expected }])
  })

  test.each<[string, Uint8Array[], number]>([
    ['text', [frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'abcdef' } })], 2],
    [
      'the name and the input of a tool',
      [
        frame('contentBlockStart', {
          contentBlockIndex: 0,
          start: { toolUse: { toolUseId: 't', name: 'lookup' } },
        }),
        frame('contentBlockDelta', { contentBlockIndex: 0, delta: { toolUse: { input: '{"abc":7}' } } }),
      ],
      5,
    ],
    [
      'reasoning',
      [frame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'abcdef' } } })],
      2,
    ],
    [
      'reasoning that is hidden',
      [
        frame('contentBlockDelta', {
          contentBlockIndex: 0,
          delta: { reasoningContent: { redactedContent: Buffer.from('abcdef').toString('base64') } },
        }),
      ],
      2,
    ],
  ])('a stream of %s is not free', async (_name, events, tokens) => {
    const { bedrock, b } = await serve(frames(...events))
    await b.agent.session('alice', async () => {
      expect(await read(bedrock)).toHaveLength(events.length)
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: tokens, metering: 'estimated' }])
  })

  test('a stream that ends in an exception is charged an estimate, and is not tried again', async () => {
    const { bedrock, provider, b } = await serve(
      frames(
        frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'abc' } }),
        frame('throttlingException', { message: 'slow down' }, 'exception'),
      ),
    )
    await b.agent.session('alice', async () => {
      expect(await rejection(read(bedrock))).toMatchObject({ name: 'ThrottlingException' })
    })
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 1, metering: 'estimated' }])
    expect(provider.asked).toHaveLength(1)
  })

  test('an answer that nobody can read is charged all that was held', async () => {
    const { bedrock, b } = await serve({
      kind: 'raw',
      answer: (response) => response.setHeader('content-type', 'application/json').end('{"output":'),
    })
    await b.agent.session('alice', async () => {
      expect(await rejection(bedrock.send(new ConverseCommand(input)))).toMatchObject({ name: 'SyntaxError' })
    })
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', priced_by: 'reservation' }])
  })

  test.each([true, false])('a connection that was never made costs nothing (HTTP/2: %s)', async (isHttp2) => {
    const b = bench({ budget: { usd: 100 }, prices })
    // Nobody listens there any more.
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const config = { ...configOf({ origin: `http://127.0.0.1:${port}` }, isHttp2), maxAttempts: 1 }
    const bedrock = governed(BedrockRuntimeClient, config)
    await b.agent.session('alice', async () => {
      await rejection(bedrock.send(new ConverseCommand(input)))
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { cost_usd: 0, error: { code: isHttp2 ? 'ERR_HTTP2_STREAM_CANCEL' : 'ECONNREFUSED' } },
    ])
  })
})

describe('what the program sees', () => {
  test('a refusal as it is: the client writes nothing on it', async () => {
    const { bedrock, b } = await serve(reply, {}, { usd: 0.01 })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(bedrock.send(new ConverseCommand(input)))
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(killed)
    expect(Object.keys(killed as object)).not.toContain('$metadata')
  })

  test('a failure of AWS as the client makes it', async () => {
    const { bedrock, b } = await serve({ kind: 'status', status: 400 })
    await b.agent.session('alice', async () => {
      expect(await rejection(bedrock.send(new ConverseCommand(input)))).toMatchObject({
        $metadata: { httpStatusCode: 400, attempts: 1 },
      })
    })
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0, error: { code: 'HTTP_400' } }])
  })

  test('what ended the session, where it ends between two tries', async () => {
    const busy: Plan = {
      kind: 'status',
      status: 429,
      headers: { 'x-amz-retry-after': '1' },
    }
    const { provider, b } = await serve([busy, reply])
    const s = b.agent.open('alice')
    const pending = rejection(clientFor(provider, { session: s }).send(new ConverseCommand(input)))
    await provider.arrived(1)
    await provider.asked[0]?.closed
    await s.close()
    expect(await pending).toBeInstanceOf(SessionClosed)
    expect(provider.asked).toHaveLength(1)
  })

  test('the events of a stream as they are', async () => {
    const { bedrock, b } = await serve(stream)
    await b.agent.session('alice', async () => {
      const events = await read(bedrock)
      expect(events).toHaveLength(6)
      expect(events.at(-1)).toMatchObject({ metadata: { usage: { outputTokens: 20 } } })
    })
  })

  test('nothing of a stream after its session, and a closed connection where it was not read', async () => {
    const { provider, b } = await serve({
      kind: 'stream',
      pieces: ['abc', 'def'],
      cut: { after: 1, what: 'wait' },
    })
    const s = b.agent.open('alice')
    const { stream: sent = [] } = await clientFor(provider, { session: s }).send(
      new ConverseStreamCommand(input),
    )
    const events = sent[Symbol.asyncIterator as never] as () => AsyncIterator<unknown>
    const iterator = events.call(sent)
    await s.close()
    expect(await rejection(iterator.next())).toBeInstanceOf(SessionClosed)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
  })

  test.each(['return', 'throw'] as const)(
    'a stream that is left by %s is charged and closed',
    async (how) => {
      const { bedrock, provider, b } = await serve({
        kind: 'stream',
        pieces: ['abc', 'def'],
        cut: { after: 1, what: 'wait' },
      })
      await b.agent.session('alice', async () => {
        const { stream: sent } = await bedrock.send(new ConverseStreamCommand(input))
        const iterator = sent?.[Symbol.asyncIterator]() as AsyncIterator<unknown>
        const left = iterator[how]?.(new RangeError('enough')) as Promise<unknown>
        if (how === 'throw') expect(await rejection(left)).toBeInstanceOf(RangeError)
        else expect(await left).toMatchObject({ done: true })
        expect(await provider.asked[0]?.closed).toEqual({ whole: false })
        expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', output_tokens: 0 }])
      })
    },
  )

  test('nothing on record of a call that its caller aborted before', async () => {
    const { bedrock, b } = await serve(reply)
    await b.agent.session('alice', async () => {
      const aborted = { abortSignal: AbortSignal.abort() }
      expect(await rejection(bedrock.send(new ConverseCommand(input), aborted))).toMatchObject({
        name: 'AbortError',
      })
    })
    expect(b.payloads('llm_call')).toEqual([])
  })

  test('what ended the session, whatever a handler makes of the signal', async () => {
    const b = bench({ budget: { usd: 100 }, prices })
    const s = b.agent.open('alice')
    let handled = 0
    const deaf = {
      handle: async () => {
        handled += 1
        void s.close()
        const body = new TextEncoder().encode('{"output":{},"usage":{"inputTokens":1,"outputTokens":1}}')
        return { response: { statusCode: 200, headers: {}, body } }
      },
    }
    const config = { ...configOf({ origin: 'http://127.0.0.1:1' }), requestHandler: deaf as never }
    const bedrock = governed(BedrockRuntimeClient, config, { session: s })
    expect(await rejection(bedrock.send(new ConverseCommand(input)))).toBeInstanceOf(SessionClosed)
    expect(handled).toBe(1)
    expect(await rejection(bedrock.send(make('CountTokensCommand')))).toBeInstanceOf(SessionClosed)
    expect(handled).toBe(1)
  })

  test('an abort signal that is none of the runtime is refused', async () => {
    const { bedrock, provider, b } = await serve(reply)
    await b.agent.session('alice', async () => {
      const abortSignal = { aborted: false, onabort: null }
      expect(
        await rejection(bedrock.send(new ConverseCommand(input), { abortSignal: abortSignal as never })),
      ).toMatchObject({ name: 'TypeError', message: expect.stringContaining('an AbortSignal') })
    })
    expect(provider.asked).toHaveLength(0)
  })
})

test('nothing is left on the signal of the caller, or on that of the session', async () => {
  const { provider, b } = await serve([reply, stream, { kind: 'status', status: 400 }])
  const { signal: abortSignal } = new AbortController()
  await b.agent.session('alice', async (s) => {
    const bedrock = clientFor(provider)
    await bedrock.send(new ConverseCommand(input), { abortSignal })
    const { stream: sent = [] } = await bedrock.send(new ConverseStreamCommand(input), { abortSignal })
    for await (const _event of sent);
    await rejection(bedrock.send(new ConverseCommand(input), { abortSignal }))
    expect(getEventListeners(abortSignal, 'abort')).toHaveLength(0)
    expect(getEventListeners(s.signal, 'abort')).toHaveLength(0)
  })
})

describe('tools', () => {
  const look_up = defineTool({
    description: 'Finds what has an id.',
    inputSchema: z.object({ id: z.number() }),
    when: ({ id }) => id > 0,
    execute: async ({ id }) => ({ id, found: true }),
  })
  const name_of = defineTool({
    inputSchema: z.object({}),
    execute: async () => 'a chair',
  })
  const refund = defineTool({
    inputSchema: z.object({}),
    approval: 'always',
    execute: async () => 1,
  })
  const use = (toolUseId: string, name: string, given: object = {}): ContentBlock => ({
    toolUse: { toolUseId, name, input: given as never },
  })

  test('of an agent are what Converse takes', () => {
    const b = bench({ budget: { toolCalls: 1 }, tools: { look_up } })
    expect(toToolConfig(b.agent)).toMatchObject({
      tools: [
        {
          toolSpec: {
            name: 'look_up',
            description: 'Finds what has an id.',
            inputSchema: { json: { type: 'object', required: ['id'] } },
          },
        },
      ],
    })
  })

  test('are answered in their order, and a denial is a result that says why', async () => {
    const b = bench({ budget: { toolCalls: 9 }, tools: { look_up, name_of, refund } })
    const results = await b.agent.session('alice', (s) =>
      runToolUses(s, [
        { text: 'I look.' },
        use('1', 'look_up', { id: 7 }),
        use('2', 'look_up', { id: -7 }),
        use('3', 'pay_out'),
        use('4', 'name_of'),
        use('5', 'refund'),
        { toolUse: { toolUseId: '6', name: 'nova_grounding', input: {}, type: 'server_tool_use' } },
      ]),
    )
    const error = (reason: string) => ({
      status: 'error',
      content: [{ text: expect.stringContaining(`"reason":"${reason}"`) }],
    })
    expect(results).toMatchObject([
      { toolResult: { toolUseId: '1', status: 'success', content: [{ json: { id: 7, found: true } }] } },
      { toolResult: { toolUseId: '2', ...error('predicate_false') } },
      { toolResult: { toolUseId: '3', ...error('not_registered') } },
      { toolResult: { toolUseId: '4', content: [{ text: 'a chair' }] } },
      { toolResult: { toolUseId: '5', ...error('approval_unavailable') } },
    ])
    expect(results).toHaveLength(5)
    expect(await b.agent.session('alice', (s) => runToolUses(s, undefined))).toEqual([])
  })

  test('end the run when the session is killed', async () => {
    const b = bench({ budget: { toolCalls: 1 }, tools: { name_of } })
    const uses = [use('1', 'name_of'), use('2', 'name_of')]
    expect(await rejection(b.agent.session('alice', (s) => runToolUses(s, uses)))).toBeInstanceOf(
      BudgetExceeded,
    )
  })

  test('results go back to the model as they are', async () => {
    const { bedrock, provider, b: _b } = await serve(reply)
    const b = bench({ budget: { usd: 100, toolCalls: 9 }, prices, tools: { look_up } })
    await b.agent.session('alice', async (s) => {
      const content = await runToolUses(s, [use('1', 'look_up', { id: 7 })])
      await bedrock.send(
        new ConverseCommand({
          ...input,
          toolConfig: toToolConfig(b.agent),
          messages: [{ role: 'user', content }],
        }),
      )
    })
    expect(provider.asked[0]?.body).toMatchObject({
      messages: [{ content: [{ toolResult: { toolUseId: '1', content: [{ json: { found: true } }] } }] }],
      toolConfig: { tools: [{ toolSpec: { name: 'look_up' } }] },
    })
  })
})

test.each<[unknown, RegExp]>([
  [null, /expected options/],
  [{ sesion: 1 }, /unknown option sesion/],
  [{ fetch: () => undefined }, /unknown option fetch/],
  [{ session: {} }, /session: expected a session/],
  [{ unmetered: true }, /unmetered: expected/],
  [{ assumeOutputTokens: -1 }, /assumeOutputTokens: expected an integer/],
])('options %j are refused', (options, message) => {
  const make = () => governed(BedrockRuntimeClient, { region: 'us-east-1' }, options as BedrockOptions)
  expect(thrown(make)).toMatchObject({ message: expect.stringMatching(message) })
})

test('a command without a model is refused: it cannot be priced', async () => {
  const { bedrock, provider, b } = await serve(reply)
  await b.agent.session('alice', async () => {
    const command = new ConverseCommand({ messages } as never)
    expect(await rejection(bedrock.send(command))).toMatchObject({
      message: expect.stringMatching(/modelId/),
    })
    await rejection(bedrock.send(new CountTokensCommand({} as never)))
  })
  expect(provider.asked).toHaveLength(0)
})
