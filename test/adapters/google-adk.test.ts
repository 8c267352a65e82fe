import { readFileSync } from 'node:fs'
import {
  AgentTool,
  BaseCodeExecutor,
  BaseLlm,
  BasePlugin,
  BaseTool,
  BaseToolset,
  createEvent,
  FunctionTool,
  Gemini,
  GOOGLE_SEARCH,
  InMemoryRunner,
  LiveRequestQueue,
  LlmAgent,
  type LlmResponse,
  LogLevel,
  LongRunningFunctionTool,
  ParallelAgent,
  type RunConfig,
  Runner,
  START,
  StreamingMode,
  setLogLevel,
  ToolNode,
  Workflow,
} from '@google/adk'
import type { Part } from '@google/genai'
import { describe, expect, test } from 'vitest'
import { BudgetExceeded, defineTool, NoSession, UnmeteredRequest } from 'writ'
import {
  ADK_COVERAGE,
  fromAdkTool,
  type GovernedFetchOptions,
  governedFetch,
  governedPlugin,
  toAdkTools,
} from 'writ/google'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { geminiUsage, googleWire } from './google-wire.js'
import { type Plan, type Provider, provide } from './provider.js'
import { type Ask, adapterSuite, MODEL, prices } from './suite.js'

setLogLevel(LogLevel.ERROR + 1)

type AgentConfig = ConstructorParameters<typeof LlmAgent>[0]

/** An agent whose models ask the stand-in. */
const agentAt = (
  { origin }: Pick<Provider, 'origin'>,
  { generateContentConfig, ...config }: Partial<AgentConfig> = {},
): LlmAgent =>
  new LlmAgent({
    name: 'desk',
    model: new Gemini({ model: MODEL, apiKey: 'none' }),
    ...config,
    generateContentConfig: {
      maxOutputTokens: 50,
      ...generateContentConfig,
      httpOptions: { baseUrl: origin, ...generateContentConfig?.httpOptions },
    },
  })

const user = (text: string) => ({ role: 'user', parts: [{ text }] })

async function* runOf(
  agent: NonNullable<ConstructorParameters<typeof InMemoryRunner>[0]['agent']>,
  plugins: BasePlugin[],
  more: { runConfig?: Partial<RunConfig>; abortSignal?: AbortSignal } = {},
) {
  const runner = new InMemoryRunner({ agent, plugins })
  const { id: sessionId } = await runner.sessionService.createSession({
    appName: runner.appName,
    userId: 'u',
  })
  yield* runner.runAsync({ userId: 'u', sessionId, newMessage: user('hi'), ...more } as never)
}

/** A `fetch` that fails with the words of a browser: the client takes those of Node for no broken connection. */
const browserFetch: typeof fetch = (...request) =>
  fetch(...request).catch((error: Error) => {
    throw error.message === 'fetch failed' ? new TypeError('Failed to fetch', { cause: error.cause }) : error
  })

adapterSuite('google adk', {
  wire: googleWire,
  abortError: 'DOMException',
  client: (provider, options) => {
    const plugin = governedPlugin(BasePlugin, { ...options, fetch: browserFetch })
    const run = async function* (mode: StreamingMode, { model = MODEL, maxTokens, signal }: Ask = {}) {
      const agent = agentAt(provider, {
        model: new Gemini({ model, apiKey: 'none' }),
        generateContentConfig: {
          ...(maxTokens === undefined
            ? { maxOutputTokens: undefined as never }
            : { maxOutputTokens: maxTokens }),
          httpOptions: { retryOptions: { attempts: 3, initialDelay: 0.001 } },
        },
      })
      const more = signal === undefined ? {} : { abortSignal: signal }
      for await (const event of runOf(agent, [plugin], { runConfig: { streamingMode: mode }, ...more })) {
        // The ADK says of an error of the model that there was one.
        if (event.errorCode !== undefined) throw new TypeError(event.errorMessage)
        const text = event.content?.parts?.[0]?.text
        if (text !== undefined && (mode === StreamingMode.NONE || event.partial === true)) yield text
      }
    }
    /** The ADK ends a run quietly that its caller aborts. */
    const throwAborted = (ask: Ask | undefined): void => {
      if (ask?.signal?.aborted === true) throw new DOMException('aborted', 'AbortError')
    }
    return {
      ask: async (ask) => {
        let text = ''
        for await (const piece of run(StreamingMode.NONE, ask)) text += piece
        throwAborted(ask)
        return text
      },
      stream: async function* (ask) {
        let isBegun = false
        for await (const piece of run(StreamingMode.SSE, ask)) {
          isBegun = true
          yield piece
        }
        if (!isBegun) throwAborted(ask)
      },
    }
  },
})

