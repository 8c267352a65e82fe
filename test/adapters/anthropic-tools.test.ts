import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { ToolError } from '@anthropic-ai/sdk/lib/tools/ToolError'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, defineTool, SessionClosed } from 'writ'
import { fromRunnableTool, governedMiddleware, runToolUses, toRunnableTools } from 'writ/anthropic'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import {
  anthropicWire,
  blockDelta,
  blockStart,
  blockStop,
  messageStart,
  sends,
  text,
  toolUse,
} from './anthropic-wire.js'
import { type Asked, type Plan, type Provider, provide } from './provider.js'
import { MODEL, prices } from './suite.js'

const TOKENS = { input: 10, output: 20 }
const answer = sends([text('done')], TOKENS)
const asks = (...uses: ReturnType<typeof toolUse>[]): Plan => sends([text('so'), ...uses], TOKENS)
const params = { model: MODEL, max_tokens: 50, messages: [{ role: 'user' as const, content: 'hi' }] }

const look_up = defineTool({
  description: 'Looks something up.',
  inputSchema: z.object({ id: z.number() }),
  when: ({ id }) => id > 0,
  execute: async ({ id }) => ({ id, found: true }),
})
const fail = defineTool({
  inputSchema: z.object({}),
  execute: () => {
    throw new TypeError('no disk')
  },
})

const client = ({ origin }: Provider): Anthropic =>
  new Anthropic({ apiKey: 'none', baseURL: origin, logLevel: 'off', middleware: [governedMiddleware()] })

interface ResultBlock {
  readonly tool_use_id: string
  readonly content: string
  readonly is_error?: boolean
}

/** The results that the program sent with its request of this number. */
function results({ asked }: Provider, index: number): ResultBlock[] {
  const { messages } = (asked[index] as Asked).body as { messages: { content: ResultBlock[] }[] }
  return messages.at(-1)?.content as ResultBlock[]
}

describe('tool uses of a message', () => {
  test('are answered in their order, and a denial is an answer', async () => {
    const b = bench({ budget: { toolCalls: 9 }, tools: { look_up, fail } })
    const content = [
      text('so'),
      toolUse('1', 'look_up', { id: 7 }),
      toolUse('2', 'look_up', { id: -7 }),
      toolUse('3', 'payOut', {}),
      toolUse('4', 'look_up', { id: 'seven' }),
      toolUse('5', 'fail', {}),
    ] as unknown as Anthropic.ContentBlock[]
    const answers = await b.agent.session('alice', (s) => runToolUses(s, content))
    expect(answers.map(({ type, tool_use_id, is_error }) => [type, tool_use_id, is_error])).toEqual([
      ['tool_result', '1', undefined],
      ['tool_result', '2', true],
      ['tool_result', '3', true],
      ['tool_result', '4', true],
      ['tool_result', '5', true],
    ])
    expect(answers.map(({ content }) => JSON.parse(content as string))).toMatchObject([
      { id: 7, found: true },
      { error: { reason: 'predicate_false' } },
      { error: { reason: 'not_registered' } },
      { error: { reason: 'invalid_input' } },
      { error: { reason: 'tool_error' } },
    ])
    expect(b.payloads('tool_call').map(({ model_call_id: id }) => id)).toEqual(['1', '5'])
    expect(await b.agent.session('alice', (s) => runToolUses(s, []))).toEqual([])
  })

  test('of a toolset are those of a tool of its own, whatever else has that name', async () => {
    let browsed = 0
    const navigate = defineTool({ inputSchema: z.object({}), execute: () => 'the wrong one' })
    const b = bench({
      budget: { toolCalls: 9 },
      tools: {
        navigate,
        'browser.navigate': defineTool({ inputSchema: z.object({}), execute: () => `${++browsed}` }),
      },
    })
    const content = [
      toolUse('1', 'navigate', {}, { toolset_name: 'browser' }),
      toolUse('2', 'navigate', {}, { toolset_name: 'computer' }),
      toolUse('3', 'navigate', {}, { toolset_name: null }),
    ] as unknown as Anthropic.ContentBlock[]
    const answers = await b.agent.session('alice', (s) => runToolUses(s, content))
    expect(answers).toMatchObject([
      { toolset_name: 'browser', content: '1' },
      { toolset_name: 'computer', is_error: true },
      { content: 'the wrong one' },
    ])
    expect(answers[2]).not.toHaveProperty('toolset_name')
  })

  test('that answer with text, blocks and nothing', async () => {
    const output = (value: unknown) => defineTool({ inputSchema: z.object({}), execute: () => value })
    const blocks = [{ type: 'text', text: 'x' }]
    const tools = {
      text: output('x'),
      blocks: output(blocks),
      nothing: output(undefined),
      none: output([]),
      list: output([{ type: 'text', text: 'x' }, 7]),
    }
    const b = bench({ budget: { toolCalls: 9 }, tools })
    const content = Object.keys(tools).map((name) => toolUse(name, name, {}))
    const answers = await b.agent.session('alice', (s) =>
      runToolUses(s, content as unknown as Anthropic.ContentBlock[]),
    )
    expect(answers.map(({ content }) => content)).toEqual([
      'x',
      blocks,
      'null',
      '[]',
      '[{"type":"text","text":"x"},7]',
    ])
  })

  test('end the run when the session is killed', async () => {
    const b = bench({ budget: { toolCalls: 1 }, tools: { look_up } })
    const content = [toolUse('1', 'look_up', { id: 1 }), toolUse('2', 'look_up', { id: 2 })]
    const killed = b.agent.session('alice', (s) =>
      runToolUses(s, content as unknown as Anthropic.ContentBlock[]),
    )
    expect(await rejection(killed)).toBeInstanceOf(BudgetExceeded)
  })
})

