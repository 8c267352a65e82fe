import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  CallableTool,
  FunctionCall,
  GenerateContentConfig,
  GoogleGenAI as GoogleGenAIClient,
  GoogleGenAIOptions,
} from '@google/genai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, defineTool, NoSession, SessionClosed, UnmeteredRequest } from 'writ'
import {
  COVERAGE,
  fromCallableTool,
  type GovernedFetchOptions,
  governedFetch,
  runFunctionCalls,
  toCallableTool,
} from 'writ/google'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { geminiUsage, googleWire } from './google-wire.js'
import { sse } from './openai-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

/** What the tests need of the package. */
export type Sdk = Pick<typeof import('@google/genai'), 'GoogleGenAI' | 'Type'>

/** Everything that holds of `writ/google` with one version of `@google/genai`. */
export function googleCases(version: string, { GoogleGenAI, Type }: Sdk): void {
  describe(`@google/genai ${version}`, () => {
    const clientFor = (
      { origin }: Pick<Provider, 'origin'>,
      options: GovernedFetchOptions = {},
      more: GoogleGenAIOptions['httpOptions'] = {},
    ): GoogleGenAIClient =>
      new GoogleGenAI({
        apiKey: 'none',
        httpOptions: { baseUrl: origin, fetch: governedFetch(options), ...more },
      })

    /** The client does not try again unless it is told to. */
    const retryOptions = { attempts: 3, initialDelay: 0.001 }

    /** A `fetch` that fails with the words of a browser: the client takes those of Node for no broken connection. */
    const browserFetch: typeof fetch = (...request) =>
      fetch(...request).catch((error: Error) => {
        throw error.message === 'fetch failed'
          ? new TypeError('Failed to fetch', { cause: error.cause })
          : error
      })

    adapterSuite('google', {
      wire: googleWire,
      abortError: 'DOMException',
      client: (provider, options) => {
        const { models } = clientFor(provider, { ...options, fetch: browserFetch }, { retryOptions })
        const request = ({ model = MODEL, maxTokens, signal }: Ask = {}) => ({
          model,
          contents: 'hi',
          config: {
            ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
            ...(signal === undefined ? {} : { abortSignal: signal }),
          },
        })
        return {
          ask: async (ask) => (await models.generateContent(request(ask))).text ?? '',
          stream: async function* (ask) {
            let isBegun = false
            try {
              for await (const { text } of await models.generateContentStream(request(ask))) {
                isBegun = true
                if (text) yield text
              }
            } catch (error) {
              // A stream that the caller aborts rejects, as a call does.
              if (!isBegun || ask?.signal?.aborted !== true) throw error
            }
          },
        }
      },
    })

    const TOKENS = { input: 10, output: 20 }
    const reply: Plan = { kind: 'reply', text: 'hello', tokens: TOKENS }
    const stream: Plan = { kind: 'stream', pieces: ['abc', 'def'], tokens: TOKENS }
    const config = { maxOutputTokens: 50 }
    const request = { model: MODEL, contents: 'hi', config }

    const json = (body: unknown): Plan => ({
      kind: 'raw',
      answer: (response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
    })
    const events = (...chunks: readonly unknown[]): Plan => ({
      kind: 'raw',
      answer: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.end(chunks.map((chunk) => sse(chunk)).join(''))
      },
    })
    const content = (...parts: readonly object[]) => ({ candidates: [{ content: { role: 'model', parts } }] })

    async function serve(
      plans: Plan | readonly Plan[],
      options: GovernedFetchOptions = {},
      budget: object = { usd: 100 },
    ) {
      const provider = await provide(googleWire, ...[plans].flat())
      return { provider, ai: clientFor(provider, options), b: bench({ budget, prices }) }
    }

    async function read(ai: GoogleGenAIClient, more: GenerateContentConfig = {}): Promise<unknown[]> {
      const chunks: unknown[] = []
      const sent = await ai.models.generateContentStream({ ...request, config: { ...config, ...more } })
      for await (const chunk of sent) chunks.push(chunk)
      return chunks
    }

    describe('every way to call', () => {
      test.each<[string, Plan, (ai: GoogleGenAIClient) => unknown]>([
        ['a chat', reply, (ai) => ai.chats.create({ model: MODEL, config }).sendMessage({ message: 'hi' })],
        [
          'a chat as a stream',
          stream,
          async (ai) => {
            const sent = await ai.chats.create({ model: MODEL, config }).sendMessageStream({ message: 'hi' })
            for await (const _chunk of sent);
          },
        ],
        [
          'a model by its full name',
          reply,
          (ai) => ai.models.generateContent({ ...request, model: `models/${MODEL}` }),
        ],
      ])('%s is metered', async (_name, plan, call) => {
        const { ai, b } = await serve(plan)
        await b.agent.session('alice', async () => {
          await call(ai)
        })
        expect(b.payloads('llm_call')).toMatchObject([
          {
            model: MODEL,
            input_tokens: 10,
            output_tokens: 20,
            metering: 'reported',
            enforcement: 'enforced',
          },
        ])
      })

      test.each(['publishers/google/models/', 'google/', ''])(
        'Vertex AI with the model %smodel-1',
        async (prefix) => {
          const { provider, b } = await serve(reply)
          const ai = new GoogleGenAI({
            vertexai: true,
            apiKey: 'none',
            httpOptions: { baseUrl: provider.origin, fetch: governedFetch() },
          })
          await b.agent.session('alice', async () => {
            await ai.models.generateContent({ ...request, model: `${prefix}${MODEL}` })
          })
          expect(provider.asked[0]?.path).toContain('/publishers/google/models/')
          expect(b.payloads('llm_call')).toMatchObject([{ model: MODEL, output_tokens: 20 }])
        },
      )

      test("somebody's own model has the name of its kind", async () => {
        const { ai, b } = await serve(reply, {}, { tokens: 1000 })
        await b.agent.session('alice', async () => {
          await ai.models.generateContent({ ...request, model: 'tunedModels/mine' })
        })
        expect(b.payloads('llm_call')).toMatchObject([{ model: 'tunedModels/mine' }])
      })

      test('embeddings hold no output, and their vectors are none', async () => {
        const { ai, b } = await serve(reply, {}, { usd: 0.5 })
        await b.agent.session('alice', async () => {
          await ai.models.embedContent({ model: MODEL, contents: ['one', 'two'] })
        })
        expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 0, metering: 'estimated' }])
        expect(b.payloads('llm_call')[0]?.['input_tokens']).toBeGreaterThan(0)
      })
    })

    describe('automatic function calling', () => {
      const look_up = defineTool({
        description: 'Finds what has an id.',
        inputSchema: z.object({ id: z.number() }),
        when: ({ id }) => id > 0,
        execute: async ({ id }) => ({ id, found: true }),
      })
      const refund = defineTool({ inputSchema: z.object({}), approval: 'always', execute: async () => 1 })
      const call = (name: string, args: object, id?: string) =>
        ({ functionCall: { name, args, ...(id === undefined ? {} : { id }) } }) as const
      const asks = (...calls: ReturnType<typeof call>[]): object => ({
        ...content(...calls),
        usageMetadata: geminiUsage(TOKENS),
      })
      const tooled = async (plans: readonly Plan[], budget: object = { usd: 100, toolCalls: 9 }) => {
        const provider = await provide(googleWire, ...plans)
        const b = bench({ budget, prices, tools: { look_up, refund } })
        return { provider, ai: clientFor(provider), b, schemas: b.agent.toolSchemas('mcp') }
      }

      test.each(['unary', 'stream'])('is metered for each request (%s)', async (how) => {
        const body = asks(call('look_up', { id: 7 }))
        const { provider, ai, b, schemas } = await tooled(
          how === 'unary' ? [json(body), reply] : [events(body), stream],
        )
        await b.agent.session('alice', async (s) => {
          const tools = [toCallableTool(s, schemas)]
          if (how === 'unary') {
            const response = await ai.models.generateContent({ ...request, config: { ...config, tools } })
            expect(response.text).toBe('hello')
          } else expect(await read(ai, { tools })).not.toHaveLength(0)
          expect(s.usage()).toMatchObject({ usd: 0.1, llmCalls: 2, toolCalls: 1 })
        })
        expect(b.payloads('llm_call')).toHaveLength(2)
        expect(provider.asked[0]?.body).toMatchObject({
          tools: [
            {
              functionDeclarations: [
                {
                  name: 'look_up',
                  description: 'Finds what has an id.',
                  parametersJsonSchema: { type: 'object', required: ['id'] },
                },
                { name: 'refund' },
              ],
            },
          ],
        })
        expect(JSON.stringify(provider.asked[1]?.body)).toContain('"output":{"id":7,"found":true}')
      })

      test('goes on after a denial, which says why', async () => {
        const body = asks(
          call('look_up', { id: -7 }, 'a'),
          call('pay_out', {}, 'b'),
          call('refund', {}, 'c'),
          call('look_up', { id: 8 }, 'd'),
        )
        const { provider, ai, b, schemas } = await tooled([json(body), reply])
        await b.agent.session('alice', async (s) => {
          const tools = [toCallableTool(s, schemas)]
          const { text } = await ai.models.generateContent({ ...request, config: { ...config, tools } })
          expect(text).toBe('hello')
        })
        const contents = provider.asked[1]?.body['contents'] as { parts: { functionResponse: object }[] }[]
        const response = (id: string, error: object) => ({ functionResponse: { id, response: { error } } })
        expect(contents.at(-1)?.parts).toMatchObject([
          response('a', { reason: 'predicate_false' }),
          response('b', { reason: 'not_registered' }),
          response('c', { reason: 'approval_unavailable' }),
          { functionResponse: { id: 'd', name: 'look_up', response: { output: { id: 8 } } } },
        ])
      })

      test('leaves the calls of another callable tool to that one', async () => {
        const other: CallableTool = {
          tool: async () => ({ functionDeclarations: [{ name: 'other' }] }),
          callTool: async (calls) =>
            calls
              .filter(({ name }) => name === 'other')
              .map(({ id = '' }) => ({ functionResponse: { id, name: 'other', response: { output: 1 } } })),
        }
        const body = asks(call('look_up', { id: 7 }, 'a'), call('other', {}, 'b'))
        const { provider, ai, b, schemas } = await tooled([json(body), reply])
        await b.agent.session('alice', async (s) => {
          const tools = [toCallableTool(s, schemas, { others: 'leave' }), other]
          await ai.models.generateContent({ ...request, config: { ...config, tools } })
        })
        const contents = provider.asked[1]?.body['contents'] as { parts: { functionResponse: object }[] }[]
        expect(contents.at(-1)?.parts).toMatchObject([
          { functionResponse: { id: 'a' } },
          { functionResponse: { id: 'b', response: { output: 1 } } },
        ])
        expect(b.payloads('tool_denied')).toEqual([])
      })

      test('ends with the session, and with nothing else than what ended it', async () => {
        const body = asks(call('look_up', { id: 7 }), call('look_up', { id: 8 }))
        const { provider, ai, b, schemas } = await tooled([json(body), reply], { usd: 100, toolCalls: 1 })
        let seen: Promise<unknown> | undefined
        const killed = await rejection(
          b.agent.session('alice', async (s) => {
            const tools = [toCallableTool(s, schemas)]
            seen = rejection(ai.models.generateContent({ ...request, config: { ...config, tools } }))
            await seen
          }),
        )
        expect(killed).toBeInstanceOf(BudgetExceeded)
        expect(await seen).toBe(killed)
        expect(provider.asked).toHaveLength(1)
      })

      test('ends at a budget that its second request crosses', async () => {
        const { provider, ai, b, schemas } = await tooled([json(asks(call('look_up', { id: 7 })))], {
          llmCalls: 1,
          usd: 100,
        })
        const error = await rejection(
          b.agent.session('alice', (s) =>
            ai.models.generateContent({
              ...request,
              config: { ...config, tools: [toCallableTool(s, schemas)] },
            }),
          ),
        )
        expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'llmCalls' })
        expect(provider.asked).toHaveLength(1)
      })

      test('function calls that a program runs itself are answered in their order', async () => {
        const { b } = await tooled([reply])
        const calls: FunctionCall[] = [{ id: 'a', name: 'look_up', args: { id: 7 } }, { name: 'look_up' }]
        const parts = await b.agent.session('alice', (s) => runFunctionCalls(s, calls))
        expect(parts).toMatchObject([
          { functionResponse: { id: 'a', name: 'look_up', response: { output: { found: true } } } },
          { functionResponse: { name: 'look_up', response: { error: { reason: 'invalid_input' } } } },
        ])
        expect(Object.hasOwn(parts[1]?.functionResponse ?? {}, 'id')).toBe(false)
        expect(await b.agent.session('alice', (s) => runFunctionCalls(s, undefined))).toEqual([])
      })
    })

    describe('coverage', () => {
      const paths: Readonly<Record<string, string>> = {
        '/upload/*/files': '/upload/v1beta/files',
        '/**': '/v1beta/batches',
      }
      const lines = COVERAGE.filter(({ method }) => method !== 'WebSocket').map(
        ({ method, path, governance }) => ({
          method: method === 'any other' ? 'PATCH' : method,
          path: paths[path] ?? `/v1beta${path.replace('/*/*', '/models/m')}`,
          governance,
        }),
      )

      test('is data that nobody can change', () => {
        expect(Object.isFrozen(COVERAGE)).toBe(true)
        expect(thrown(() => Object.assign(COVERAGE[0] as object, { governance: 'free' }))).toBeInstanceOf(
          TypeError,
        )
      })

      test.each(lines)('$method $path is $governance', async ({ method, path, governance }) => {
        let sent = 0
        const fetch = governedFetch({
          fetch: async () => {
            sent += 1
            return Response.json({})
          },
        })
        const body = method === 'GET' ? {} : { body: '{}' }
        const b = bench({ budget: { tokens: 1000 }, prices })
        await b.agent.session('alice', async () => {
          const response = await fetch(`http://x${path}`, { method, ...body })
          if (governance === 'unmetered') {
            expect(thrown(() => response.headers)).toBeInstanceOf(UnmeteredRequest)
          } else expect(response.status).toBe(200)
        })
        expect(sent).toBe(governance === 'unmetered' ? 0 : 1)
        expect(b.payloads('llm_call')).toHaveLength(governance === 'metered' ? 1 : 0)
        const outside = await fetch(`http://x${path}`, { method, ...body })
        expect(thrown(() => outside.headers)).toBeInstanceOf(NoSession)
      })

      test.each<[string, (ai: GoogleGenAIClient) => Promise<unknown>]>([
        ['a cache', (ai) => ai.caches.create({ model: MODEL, config: { contents: 'long' } })],
        ['a longer cache', (ai) => ai.caches.update({ name: 'cachedContents/1', config: { ttl: '9s' } })],
        [
          'a batch',
          (ai) => ai.batches.create({ model: MODEL, src: [{ contents: [{ parts: [{ text: 'a' }] }] }] }),
        ],
        ['a token for live sessions', (ai) => ai.authTokens.create({ config: { uses: 1 } })],
        ['an interaction', (ai) => ai.interactions.create({ model: MODEL, input: 'hi' })],
      ])('%s is refused, once, and as it is', async (_name, call) => {
        const { provider, b } = await serve(json({}))
        const ai = clientFor(provider, {}, { retryOptions })
        let asked = 0
        const counting = clientFor(
          provider,
          {
            session: () => {
              asked += 1
              return undefined
            },
          },
          { retryOptions },
        )
        await b.agent.session('alice', async () => {
          expect(await rejection(call(ai))).toBeInstanceOf(UnmeteredRequest)
        })
        expect(await rejection(call(counting))).toBeInstanceOf(NoSession)
        expect(asked).toBe(1)
        expect(provider.asked).toHaveLength(0)
      })

      test('what may pass unmetered is on record', async () => {
        const { ai, provider, b } = await serve(json({ name: 'cachedContents/1' }), { unmetered: 'observe' })
        await b.agent.session('alice', async () => {
          await ai.caches.create({ model: MODEL, config: { contents: 'long' } })
        })
        expect(provider.asked).toHaveLength(1)
        expect(b.payloads('llm_call')).toMatchObject([
          {
            model: expect.stringMatching(/^POST \/v1(beta)?\/cachedContents$/),
            cost_usd: 0,
            enforcement: 'observed',
          },
        ])
      })

      test('tokens are counted and files are uploaded at no cost', async () => {
        const folder = await mkdtemp(join(tmpdir(), 'writ-google-'))
        onTestFinished(() => rm(folder, { recursive: true }))
        const file = join(folder, 'a.txt')
        await writeFile(file, 'text')
        const { provider, b } = await serve([
          json({ totalTokens: 3 }),
          {
            kind: 'raw',
            answer: (response) =>
              response
                .setHeader('x-goog-upload-url', `${provider.origin}/upload/v1beta/files?upload_id=1`)
                .setHeader('content-type', 'application/json')
                .end('{}'),
          },
          {
            kind: 'raw',
            answer: (response) =>
              response
                .setHeader('x-goog-upload-status', 'final')
                .setHeader('content-type', 'application/json')
                .end('{"file":{"name":"files/1"}}'),
          },
        ])
        const ai = clientFor(provider)
        await b.agent.session('alice', async (s) => {
          expect(await ai.models.countTokens({ model: MODEL, contents: 'hi' })).toMatchObject({
            totalTokens: 3,
          })
          expect(await ai.files.upload({ file, config: { mimeType: 'text/plain' } })).toMatchObject({
            name: 'files/1',
          })
          expect(s.usage()).toMatchObject({ usd: 0, llmCalls: 0 })
        })
        expect(provider.asked).toHaveLength(3)
      })

      test('what costs nothing ends with its session, and is refused by one that has ended', async () => {
        const { provider, b } = await serve({ kind: 'silence' })
        const s = b.agent.open('alice')
        const ai = clientFor(provider, { session: s })
        const pending = rejection(ai.models.list())
        await provider.arrived(1)
        await s.close()
        expect(await pending).toBeInstanceOf(SessionClosed)
        expect(await provider.asked[0]?.closed).toEqual({ whole: false })
        let sent = 0
        const fetch = governedFetch({
          session: s,
          fetch: async () => {
            sent += 1
            return new Response()
          },
        })
        const response = await fetch('http://x/v1beta/models')
        expect(thrown(() => response.headers)).toBeInstanceOf(SessionClosed)
        expect(sent).toBe(0)
      })

      test('a request as an object keeps its own signal', async () => {
        const b = bench({ budget: { usd: 1 }, prices })
        const abort = new AbortController()
        const fetch = governedFetch({
          fetch: (_input, init) =>
            new Promise((_resolve, reject) => {
              init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
            }),
        })
        await b.agent.session('alice', async () => {
          const pending = rejection(fetch(new Request('http://x/v1beta/models', { signal: abort.signal })))
          abort.abort(new RangeError('enough'))
          expect(await pending).toBeInstanceOf(RangeError)
        })
      })

      test.each<[string, object]>([
        ['googleSearch', { googleSearch: {} }],
        ['codeExecution', { codeExecution: {} }],
        ['urlContext', { urlContext: {} }],
        [
          'fileSearch',
          { functionDeclarations: [{ name: 'f' }], fileSearch: { fileSearchStoreNames: ['a'] } },
        ],
        ['mcpServers', { mcpServers: [{}] }],
      ])('the hosted tool %s is refused unless it may pass', async (name, tool) => {
        const { ai, provider, b } = await serve(reply)
        const tooled = { ...request, config: { ...config, tools: [tool] } }
        await b.agent.session('alice', async () => {
          expect(await rejection(ai.models.generateContent(tooled))).toMatchObject({
            what: `the hosted tool "${name}"`,
          })
        })
        expect(provider.asked).toHaveLength(0)
        const lenient = clientFor(provider, { unmetered: 'observe' })
        await b.agent.session('alice', async () => {
          await lenient.models.generateContent(tooled)
        })
        expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
      })

      test.each([[null], [[null]], ['x']])('tools that are no tools (%j) are refused', async (tools) => {
        const b = bench({ budget: { usd: 1 }, prices })
        const fetch = governedFetch({ fetch: async () => Response.json({}) })
        await b.agent.session('alice', async () => {
          const body = JSON.stringify({ tools, generationConfig: { maxOutputTokens: 1 } })
          const url = `http://x/v1beta/models/${MODEL}:generateContent`
          const response = await fetch(url, { method: 'POST', body })
          if (tools === null) expect(response.status).toBe(200)
          else expect(thrown(() => response.headers)).toBeInstanceOf(UnmeteredRequest)
        })
      })
    })

    describe('what is held', () => {
      const together = async (body: object, options: GovernedFetchOptions = {}) => {
        const { ai, b } = await serve(reply, options, { usd: 10 })
        return b.agent.session('alice', async () => {
          const ask = () => ai.models.generateContent({ model: MODEL, contents: 'hi', ...body })
          const outcomes = await Promise.allSettled([ask(), ask()])
          return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
        })
      }
      const both = [undefined, undefined]
      const refused = [undefined, expect.any(BudgetReserved)]
      const saying = (...parts: object[]) => ({ config, contents: [{ role: 'user', parts }] })
      test.each<[string, object, GovernedFetchOptions, unknown[]]>([
        ['a bound', { config }, {}, both],
        ['a bound for each of many candidates', { config: { ...config, candidateCount: 60 } }, {}, refused],
        ['no bound: everything', {}, {}, refused],
        ['what is assumed', {}, { assumeOutputTokens: 50 }, both],
        [
          'the larger of two bounds',
          {
            config: {
              ...config,
              httpOptions: { extraBody: { generation_config: { max_output_tokens: 3000 } } },
            },
          },
          {},
          refused,
        ],
        [
          'everything for a picture',
          saying({ inlineData: { mimeType: 'image/png', data: 'AAAA' } }),
          {},
          refused,
        ],
        ['everything for a file', saying({ fileData: { fileUri: 'files/1' } }), {}, refused],
        ['everything for a cache', { config: { ...config, cachedContent: 'cachedContents/1' } }, {}, refused],
        [
          'data of a function as text, whatever its names',
          saying(
            { functionCall: { name: 'f', args: { inlineData: { a: 1 } } } },
            { functionResponse: { name: 'f', response: { fileData: 'x' } } },
          ),
          {},
          both,
        ],
        [
          'what somebody knows of the input',
          saying({ fileData: { fileUri: 'files/1' } }),
          { estimateInputTokens: () => 100 },
          both,
        ],
      ])('%s', async (_name, body, options, expected) => {
        expect(await together(body, options)).toEqual(expected)
      })
    })

    describe('what is charged', () => {
      test.each<[string, object, object]>([
        [
          'thoughts are output, and what hosted tools brought is input',
          {
            promptTokenCount: 10,
            cachedContentTokenCount: 4,
            toolUsePromptTokenCount: 5,
            candidatesTokenCount: 3,
            thoughtsTokenCount: 7,
            totalTokenCount: 25,
          },
          { input_tokens: 15, cached_input_tokens: 4, output_tokens: 10, reasoning_tokens: 7 },
        ],
        [
          'the larger figure, where the sum says more than the parts',
          { promptTokenCount: 10, candidatesTokenCount: 3, totalTokenCount: 30 },
          { input_tokens: 10, output_tokens: 20 },
        ],
        [
          'a cache beside the prompt, where it is larger than that',
          { promptTokenCount: 2, cachedContentTokenCount: 8, candidatesTokenCount: 3 },
          { input_tokens: 10, cached_input_tokens: 8, output_tokens: 3 },
        ],
        ['a prompt that was blocked', { promptTokenCount: 10, totalTokenCount: 10 }, { output_tokens: 0 }],
      ])('%s', async (_name, usageMetadata, expected) => {
        const { ai, b } = await serve(json({ ...content({ text: 'hello' }), usageMetadata }))
        await b.agent.session('alice', async () => {
          await ai.models.generateContent(request)
        })
        expect(b.payloads('llm_call')).toMatchObject([{ metering: 'reported', ...expected }])
      })

      test.each<[string, object, number]>([
        ['text', { text: 'abcdef' }, 2],
        [
          'thoughts, without their signature',
          { text: 'abcdef', thought: true, thoughtSignature: 'x'.repeat(99) },
          2,
        ],
        ['a function call', { functionCall: { name: 'lookup', args: { a: 'abc' } } }, 3],
        ['a picture', { inlineData: { mimeType: 'image/png', data: 'A'.repeat(99_999) } }, 2000],
      ])('a stream of %s is not free', async (_name, part, tokens) => {
        const { ai, b } = await serve(events(content(part)))
        await b.agent.session('alice', async () => {
          await read(ai, { maxOutputTokens: 5000 })
        })
        expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: tokens, metering: 'estimated' }])
      })

      test('what chunks have reported is charged where the rest never comes', async () => {
        const usageMetadata = geminiUsage({ input: 10, output: 30, reasoning: 25 })
        const { ai, b } = await serve(
          events(
            { ...content({ text: 'abc' }), usageMetadata },
            { error: { code: 503, status: 'UNAVAILABLE' } },
          ),
        )
        await b.agent.session('alice', async () => {
          expect(await rejection(read(ai))).toMatchObject({ name: 'ApiError', status: 503 })
        })
        expect(b.payloads('llm_call')).toMatchObject([
          { input_tokens: 10, output_tokens: 30, reasoning_tokens: 25, metering: 'estimated' },
        ])
      })

      test('an event that nobody can read is not free', async () => {
        const { ai, b } = await serve(events('abcdef'))
        await b.agent.session('alice', async () => {
          await rejection(read(ai))
        })
        expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 2, metering: 'estimated' }])
      })

      test('a connection that was never made costs nothing', async () => {
        const b = bench({ budget: { usd: 100 }, prices })
        // Nobody listens there any more.
        const server = createServer().listen(0, '127.0.0.1')
        await once(server, 'listening')
        const { port } = server.address() as AddressInfo
        server.close()
        await once(server, 'close')
        await b.agent.session('alice', async () => {
          await rejection(clientFor({ origin: `http://127.0.0.1:${port}` }).models.generateContent(request))
        })
        expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0, error: { name: 'TypeError' } }])
      })
    })

    test('a refusal is not tried again where failures are', async () => {
      const { provider, b } = await serve(reply, {}, { usd: 0.01 })
      const ai = clientFor(provider, {}, { retryOptions })
      let seen: Promise<unknown> | undefined
      const killed = await rejection(
        b.agent.session('alice', async () => {
          seen = rejection(ai.models.generateContent(request))
          await seen
        }),
      )
      expect(killed).toBeInstanceOf(BudgetExceeded)
      expect(await seen).toBe(killed)
      expect(provider.asked).toHaveLength(0)
    })

    test('a refused stream rejects before its first chunk', async () => {
      const { ai } = await serve(reply)
      expect(await rejection(ai.models.generateContentStream(request))).toBeInstanceOf(NoSession)
    })

    test('a stream that is read to its end and let go is no stream that was left', async () => {
      const { provider, b } = await serve(stream)
      const fetch = governedFetch()
      await b.agent.session('alice', async () => {
        const url = `${provider.origin}/v1beta/models/${MODEL}:streamGenerateContent?alt=sse`
        const body = JSON.stringify({ generationConfig: config })
        const response = await fetch(url, { method: 'POST', body })
        const reader = response.body?.getReader()
        while ((await reader?.read())?.done === false);
        reader?.releaseLock()
        expect(await provider.asked[0]?.closed).toEqual({ whole: true })
      })
      expect(b.payloads('llm_call')).toMatchObject([{ metering: 'reported' }])
    })

    describe('a callable tool as tools of an agent', () => {
      const seen: FunctionCall[] = []
      const callable: CallableTool = {
        tool: async () => ({
          functionDeclarations: [
            {
              name: 'weather',
              description: 'Of a city.',
              parameters: {
                type: Type.OBJECT,
                properties: {
                  city: { type: Type.STRING, nullable: true },
                  days: { type: Type.ARRAY, items: { anyOf: [{ type: Type.INTEGER }] } },
                },
                required: ['city'],
              },
            },
            {
              name: 'plain',
              parametersJsonSchema: { type: 'object', properties: { a: { type: 'string' } } },
            },
            { name: 'bare' },
          ],
        }),
        callTool: async ([call = {}]) => {
          seen.push(call)
          const { id = '', name = '', args = {} } = call
          if (args['city'] === 'nowhere')
            return [{ functionResponse: { id, name, response: { error: 'no city' } } }]
          if (args['city'] === 'silence') return []
          return [{ functionResponse: { id, name, response: { output: { sun: true } } } }]
        },
      }

      test('keeps names, descriptions and schemas, and is governed by a contract', async () => {
        const tools = await fromCallableTool(callable, {
          weather: { readOnly: true, when: ({ city }) => city !== 'forbidden' },
        })
        const b = bench({ budget: { toolCalls: 9 }, tools })
        expect(b.agent.toolSchemas('mcp')).toMatchObject([
          {
            name: 'weather',
            description: 'Of a city.',
            inputSchema: {
              type: 'object',
              properties: {
                city: { type: ['string', 'null'] },
                days: { type: 'array', items: { anyOf: [{ type: 'integer' }] } },
              },
              required: ['city'],
            },
          },
          { name: 'plain', inputSchema: { properties: { a: { type: 'string' } } } },
          { name: 'bare', inputSchema: { type: 'object' } },
        ])
        await b.agent.session('alice', async (s) => {
          const ask = (city: string) => s.dispatch({ id: 'call-1', name: 'weather', input: { city } })
          expect(await ask('Rome')).toMatchObject({ ok: true, output: { sun: true } })
          expect(await ask('forbidden')).toMatchObject({ ok: false, denial: { reason: 'predicate_false' } })
          expect(await ask('nowhere')).toMatchObject({ ok: false })
          expect(await ask('silence')).toMatchObject({ ok: false })
          expect(await s.dispatch({ name: 'weather', input: 'Rome' })).toMatchObject({
            ok: false,
            denial: { reason: 'invalid_input' },
          })
        })
        expect(seen.map(({ id, args }) => [id, args?.['city']])).toEqual([
          ['call-1', 'Rome'],
          ['call-1', 'nowhere'],
          ['call-1', 'silence'],
        ])
        expect(b.payloads('tool_result').map(({ ok }) => ok)).toEqual([true, false, false])
      })

      test('is refused where it is none, or has no such function', async () => {
        expect(await rejection(fromCallableTool({} as CallableTool))).toBeInstanceOf(TypeError)
        expect(await rejection(fromCallableTool(callable, { wether: {} }))).toMatchObject({
          message: expect.stringContaining('no function wether'),
        })
      })
    })

    test.each<[unknown, RegExp]>([
      [null, /expected options/],
      [{ sesion: 1 }, /unknown option sesion/],
      [{ includeUsage: true }, /unknown option includeUsage/],
      [{ fetch: 1 }, /fetch: expected a function/],
    ])('options %j are refused', (options, message) => {
      expect(thrown(() => governedFetch(options as GovernedFetchOptions))).toMatchObject({
        message: expect.stringMatching(message),
      })
    })

    test.each(['not json', '[]', undefined])('a body %s is refused: it cannot be metered', async (body) => {
      const b = bench({ budget: { usd: 1 } })
      const fetch = governedFetch({ fetch: async () => new Response() })
      await b.agent.session('alice', async () => {
        const url = `http://x/v1beta/models/${MODEL}:generateContent`
        const response = await fetch(url, { method: 'POST', ...(body === undefined ? {} : { body }) })
        expect(thrown(() => response.headers)).toMatchObject({
          message: expect.stringMatching(/JSON object/),
        })
      })
    })
  })
}