const TOKENS = { input: 10, output: 20 }

const json = (body: object): Plan => ({
  kind: 'raw',
  answer: (response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
})
const says = (...parts: readonly object[]): Plan =>
  json({
    candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP' }],
    usageMetadata: geminiUsage(TOKENS),
  })
const text = (words: string): Plan => says({ text: words })
const call = (name: string, args: object = {}): object => ({ functionCall: { name, args } })
const calls = (name: string, args: object = {}): Plan => says(call(name, args))

/** A tool of the ADK, and what it was called with. */
function adkTool(name: string, execute: (input: { id: number }) => unknown = ({ id }) => ({ found: id })) {
  const ran: number[] = []
  const tool = new FunctionTool({
    name,
    description: `Does ${name}.`,
    parameters: z.object({ id: z.number() }),
    execute: (input) => {
      ran.push(input.id)
      return execute(input)
    },
  })
  return { tool, ran }
}

async function drain(events: AsyncIterable<{ readonly errorMessage?: string | undefined }>) {
  const seen: object[] = []
  for await (const event of events) {
    expect(event.errorMessage).toBeUndefined()
    seen.push(event)
  }
  return seen
}

interface Contents {
  readonly parts: readonly { readonly functionResponse?: { readonly response: unknown } }[]
}

/** Workflows make an event of an error before they throw it. */
async function exhaust(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _event of events);
}

/** What the model was answered for its function calls, in its nth request. */
function answers({ asked }: Provider, request: number): unknown[] {
  const contents = asked[request]?.body['contents'] as readonly Contents[]
  return contents
    .flatMap(({ parts }) => parts)
    .flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse.response]))
}

const plugin = (options: GovernedFetchOptions = {}): BasePlugin => governedPlugin(BasePlugin, options)
const budget = { usd: 100 }
const done = text('done')

class Guard extends BasePlugin {
  constructor(callbacks: Partial<BasePlugin> = {}) {
    super('guard')
    Object.assign(this, callbacks)
  }
}