describe.each([
  ['whole', {}],
  ['streamed', { stream: true }],
  ['streamed and eager', { stream: true, runToolsEagerly: true }],
] as const)('the tool runner, %s', (_name, how) => {
  const run = (anthropic: Anthropic, tools: ReturnType<typeof toRunnableTools>, more: object = {}) =>
    anthropic.beta.messages.toolRunner({ ...params, ...how, ...more, tools }).runUntilDone()

  test('calls tools through the session, at once; a denial and an error are read by the model', async () => {
    const provider = await provide(
      anthropicWire,
      asks(
        toolUse('1', 'look_up', { id: 7 }),
        toolUse('2', 'look_up', { id: -7 }),
        toolUse('3', 'fail', {}),
        toolUse('4', 'look_up', { id: 'seven' }),
      ),
      answer,
    )
    const b = bench({ budget: { usd: 100, toolCalls: 9 }, prices, tools: { look_up, fail } })
    const message = await b.agent.session('alice', (s) =>
      run(client(provider), toRunnableTools(s, b.agent.toolSchemas('anthropic'))),
    )
    expect(message.content).toMatchObject([{ text: 'done' }])
    expect(provider.asked[0]?.body['tools']).toMatchObject([
      { name: 'look_up', description: 'Looks something up.', input_schema: { type: 'object' } },
      { name: 'fail' },
    ])
    const seen = results(provider, 1)
    expect(seen.map(({ tool_use_id, is_error }) => [tool_use_id, is_error])).toEqual([
      ['1', undefined],
      ['2', true],
      ['3', true],
      ['4', true],
    ])
    expect(seen.map(({ content }) => JSON.parse(content.replace(/^Error: /, '')))).toMatchObject([
      { id: 7, found: true },
      { error: { reason: 'predicate_false' } },
      { error: { reason: 'tool_error' } },
      { error: { reason: 'invalid_input' } },
    ])
    expect(b.payloads('tool_call').map(({ model_call_id: id }) => id)).toEqual(['1', '3'])
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  test('a kill in a tool ends the run with the limit as the error', async () => {
    const provider = await provide(
      anthropicWire,
      asks(toolUse('1', 'look_up', { id: 1 }), toolUse('2', 'look_up', { id: 2 })),
      answer,
    )
    const b = bench({ budget: { usd: 100, toolCalls: 1 }, prices, tools: { look_up } })
    let seen: unknown
    const killed = await rejection(
      b.agent.session('alice', async (s) => {
        seen = await rejection(run(client(provider), toRunnableTools(s, b.agent.toolSchemas('anthropic'))))
      }),
    )
    expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'toolCalls' })
    const error = seen as Error
    // Helpers that stream put what is no error of the package into one that is, once.
    expect('stream' in how ? error.cause : error).toBe(killed)
    expect(provider.asked).toHaveLength(1)
  })

  test('a call that needs an approval waits for it, and runs or is denied', async () => {
    const pay = defineTool({
      inputSchema: z.object({ usd: z.number() }),
      redact: (input) => input,
      approval: 'always',
      execute: ({ usd }) => `paid ${usd}`,
    })
    const provider = await provide(
      anthropicWire,
      asks(toolUse('1', 'pay', { usd: 5 }), toolUse('2', 'pay', { usd: 500 })),
      answer,
    )
    const b = bench({
      budget: { usd: 100 },
      prices,
      tools: { pay },
      approve: async ({ input }) => ({ approved: (input as { usd: number }).usd < 100, by: 'carol' }),
    })
    await b.agent.session('alice', (s) =>
      run(client(provider), toRunnableTools(s, b.agent.toolSchemas('anthropic'))),
    )
    expect(results(provider, 1)).toMatchObject([
      { content: 'paid 5' },
      { is_error: true, content: expect.stringMatching(/^Error: .*approval/) },
    ])
  })

  test('an agent that is a tool pays in a session of its own, within the one above', async () => {
    const provider = await provide(
      anthropicWire,
      asks(toolUse('1', 'research', { topic: 'chairs' })),
      asks(toolUse('2', 'look_up', { id: 7 })),
      sends([text('found')], TOKENS),
      answer,
    )
    const anthropic = client(provider)
    const inner = bench({ budget: { usd: 1 }, prices, tools: { look_up } })
    const research = defineTool({
      inputSchema: z.object({ topic: z.string() }),
      execute: () =>
        inner.agent.session('alice', async (s) => {
          const tools = toRunnableTools(s, inner.agent.toolSchemas('anthropic'))
          return (await run(anthropic, tools)).content
            .map((block) => ('text' in block ? block.text : ''))
            .join()
        }),
    })
    const b = bench({ budget: { usd: 100, depth: 2 }, prices, tools: { research } })
    await b.agent.session('alice', async (s) => {
      await run(anthropic, toRunnableTools(s, b.agent.toolSchemas('anthropic')))
      expect(s.usage().usd).toBe(0.2)
    })
    expect([inner.payloads('llm_call').length, b.payloads('llm_call').length]).toEqual([2, 2])
    expect(results(provider, 3)).toMatchObject([{ tool_use_id: '1', content: 'found' }])
  })
})