describe('tools', () => {
  test('a call that is allowed runs with what it was called with, counts and is on record', async () => {
    const { tool, ran } = adkTool('lookUp')
    const provider = await provide(googleWire, calls('lookUp', { id: 7 }), done)
    const b = bench({ budget, prices, tools: { lookup: fromAdkTool(tool) } })
    await b.agent.session('alice', async (s) => {
      await drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()]))
      expect(s.usage()).toMatchObject({ toolCalls: 1, llmCalls: 2 })
    })
    expect(ran).toEqual([7])
    expect(answers(provider, 1)).toEqual([{ found: 7 }])
    expect(b.payloads('tool_call')).toMatchObject([{ tool: 'lookup' }])
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'reported' }, { metering: 'reported' }])
  })

  test('gets the context of the run that calls it', async () => {
    const tool = new FunctionTool({
      name: 'note',
      description: '',
      parameters: z.object({}),
      execute: (_input, context) => {
        context?.state.set('noted', context.functionCallId)
        return 'ok'
      },
    })
    const provider = await provide(googleWire, calls('note'), done)
    const b = bench({ budget, prices, tools: { note: fromAdkTool(tool) } })
    const events = await b.agent.session('alice', () =>
      drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])),
    )
    expect(events).toMatchObject([
      {},
      { actions: { stateDelta: { noted: expect.stringMatching(/^adk-/) } } },
      {},
    ])
    expect(answers(provider, 1)).toEqual([{ result: 'ok' }])
  })

  test.each<[string, object, object]>([
    ['not registered', {}, { reason: 'not_registered' }],
    ['not for these inputs', { when: () => false }, { reason: 'predicate_false' }],
    ['not approved', { approval: 'always' }, {}],
    ['with a wrong input', { inputSchema: z.object({ id: z.string() }) }, { reason: 'invalid_input' }],
  ])('a call that is %s does not run: the model reads why, and goes on', async (what, contract, denial) => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(googleWire, calls('look', { id: 7 }), done)
    const tools = what === 'not registered' ? {} : { look: fromAdkTool(tool, contract) }
    const b = bench({
      budget,
      prices,
      tools,
      ...(what === 'not approved' ? { approve: async () => ({ approved: false }) } : {}),
    } as never)
    const events = await b.agent.session('alice', () =>
      drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])),
    )
    expect(events).toHaveLength(3)
    expect(ran).toEqual([])
    expect(answers(provider, 1)).toMatchObject([{ error: denial }])
    expect(b.payloads('tool_denied')).toMatchObject([{ tool: 'look', ...denial }])
  })

  test('a tool that fails is on record as that, and the model reads it', async () => {
    const { tool } = adkTool('look', () => {
      throw new TypeError('no such thing')
    })
    const provider = await provide(googleWire, calls('look', { id: 7 }), done)
    const b = bench({ budget, prices, tools: { look: fromAdkTool(tool) } })
    await b.agent.session('alice', () => drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])))
    expect(answers(provider, 1)).toMatchObject([{ error: expect.anything() }])
    expect(b.payloads('tool_result')).toMatchObject([{ ok: false, error: { name: 'Error' } }])
  })

  test('calls of one turn each count', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(googleWire, says(call('look', { id: 1 }), call('look', { id: 2 })), done)
    const b = bench({ budget, prices, tools: { look: fromAdkTool(tool, { maxCalls: 1 }) } })
    await b.agent.session('alice', () => drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])))
    expect(ran).toEqual([1])
    expect(answers(provider, 1)).toMatchObject([{ found: 1 }, { error: { code: expect.any(String) } }])
  })

  test('of a toolset are governed by their names', async () => {
    const { tool, ran } = adkTool('look')
    class Tools extends BaseToolset {
      override getTools = async () => [tool]
      override close = async () => undefined
    }
    const provider = await provide(googleWire, calls('look', { id: 7 }), done)
    const b = bench({ budget, prices })
    await b.agent.session('alice', () =>
      drain(runOf(agentAt(provider, { tools: [new Tools([])] }), [plugin()])),
    )
    expect(ran).toEqual([])
    expect(answers(provider, 1)).toMatchObject([{ error: { reason: 'not_registered' } }])
  })

  test('of a workflow are governed', async () => {
    const { tool, ran } = adkTool('look')
    const when = (input: unknown) => (input as { id: number }).id === 1
    const b = bench({ budget, prices, tools: { look: fromAdkTool(tool, { when }) } })
    const workflow = (id: number) => {
      const first = () => ({ id })
      return new Workflow({ name: 'flow', edges: [[START, first, new ToolNode(tool)]] })
    }
    await b.agent.session('alice', async () => {
      await drain(runOf(workflow(1), [plugin()]))
      await drain(runOf(workflow(2), [plugin()]))
    })
    expect(ran).toEqual([1])
    expect(b.payloads('tool_denied')).toMatchObject([{ tool: 'look' }])
  })

  test('of a workflow that give nothing run once', async () => {
    const { tool, ran } = adkTool('look', () => undefined)
    const first = () => ({ id: 1 })
    const flow = new Workflow({ name: 'flow', edges: [[START, first, new ToolNode(tool)]] })
    const b = bench({ budget, prices, tools: { look: fromAdkTool(tool) } })
    await b.agent.session('alice', () => drain(runOf(flow, [plugin()])))
    expect(ran).toEqual([1])
  })

  test('that have no answer yet are given none', async () => {
    const tool = new LongRunningFunctionTool({
      name: 'wait',
      description: '',
      parameters: z.object({}),
      execute: () => undefined,
    })
    const provider = await provide(googleWire, calls('wait'), done)
    const b = bench({ budget, prices, tools: { wait: fromAdkTool(tool) } })
    const events = await b.agent.session('alice', () =>
      drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])),
    )
    expect(events).toHaveLength(1)
    expect(b.payloads('tool_call')).toHaveLength(1)
  })

  test('pass outside of a session where that was said', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(googleWire, calls('look', { id: 7 }), done)
    await drain(runOf(agentAt(provider, { tools: [tool] }), [plugin({ outside: 'observe' })]))
    expect(ran).toEqual([7])
  })

  test('that Google hosts are refused', async () => {
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      const run = runOf(
        agentAt(provider, { model: new Gemini({ model: MODEL, apiKey: 'none' }), tools: [GOOGLE_SEARCH] }),
        [plugin()],
      )
      expect(await rejection(drain(run))).toBeInstanceOf(Error)
    })
    expect(provider.asked).toHaveLength(0)
  })
})

describe('approvals of the ADK', () => {
  test.each([true, false])(
    'come first, and the call then goes through the session (%s)',
    async (confirmed) => {
      const ran: number[] = []
      const asked: string[] = []
      const tool = new FunctionTool({
        name: 'pay',
        description: '',
        parameters: z.object({ id: z.number() }),
        requireConfirmation: true,
        execute: ({ id }) => {
          ran.push(id)
          return 'paid'
        },
      })
      const provider = await provide(googleWire, calls('pay', { id: 7 }), done)
      const b = bench({ budget, prices, tools: { pay: fromAdkTool(tool) } })
      const agent = agentAt(provider, {
        tools: [tool],
        beforeToolCallback: ({ tool: { name } }) => {
          asked.push(name)
          return undefined
        },
      })
      const runner = new InMemoryRunner({ agent, plugins: [plugin()] })
      const { id: sessionId } = await runner.sessionService.createSession({
        appName: runner.appName,
        userId: 'u',
      })
      const send = (newMessage: object) => drain(runner.runAsync({ userId: 'u', sessionId, newMessage }))
      await b.agent.session('alice', async () => {
        const events = (await send(user('hi'))) as {
          content?: { parts?: { functionCall?: { id: string; name: string } }[] }
        }[]
        const request = events
          .flatMap(({ content }) => content?.parts ?? [])
          .find(({ functionCall }) => functionCall?.name === 'adk_request_confirmation')?.functionCall
        expect(ran).toEqual([])
        await send({
          role: 'user',
          parts: [{ functionResponse: { ...request, args: undefined, response: { confirmed } } }],
        })
      })
      expect(ran).toEqual(confirmed ? [7] : [])
      // Once for each time, although the plugin itself answers the second.
      expect(asked).toEqual(['pay', 'pay'])
      expect(b.payloads('tool_call')).toHaveLength(2)
    },
  )
})

describe('what else guards a run', () => {
  test('is asked before the contract is: callbacks of the agent', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(googleWire, calls('look', { id: 7 }), done)
    const b = bench({ budget, prices, tools: { look: fromAdkTool(tool) } })
    const agent = agentAt(provider, { tools: [tool], beforeToolCallback: () => ({ error: 'not today' }) })
    await b.agent.session('alice', () => drain(runOf(agent, [plugin()])))
    expect(ran).toEqual([])
    expect(answers(provider, 1)).toEqual([{ error: 'not today' }])
    expect(b.payloads('tool_call')).toEqual([])
  })

  test('has to come first: plugins', async () => {
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      expect(await rejection(drain(runOf(agentAt(provider), [plugin(), new Guard()])))).toBeInstanceOf(
        TypeError,
      )
      await drain(runOf(agentAt(provider), [new Guard(), plugin()]))
    })
    expect(provider.asked).toHaveLength(1)
  })

  test('may answer for the model, and its calls are governed all the same', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    let turns = 0
    const guard = new Guard({
      beforeModelCallback: async () => {
        turns += 1
        const parts = turns === 1 ? [call('look', { id: 7 })] : [{ text: 'done' }]
        return { content: { role: 'model', parts } } as LlmResponse
      },
    })
    await b.agent.session('alice', () =>
      drain(runOf(agentAt(provider, { tools: [tool] }), [guard, plugin()])),
    )
    // Such an answer has no tools at all.
    expect(ran).toEqual([])
    expect(b.payloads('tool_denied')).toMatchObject([{ reason: 'not_registered' }])
  })
})