describe('the tool runner', () => {
  test('continues a thread, whose input is not what is sent, and goes on under a limit', async () => {
    const provider = await provide(anthropicWire, asks(toolUse('1', 'look_up', { id: 7 })), answer)
    const b = bench({ budget: { usd: 10 }, prices, tools: { look_up } })
    await b.agent.session('alice', (s) =>
      client(provider)
        .beta.messages.toolRunner({ ...params, tools: toRunnableTools(s, b.agent.toolSchemas('anthropic')) })
        .runUntilDone(),
    )
    expect(provider.asked.map(({ body }) => body['thread'])).toMatchObject([
      { type: 'create' },
      { type: 'continue' },
    ])
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0.05 }, { cost_usd: 0.05 }])
  })

  test('starts a tool while the reply is streamed; the end of the session stops both', async () => {
    let started: () => void = () => undefined
    const running = new Promise<void>((resolve) => {
      started = resolve
    })
    const wait = defineTool({
      inputSchema: z.object({}),
      execute: () =>
        new Promise(() => {
          started()
        }),
    })
    const provider = await provide(anthropicWire, {
      kind: 'raw',
      answer: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(
          messageStart(TOKENS) +
            blockStart(0, toolUse('1', 'wait', {})) +
            blockDelta(0, { type: 'input_json_delta', partial_json: '{}' }) +
            blockStop(0) +
            blockStart(1, text('and now')),
        )
      },
    })
    const b = bench({ budget: { usd: 100 }, prices, tools: { wait } })
    const s = b.agent.open('alice')
    const tools = toRunnableTools(s, b.agent.toolSchemas('anthropic'))
    const anthropic = new Anthropic({
      apiKey: 'none',
      baseURL: provider.origin,
      middleware: [governedMiddleware({ session: s })],
    })
    const pending = rejection(
      anthropic.beta.messages
        .toolRunner({ ...params, tools, stream: true, runToolsEagerly: true })
        .runUntilDone(),
    )
    await running
    await s.close()
    expect(((await pending) as Error).cause).toBeInstanceOf(SessionClosed)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    expect(provider.asked).toHaveLength(1)
    expect(b.payloads('llm_call')).toMatchObject([{ input_tokens: 10, metering: 'estimated' }])
    expect(b.payloads('tool_result')).toMatchObject([{ ok: false }])
  })

  test('an abort of the run aborts the call that it makes, and nothing of the session', async () => {
    const abort = new AbortController()
    const wait = defineTool({
      inputSchema: z.object({}),
      execute: () =>
        new Promise(() => {
          abort.abort()
        }),
    })
    const provider = await provide(anthropicWire, asks(toolUse('1', 'wait', {})), answer)
    const b = bench({ budget: { usd: 100 }, prices, tools: { wait } })
    await b.agent.session('alice', async (s) => {
      const tools = toRunnableTools(s, b.agent.toolSchemas('anthropic'))
      const error = await rejection(
        client(provider)
          .beta.messages.toolRunner({ ...params, tools }, { signal: abort.signal })
          .runUntilDone(),
      )
      expect(error).toBeInstanceOf(Anthropic.APIUserAbortError)
      expect(s.state).toBe('open')
    })
    expect(b.payloads('tool_result')).toMatchObject([{ ok: false }])
  })
})