describe('agents', () => {
  test('that are transferred to are governed, and the transfer itself is free', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(
      googleWire,
      calls('transfer_to_agent', { agentName: 'other' }),
      calls('look', { id: 7 }),
      done,
    )
    const b = bench({ budget, prices })
    const other = agentAt(provider, { name: 'other', tools: [tool] })
    await b.agent.session('alice', () => drain(runOf(agentAt(provider, { subAgents: [other] }), [plugin()])))
    expect(ran).toEqual([])
    expect(answers(provider, 2)).toContainEqual({
      error: expect.objectContaining({ reason: 'not_registered' }),
    })
    expect(b.payloads('llm_call')).toHaveLength(3)
  })

  test('a tool that goes by the name of a transfer does not run', async () => {
    const { tool, ran } = adkTool('transfer_to_agent')
    const provider = await provide(googleWire, calls('transfer_to_agent', { id: 7, agentName: 'desk' }), done)
    const b = bench({ budget, prices })
    const agent = agentAt(provider, {
      tools: [tool],
      disallowTransferToParent: true,
      disallowTransferToPeers: true,
    })
    await b.agent.session('alice', () => drain(runOf(agent, [plugin()])))
    expect(ran).toEqual([])
  })

  test('that run at once each pay', async () => {
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    const subAgents = ['a', 'b', 'c'].map((name) => agentAt(provider, { name }))
    await b.agent.session('alice', () =>
      drain(runOf(new ParallelAgent({ name: 'all', subAgents }), [plugin()])),
    )
    expect(b.payloads('llm_call')).toHaveLength(3)
  })

  const nested = (provider: Provider, tools: BaseTool[], more: Partial<AgentConfig> = {}) =>
    new AgentTool({ agent: agentAt(provider, { name: 'expert', tools, ...more }) })

  test('as tools are tools, and run under the plugin', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(
      googleWire,
      calls('expert', { request: 'look' }),
      calls('look', { id: 7 }),
      text('looked'),
      done,
    )
    const expert = nested(provider, [tool])
    const b = bench({ budget, prices, tools: { expert: fromAdkTool(expert) } })
    await b.agent.session('alice', () => drain(runOf(agentAt(provider, { tools: [expert] }), [plugin()])))
    expect(ran).toEqual([])
    expect(answers(provider, 2)).toMatchObject([{ error: { reason: 'not_registered' } }])
    expect(answers(provider, 3)).toEqual([{ result: 'looked' }])
    expect(b.payloads('llm_call')).toHaveLength(4)
    expect(b.payloads('tool_call')).toMatchObject([{ tool: 'expert' }])
  })

  test('as tools that go on where they were are under it as well', async () => {
    const { tool, ran } = adkTool('look')
    const provider = await provide(
      googleWire,
      calls('expert', { request: 'look' }),
      calls('transfer_to_agent', { agentName: 'clerk' }),
      text('ask again'),
      calls('expert', { request: 'look again' }),
      calls('look', { id: 7 }),
      text('looked'),
      done,
    )
    const expert = nested(provider, [], { subAgents: [agentAt(provider, { name: 'clerk', tools: [tool] })] })
    const b = bench({ budget, prices, tools: { expert: fromAdkTool(expert) } })
    await b.agent.session('alice', () => drain(runOf(agentAt(provider, { tools: [expert] }), [plugin()])))
    expect(provider.asked).toHaveLength(7)
    expect(ran).toEqual([])
    expect(b.payloads('tool_denied')).toMatchObject([{ tool: 'look', reason: 'not_registered' }])
    expect(b.payloads('llm_call')).toHaveLength(7)
  })

  test('as tools end the whole run with the session', async () => {
    const { tool } = adkTool('look')
    const provider = await provide(
      googleWire,
      calls('expert', { request: 'look' }),
      calls('look', { id: 7 }),
      done,
    )
    const expert = nested(provider, [tool])
    const tools = { expert: fromAdkTool(expert), look: fromAdkTool(tool) }
    const b = bench({ budget: { toolCalls: 1 }, prices, tools })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(drain(runOf(agentAt(provider, { tools: [expert] }), [plugin()])))
        await seen
      }),
    )
    expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'toolCalls' })
    expect(await seen).toBe(error)
    expect(provider.asked).toHaveLength(2)
  })

  test('as tools do not run without the plugin', async () => {
    const provider = await provide(googleWire, calls('expert', { request: 'look' }), done)
    const expert = nested(provider, [])
    const b = bench({ budget, prices, tools: { expert: fromAdkTool(expert) } })
    await b.agent.session('alice', async () => {
      const agent = agentAt(provider, {
        tools: toAdkTools(BaseTool, b.agent),
        generateContentConfig: { httpOptions: { fetch: governedFetch() } as never },
      })
      await drain(runOf(agent, []))
    })
    expect(provider.asked).toHaveLength(2)
    expect(answers(provider, 1)).toMatchObject([{ error: expect.anything() }])
  })
})

describe('the end of a session', () => {
  test('in a tool ends the run with what ended it, and nothing more is asked', async () => {
    const { tool } = adkTool('look')
    const provider = await provide(googleWire, says(call('look', { id: 1 }), call('look', { id: 2 })), done)
    const b = bench({ budget: { toolCalls: 1 }, prices, tools: { look: fromAdkTool(tool) } })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])))
        await seen
      }),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(error)
    expect(provider.asked).toHaveLength(1)
  })

  const calm = async () => createEvent({ author: 'desk', content: user('all is well') }) as LlmResponse
  test.each<[string, Partial<BasePlugin>]>([
    ['errors of a model', { onModelErrorCallback: calm }],
    ['errors of a tool', { onToolErrorCallback: async () => ({ ok: true }) }],
    ['errors and events', { onModelErrorCallback: calm, onEventCallback: async ({ event }) => event }],
  ])('is not swallowed by a callback for %s', async (what, callbacks) => {
    const { tool } = adkTool('look')
    const provider = await provide(googleWire, calls('look', { id: 1 }), done)
    const b = bench({
      budget: what === 'errors of a tool' ? { toolCalls: 0 } : { usd: 0.11 },
      prices,
      tools: { look: fromAdkTool(tool) },
    })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        const agent = agentAt(provider, { tools: [tool], generateContentConfig: { maxOutputTokens: 20 } })
        seen = rejection(drain(runOf(agent, [new Guard(callbacks), plugin()])))
        await seen
      }),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(error)
    expect(provider.asked).toHaveLength(what === 'errors of a tool' ? 1 : 0)
  })

  test('in a tool of a workflow is what the run rejects with', async () => {
    const { tool } = adkTool('look')
    const first = () => ({ id: 1 })
    const flow = new Workflow({ name: 'flow', edges: [[START, first, new ToolNode(tool)]] })
    const b = bench({ budget: { toolCalls: 0 }, prices, tools: { look: fromAdkTool(tool) } })
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(drain(runOf(flow, [plugin()])))
        await seen
      }),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(error)
  })

  test('outside of every session a run is refused', async () => {
    const provider = await provide(googleWire, done)
    expect(await rejection(drain(runOf(agentAt(provider), [plugin()])))).toBeInstanceOf(NoSession)
    expect(provider.asked).toHaveLength(0)
  })
})