describe('tools of the runner as tools of an agent', () => {
  const weather = betaZodTool({
    name: 'get_weather',
    description: 'The weather somewhere.',
    inputSchema: z.object({ city: z.string(), days: z.number().default(1) }),
    run: ({ city, days }, context) => {
      seen.push(context)
      return `${city}: rain for ${days}`
    },
  })
  const seen: unknown[] = []

  test('keep their name for the model, description, schema and types, and are under the contract', async () => {
    const b = bench({
      budget: { toolCalls: 9 },
      tools: {
        get_weather: fromRunnableTool(weather, { when: ({ city }) => city !== 'Atlantis', maxCalls: 2 }),
      },
    })
    expect(b.agent.toolSchemas('anthropic')).toEqual([
      {
        name: 'get_weather',
        description: 'The weather somewhere.',
        input_schema: (weather as Anthropic.Beta.BetaTool).input_schema,
      },
    ])
    await b.agent.session('alice', async (s) => {
      const said = await s.callTool('get_weather', { city: 'Bergen', days: 3 })
      // Of its own type, no unknown.
      expect((said satisfies string | unknown[]).length).toBe(18)
      expect(said).toBe('Bergen: rain for 3')
      expect(
        await s.dispatch({ id: 'toolu_1', name: 'get_weather', input: '{"city":"Bergen"}' }),
      ).toMatchObject({
        output: 'Bergen: rain for 1',
      })
      expect(await s.dispatch({ name: 'get_weather', input: { city: 7 } })).toMatchObject({
        denial: { reason: 'invalid_input' },
      })
      expect(await s.dispatch({ name: 'get_weather', input: { city: 'Atlantis' } })).toMatchObject({
        denial: { reason: 'predicate_false' },
      })
    })
    const [call] = b.payloads('tool_call')
    expect(seen[1]).toMatchObject({ toolUse: { id: 'toolu_1' } })
    expect(seen[0]).toMatchObject({
      toolUse: {
        type: 'tool_use',
        id: call?.['call_id'],
        name: 'get_weather',
        input: { city: 'Bergen', days: 3 },
      },
      signal: expect.any(AbortSignal),
    })
  })

  test('go through a runner and back: blocks and errors are what they were', async () => {
    const block = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'x' } } as const
    const draw = betaTool({
      name: 'draw',
      description: 'Draws.',
      inputSchema: { type: 'object', properties: { what: { type: 'string' } } },
      run: ({ what }) => {
        if (what === 'a war') throw new ToolError('not that')
        return [block]
      },
    })
    const provider = await provide(
      anthropicWire,
      asks(toolUse('1', 'draw', { what: 'a chair' }), toolUse('2', 'draw', { what: 'a war' })),
      answer,
    )
    const b = bench({ budget: { usd: 100 }, prices, tools: { draw: fromRunnableTool(draw) } })
    await b.agent.session('alice', (s) =>
      client(provider)
        .beta.messages.toolRunner({ ...params, tools: toRunnableTools(s, b.agent.toolSchemas('anthropic')) })
        .runUntilDone(),
    )
    expect(results(provider, 1)).toMatchObject([
      { content: [block] },
      { is_error: true, content: expect.stringContaining('not that') },
    ])
  })

  test('that Anthropic defines have no schema to show', async () => {
    const bash = {
      type: 'bash_20250124',
      name: 'bash',
      parse: (input: unknown) => input as { command: string },
      run: ({ command }: { command: string }) => command.toUpperCase(),
    } as const
    const b = bench({ budget: { toolCalls: 9 }, tools: { bash: fromRunnableTool(bash) } })
    expect(thrown(() => b.agent.toolSchemas('anthropic'))).toBeInstanceOf(RangeError)
    expect(await b.agent.session('alice', (s) => s.callTool('bash', { command: 'ls' }))).toBe('LS')
  })

  test.each([[null], [{}], [{ name: 'x' }], [{ type: 'browser_toolset_20260801', run: () => [] }]])(
    'are no other things: %j',
    (tool) => {
      expect(thrown(() => fromRunnableTool(tool as never))).toMatchObject({
        message: expect.stringMatching(/^fromRunnableTool: expected a tool/),
      })
    },
  )

  test('take no option that is unknown', () => {
    expect(thrown(() => fromRunnableTool(weather, { maxcalls: 1 } as never))).toMatchObject({
      message: expect.stringContaining('maxcalls'),
    })
  })
})