describe('models', () => {
  class OtherModel extends BaseLlm {
    asked = 0
    override async *generateContentAsync() {
      this.asked += 1
      yield { content: { role: 'model', parts: [{ text: 'hello' }] } } as LlmResponse
    }
    override connect = () => {
      throw new TypeError('not here')
    }
  }

  test('that take no fetch are refused before they are asked', async () => {
    const model = new OtherModel({ model: 'other-1' })
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      const run = runOf(new LlmAgent({ name: 'a', model }), [plugin()])
      expect(await rejection(drain(run))).toBeInstanceOf(UnmeteredRequest)
    })
    expect(model.asked).toBe(0)
  })

  test('that take no fetch pass where that was said, and are on record', async () => {
    const model = new OtherModel({ model: 'other-1' })
    const b = bench({ budget, prices })
    await b.agent.session('alice', () =>
      drain(runOf(new LlmAgent({ name: 'a', model }), [plugin({ unmetered: 'observe' })])),
    )
    expect(model.asked).toBe(1)
    expect(b.payloads('llm_call')).toMatchObject([
      { model: 'the model other-1, which takes no fetch', cost_usd: 0, metering: 'estimated' },
    ])
  })

  test('that take no fetch pass outside of a session where that was said', async () => {
    const model = new OtherModel({ model: 'other-1' })
    await drain(runOf(new LlmAgent({ name: 'a', model }), [plugin({ outside: 'observe' })]))
    expect(model.asked).toBe(1)
  })

  test('by interactions are refused', async () => {
    const model = new Gemini({ model: MODEL, apiKey: 'none', useInteractionsApi: true })
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      const run = runOf(new LlmAgent({ name: 'a', model }), [plugin()])
      expect(await rejection(drain(run))).toBeInstanceOf(UnmeteredRequest)
    })
  })

  test('that take the fetch and use another one do not go on', async () => {
    class Bypass extends Gemini {
      override async *generateContentAsync() {
        yield { content: { role: 'model', parts: [{ text: 'hello' }] } } as LlmResponse
      }
    }
    const agent = new LlmAgent({ name: 'a', model: new Bypass({ model: MODEL, apiKey: 'none' }) })
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      expect(await rejection(drain(runOf(agent, [plugin()])))).toBeInstanceOf(UnmeteredRequest)
      await drain(runOf(agent, [plugin({ unmetered: 'observe' })]))
    })
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0 }, { cost_usd: 0 }])
  })

  test('whose client is governed too are metered once', async () => {
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    const agent = agentAt(provider, {
      generateContentConfig: { httpOptions: { fetch: governedFetch() } as never },
    })
    await b.agent.session('alice', () => drain(runOf(agent, [plugin()])))
    expect(b.payloads('llm_call')).toHaveLength(1)
  })

  test('live are refused', async () => {
    const provider = await provide(googleWire, done)
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      const runner = new InMemoryRunner({ agent: agentAt(provider), plugins: [plugin()] })
      const { id: sessionId } = await runner.sessionService.createSession({
        appName: runner.appName,
        userId: 'u',
      })
      const run = runner.runLive({ userId: 'u', sessionId, liveRequestQueue: new LiveRequestQueue() })
      expect(await rejection(drain(run))).toBeInstanceOf(UnmeteredRequest)
    })
  })

  class Executor extends BaseCodeExecutor {
    ran = 0
    override optimizeDataFile = true
    override async executeCode() {
      this.ran += 1
      return { stdout: '', stderr: '', outputFiles: [] }
    }
  }
  const csv = (text: string): Part[] => [
    { text },
    { inlineData: { mimeType: 'text/csv', data: Buffer.from('a,b').toString('base64') } },
  ]
  const send = async function* (agent: LlmAgent | Workflow, options: GovernedFetchOptions = {}) {
    const runner = new InMemoryRunner({ agent, plugins: [plugin(options)] })
    const { id: sessionId } = await runner.sessionService.createSession({
      appName: runner.appName,
      userId: 'u',
    })
    const newMessage = { role: 'user', parts: csv('sum this up') }
    yield* runner.runAsync({ userId: 'u', sessionId, newMessage })
  }

  test.each(['the agent', 'an agent under it', 'an agent in a workflow'])(
    'with code executors are refused before any runs: %s',
    async (where) => {
      const provider = await provide(googleWire, done)
      const codeExecutor = new Executor()
      let prepared = 0
      const instruction = () => {
        prepared += 1
        return 'be brief'
      }
      const coder = agentAt(provider, { name: 'coder', codeExecutor, instruction })
      const agent =
        where === 'an agent in a workflow'
          ? new Workflow({ name: 'flow', edges: [[START, coder]] })
          : where === 'the agent'
            ? coder
            : agentAt(provider, { subAgents: [coder], instruction })
      const b = bench({ budget, prices })
      await b.agent.session('alice', async () => {
        expect(await rejection(exhaust(send(agent)))).toBeInstanceOf(UnmeteredRequest)
      })
      expect([codeExecutor.ran, prepared]).toEqual([0, 0])
      expect(provider.asked).toHaveLength(0)
      await b.agent.session('alice', () => drain(send(agent, { unmetered: 'observe' })))
      await drain(send(agent, { outside: 'observe' }))
      expect(codeExecutor.ran).toBe(where === 'the agent' ? 2 : 0)
    },
  )

  test('with code executors are refused where a conversation goes on below them', async () => {
    const provider = await provide(
      googleWire,
      calls('transfer_to_agent', { agentName: 'sub' }),
      text('hello'),
      done,
    )
    const subAgents = [agentAt(provider, { name: 'sub' })]
    const agent = agentAt(provider, { codeExecutor: new Executor(), subAgents })
    const lax = new InMemoryRunner({ agent, plugins: [plugin({ unmetered: 'observe' })] })
    const { appName, sessionService } = lax
    const strict = new Runner({ appName, agent, sessionService, plugins: [plugin()] })
    const { id: sessionId } = await sessionService.createSession({ appName, userId: 'u' })
    const b = bench({ budget, prices })
    await b.agent.session('alice', async () => {
      const next = { userId: 'u', sessionId, newMessage: user('hi') }
      await drain(lax.runAsync(next))
      expect(await rejection(exhaust(strict.runAsync(next)))).toBeInstanceOf(UnmeteredRequest)
    })
    expect(provider.asked).toHaveLength(2)
  })

  test.each(['an agent as a tool', 'an agent under it'])(
    'with code executors are refused before any runs, and the model reads it: %s',
    async (where) => {
      const provider = await provide(googleWire, calls('coder', { request: 'x' }), done)
      const codeExecutor = new Executor()
      let prepared = 0
      const instruction = () => {
        prepared += 1
        return 'be brief'
      }
      const config = where === 'an agent as a tool' ? { codeExecutor, instruction } : { instruction }
      const subAgents =
        where === 'an agent as a tool' ? [] : [agentAt(provider, { name: 'sub', codeExecutor })]
      const tool = new AgentTool({ agent: agentAt(provider, { name: 'coder', ...config, subAgents }) })
      const b = bench({ budget, prices, tools: { coder: fromAdkTool(tool) } })
      await b.agent.session('alice', () => drain(runOf(agentAt(provider, { tools: [tool] }), [plugin()])))
      expect(answers(provider, 1)).toMatchObject([{ error: expect.anything() }])
      expect(provider.asked).toHaveLength(2)
      expect([codeExecutor.ran, prepared]).toEqual([0, 0])
    },
  )
})

describe('tools of an agent as tools of the ADK', () => {
  const add = defineTool({
    description: 'Adds.',
    inputSchema: z.object({ a: z.number(), b: z.number() }),
    maxCalls: 1,
    execute: ({ a, b }) => ({ sum: a + b }),
  })

  test.each(['with', 'without'])(
    'keep name, description and schema, and are governed %s the plugin',
    async (how) => {
      const provider = await provide(
        googleWire,
        calls('add', { a: 1, b: 2 }),
        calls('add', { a: 3, b: 4 }),
        done,
      )
      const b = bench({ budget, prices, tools: { add } })
      const tools = toAdkTools(BaseTool, b.agent)
      const fetch = { httpOptions: { fetch: governedFetch() } as never }
      await b.agent.session('alice', () =>
        drain(
          how === 'with'
            ? runOf(agentAt(provider, { tools }), [plugin()])
            : runOf(agentAt(provider, { tools, generateContentConfig: fetch }), []),
        ),
      )
      expect(provider.asked[0]?.body['tools']).toMatchObject([
        {
          functionDeclarations: [
            {
              name: 'add',
              description: 'Adds.',
              parametersJsonSchema: {
                type: 'object',
                required: ['a', 'b'],
                properties: { a: { type: 'number' } },
              },
            },
          ],
        },
      ])
      expect(answers(provider, 2)).toMatchObject([{ sum: 3 }, { error: { code: expect.any(String) } }])
      expect(b.payloads('tool_call')).toHaveLength(1)
    },
  )

  test('are refused outside of every session', async () => {
    const b = bench({ budget, prices, tools: { add } })
    const [tool] = toAdkTools(BaseTool, b.agent)
    const run = tool?.runAsync({ args: { a: 1, b: 2 }, toolContext: {} as never })
    expect(await rejection(run as Promise<unknown>)).toBeInstanceOf(NoSession)
  })
})

test('a tool of the ADK keeps its description and schema', () => {
  const { tool } = adkTool('look')
  const agent = bench({ budget, tools: { look: fromAdkTool(tool) } }).agent
  expect(agent.toolSchemas('mcp')).toMatchObject([
    {
      name: 'look',
      description: 'Does look.',
      inputSchema: { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] },
    },
  ])
})

test.each<[string, () => unknown]>([
  ['a plugin of no class', () => governedPlugin({} as never)],
  ['a plugin with an unknown option', () => governedPlugin(BasePlugin, { sesion: 1 } as never)],
  ['no tool of the ADK', () => fromAdkTool({} as never)],
  ['tools of no class', () => toAdkTools({} as never, bench({ budget }).agent)],
  ['tools of no agent', () => toAdkTools(BaseTool, {} as never)],
])('%s is a TypeError', (_what, misuse) => {
  expect(thrown(misuse)).toBeInstanceOf(TypeError)
})

test('ADK_COVERAGE is what the documents say, part by part', () => {
  const rows = readFileSync('docs/google.md', 'utf8').matchAll(/^\| (.+?) \| \*\*(\w+)\*\* \|/gm)
  expect([...rows].map(([, part, governance]) => ({ part, governance }))).toEqual(ADK_COVERAGE)
  expect(ADK_COVERAGE.every((line) => Object.isFrozen(line)) && Object.isFrozen(ADK_COVERAGE)).toBe(true)
})
