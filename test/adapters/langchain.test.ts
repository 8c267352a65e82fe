import { readFileSync } from 'node:fs'
import { AIMessage, ToolMessage } from '@langchain/core/messages'
import { DynamicTool, type StructuredToolInterface, tool } from '@langchain/core/tools'
// biome-ignore lint/correctness/noUndeclaredDependencies: the one that langchain brings, and no other, is what it works with
import { Command, interrupt, MemorySaver } from '@langchain/langgraph'
import {
  type AgentMiddleware,
  createAgent,
  createMiddleware,
  humanInTheLoopMiddleware,
  modelFallbackMiddleware,
  modelRetryMiddleware,
  type ToolRuntime,
  toolErrorMiddleware,
  toolRetryMiddleware,
} from 'langchain'
import { ConfigurableModel } from 'langchain/chat_models/universal'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  type AgentOptions,
  BudgetExceeded,
  currentSession,
  defineTool,
  NoSession,
  ToolNotPermitted,
  type ToolSet,
  UnmeteredRequest,
  UnpricedModel,
} from 'writ'
import { COVERAGE, fromTool, governedMiddleware, governedModel, toTools } from 'writ/langchain'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { type Call, ScriptedChat, type Turn } from './langchain-scripted.js'
import { MODEL, prices } from './suite.js'

const start = <Tools extends ToolSet>(tools: Tools, more: Partial<AgentOptions<Tools>> = {}) =>
  bench({ budget: { usd: 100 }, prices, tools, ...more })

/** An agent of LangChain with a model that says what is written down. */
function scripted(
  turns: readonly Turn[],
  tools: readonly unknown[],
  middleware: readonly AgentMiddleware[] = [governedMiddleware()],
  more: object = {},
) {
  const model = new ScriptedChat(turns)
  const desk = createAgent({ model, tools: tools as [], middleware: middleware as [], ...more })
  return { model, desk }
}

const hi = { messages: 'hi' }

const double = defineTool({
  description: 'doubles a number',
  inputSchema: z.object({ n: z.number() }),
  when: ({ n }) => n < 100,
  execute: ({ n }) => n * 2,
})

const denialOf = (message: ToolMessage | undefined) => {
  expect(message?.status).toBe('error')
  return JSON.parse(message?.text ?? '')
}

describe('tools of writ', () => {
  test('keep description and schema, and go through the session', async () => {
    const b = start({ double })
    const { desk, model } = scripted([[['double', { n: 21 }]]], toTools(b.agent))
    const result = await b.agent.session('alice', () => desk.invoke(hi))
    expect(result.messages.at(-1)?.text).toBe('done')
    expect(model.read).toMatchObject([{ content: '42', status: 'success', tool_call_id: 'call-1-0' }])
    expect(model.asked[0]?.options.tools).toMatchObject([
      { name: 'double', description: 'doubles a number', schema: { required: ['n'] } },
    ])
    expect(b.payloads('tool_result')).toHaveLength(1)
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }, { metering: 'reported' }])
  })

  test.each<[string, Call, string]>([
    ['its predicate', ['double', { n: 100 }], 'predicate_false'],
    ['its schema', ['double', { n: 'x' }], 'invalid_input'],
    ['the registry', ['erase', {}], 'not_registered'],
  ])('a call denied by %s is an error that the model reads', async (_name, call, reason) => {
    const b = start({ double })
    const { desk, model } = scripted([[call], [['double', { n: 1 }]]], toTools(b.agent))
    await b.agent.session('alice', () => desk.invoke(hi))
    const [denied, allowed] = model.read
    expect(denialOf(denied)).toMatchObject({ error: { tool: call[0], reason } })
    expect(allowed?.text).toBe('2')
    expect(b.payloads('tool_denied')).toHaveLength(1)
  })

  test('the error of a tool is an answer too', async () => {
    const broken = defineTool({
      inputSchema: z.object({}),
      execute: () => {
        throw new TypeError('out of order')
      },
    })
    const b = start({ broken })
    const { desk, model } = scripted([[['broken', {}]]], toTools(b.agent))
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(denialOf(model.read[0])).toMatchObject({
      error: { reason: 'tool_error', message: 'out of order' },
    })
  })

  test('what has no JSON is an answer all the same', async () => {
    const big = defineTool({ inputSchema: z.object({}), execute: () => 10n })
    const b = start({ big })
    const { desk, model } = scripted([[['big', {}]]], toTools(b.agent))
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read[0]).toMatchObject({ content: '10', status: 'success' })
  })

  test.each([true, false])('a call that needs an approval waits for it (%s)', async (approved) => {
    const risky = defineTool({ inputSchema: z.object({}), approval: 'always', execute: () => 'ran' })
    const b = start({ risky }, { approve: () => ({ approved, by: 'marta' }) })
    const { desk, model } = scripted([[['risky', {}]]], toTools(b.agent))
    await b.agent.session('alice', () => desk.invoke(hi))
    if (approved) expect(model.read[0]?.text).toBe('ran')
    else expect(denialOf(model.read[0])).toMatchObject({ error: { reason: 'approval_denied' } })
  })

  test('calls of one turn run in parallel, each through the session', async () => {
    let open = 0
    let most = 0
    const slow = defineTool({
      inputSchema: z.object({ n: z.number() }),
      execute: async ({ n }) => {
        open += 1
        most = Math.max(most, open)
        await new Promise((resolve) => setImmediate(resolve))
        open -= 1
        return n
      },
    })
    const b = start({ slow })
    const { desk, model } = scripted([[1, 2, 3].map((n): Call => ['slow', { n }])], toTools(b.agent))
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read.map(({ text }) => text)).toEqual(['1', '2', '3'])
    expect(most).toBe(3)
    expect(b.payloads('tool_result')).toHaveLength(3)
  })

  test('called without an agent, they go through the session as well', async () => {
    const b = start({ double })
    const [made] = toTools(b.agent) as never as [StructuredToolInterface]
    const call = (n: number) => made.invoke({ type: 'tool_call', id: 'c', name: 'double', args: { n } })
    await b.agent.session('alice', async () => {
      expect(await made.invoke({ n: 2 })).toBe(4)
      expect(await call(3)).toMatchObject({ content: '6', tool_call_id: 'c' })
      expect(denialOf((await call(100)) as ToolMessage)).toMatchObject({
        error: { reason: 'predicate_false' },
      })
      expect(await rejection(made.invoke({ n: 100 }))).toBeInstanceOf(ToolNotPermitted)
    })
    expect(b.payloads('tool_result')).toHaveLength(2)
    expect(b.payloads('tool_denied')).toHaveLength(2)
    expect(await rejection(made.invoke({ n: 2 }))).toBeInstanceOf(NoSession)
    const [observing] = toTools(b.agent, { outside: 'observe' }) as never as [StructuredToolInterface]
    expect(await rejection(observing.invoke({ n: 2 }))).toBeInstanceOf(NoSession)
  })
})

describe('tools of LangChain', () => {
  const ran: unknown[] = []
  const lookUp = tool(
    ({ key }, config: ToolRuntime) => {
      ran.push([key, config.toolCallId])
      return `found ${key}`
    },
    { name: 'look_up', description: 'looks up', schema: z.object({ key: z.string().trim() }) },
  )

  test('registered under the contract, they keep their schema and get what the agent hands to them', async () => {
    ran.length = 0
    const b = start({ look_up: fromTool(lookUp, { maxCalls: 1, when: ({ key }) => key !== '' }) })
    expect(b.agent.toolSchemas('openai')).toMatchObject([
      { function: { description: 'looks up', parameters: { required: ['key'] } } },
    ])
    const { desk, model } = scripted([[['look_up', { key: ' x ' }]], [['look_up', { key: 'y' }]]], [lookUp])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(ran).toEqual([['x', 'call-1-0']])
    expect(model.read[0]).toMatchObject({ content: 'found x', name: 'look_up' })
    expect(denialOf(model.read[1])).toMatchObject({ error: { reason: 'max_calls' } })
  })

  test('one that is not registered does not run', async () => {
    ran.length = 0
    const b = start({ double })
    const { desk, model } = scripted([[['look_up', { key: 'x' }]]], [lookUp])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(ran).toEqual([])
    expect(denialOf(model.read[0])).toMatchObject({ error: { reason: 'not_registered' } })
  })

  test('one of the same name that is another tool does not run in its place', async () => {
    ran.length = 0
    const other = tool(() => 'other', {
      name: 'look_up',
      description: '',
      schema: z.object({ key: z.string() }),
    })
    const b = start({ look_up: fromTool(other) })
    const { desk, model } = scripted([[['look_up', { key: 'x' }]]], [lookUp])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(ran).toEqual([])
    expect(model.read[0]?.text).toBe('other')
  })

  test('outside of an agent they run with their input', async () => {
    ran.length = 0
    const b = start({ look_up: fromTool(lookUp) })
    await b.agent.session('alice', async (s) => {
      expect(await s.callTool('look_up', { key: 'x' })).toBe('found x')
      expect(await s.dispatch({ name: 'look_up', input: {} })).toMatchObject({
        denial: { reason: 'invalid_input' },
      })
    })
    expect(ran).toEqual([['x', undefined]])
  })

  test('one that calls itself through the session is called with what it says', async () => {
    const inputs: number[] = []
    const down = tool(
      async ({ n }): Promise<string> => {
        inputs.push(n)
        return n === 0 ? 'landed' : String(await s?.callTool('down', { n: n - 1 }))
      },
      { name: 'down', description: '', schema: z.object({ n: z.number() }) },
    )
    const b = start({ down: fromTool(down) })
    const { desk, model } = scripted([[['down', { n: 1 }]]], [down])
    let s: { callTool: (name: 'down', input: { n: number }) => Promise<unknown> } | undefined
    await b.agent.session('alice', (session) => {
      s = session
      return desk.invoke(hi)
    })
    expect(inputs).toEqual([1, 0])
    expect(model.read[0]?.text).toBe('landed')
    expect(b.payloads('tool_result')).toHaveLength(2)
  })

  test('a schema makes of the input what it makes of it once', async () => {
    const times = tool(({ n }) => n * 10, {
      name: 'times',
      description: '',
      schema: z.object({ n: z.string().transform(Number) }),
    })
    const b = start({ times: fromTool(times) })
    const { desk, model } = scripted([[['times', { n: '4' }]]], [times])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read[0]?.text).toBe('40')
  })

  test('tools with a JSON schema, and tools of a text', async () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'integer', minimum: 1 } },
      required: ['n'],
    } as const
    const json = tool((input) => JSON.stringify(input), { name: 'json', description: '', schema })
    const text = new DynamicTool({ name: 'text', description: '', func: async (input) => `<${input}>` })
    const b = start({ json: fromTool(json), text: fromTool(text) })
    const calls: Call[] = [
      ['json', { n: 1 }],
      ['json', { n: 0 }],
      ['text', { input: 'a' }],
    ]
    const { desk, model } = scripted([calls], [json, text])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read[0]?.text).toBe('{"n":1}')
    expect(denialOf(model.read[1])).toMatchObject({ error: { reason: 'invalid_input' } })
    expect(model.read[2]?.text).toBe('<a>')
  })

  test('what they make for LangChain reaches it as it is', async () => {
    const schema = z.object({})
    const artful = tool(() => ['text', { an: 'artifact' }], {
      name: 'artful',
      description: '',
      schema,
      responseFormat: 'content_and_artifact',
    })
    const commanding = tool(
      (_input, { toolCallId }: ToolRuntime) =>
        new Command({
          update: { messages: [new ToolMessage({ content: 'commanded', tool_call_id: toolCallId })] },
        }),
      { name: 'commanding', description: '', schema },
    )
    const b = start({ artful: fromTool(artful), commanding: fromTool(commanding) })
    const { desk, model } = scripted([[['artful', {}]], [['commanding', {}]]], [artful, commanding])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read[0]).toMatchObject({ content: 'text', artifact: { an: 'artifact' } })
    expect(model.read[1]?.text).toBe('commanded')
    expect(b.payloads('tool_result')).toHaveLength(2)
  })

  test('what cannot be one is refused', () => {
    const [made] = toTools(start({ double }).agent)
    expect(thrown(() => fromTool(made as never))).toBeInstanceOf(TypeError)
    expect(thrown(() => fromTool({ type: 'web_search' } as never))).toBeInstanceOf(TypeError)
    expect(thrown(() => toTools({} as never))).toBeInstanceOf(TypeError)
    expect(thrown(() => governedMiddleware({ model: 'x' } as never))).toBeInstanceOf(TypeError)
    expect(thrown(() => governedMiddleware({ unmetered: 'allow' } as never))).toBeInstanceOf(TypeError)
  })
})

describe('other middleware', () => {
  const echo = tool(({ to }) => `sent to ${to}`, {
    name: 'send',
    description: '',
    schema: z.object({ to: z.string() }),
  })
  const rewrite = createMiddleware({
    name: 'Rewrite',
    wrapToolCall: (request, handler) =>
      handler({ ...request, toolCall: { ...request.toolCall, args: { to: 'mallory' } } }),
  }) as AgentMiddleware
  const registered = () => start({ send: fromTool(echo, { when: ({ to }) => to !== 'mallory' }) })

  test('around the contract: what it makes of a call is what is decided on', async () => {
    const b = registered()
    const { desk, model } = scripted([[['send', { to: 'bob' }]]], [echo], [rewrite, governedMiddleware()])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(denialOf(model.read[0])).toMatchObject({ error: { reason: 'predicate_false' } })
  })

  test('inside of it: what was let through is what runs', async () => {
    const b = registered()
    const { desk, model } = scripted([[['send', { to: 'bob' }]]], [echo], [governedMiddleware(), rewrite])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(model.read[0]?.text).toBe('sent to bob')
  })

  test('a tool that it adds is none of the session', async () => {
    const adding = createMiddleware({
      name: 'Adding',
      wrapToolCall: (request, handler) => handler({ ...request, tool: echo }),
    }) as AgentMiddleware
    const b = start({ double })
    const { desk, model } = scripted([[['send', { to: 'bob' }]]], [], [adding, governedMiddleware()])
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(denialOf(model.read[0])).toMatchObject({ error: { reason: 'not_registered' } })
  })

  test('a model that it falls back on is governed', async () => {
    const b = start({ double })
    const second = new ScriptedChat(['from the second'])
    const broken = new ScriptedChat()
    broken._generate = async () => {
      throw new TypeError('out of order')
    }
    const desk = createAgent({
      model: broken,
      tools: [],
      middleware: [modelFallbackMiddleware(second), governedMiddleware()],
    })
    const { messages } = await b.agent.session('alice', () => desk.invoke(hi))
    expect(messages.at(-1)?.text).toBe('from the second')
    expect(b.payloads('llm_call')).toMatchObject([{ error: { name: 'TypeError' } }, { output_tokens: 20 }])
  })

  test('a model that is named alone, and found by each call, is governed', async () => {
    const b = start({ double })
    const found = new ScriptedChat([[['double', { n: 2 }]]])
    const find = vi.spyOn(ConfigurableModel.prototype, '_getModelInstance')
    onTestFinished(() => find.mockRestore())
    find.mockImplementation(async function (this: ConfigurableModel) {
      const { bindTools } = this._queuedMethodOperations
      return (bindTools === undefined ? found : found.bindTools(bindTools[0], bindTools[1])) as never
    })
    const desk = createAgent({
      model: 'openai:model-1',
      tools: toTools(b.agent),
      middleware: [governedMiddleware()],
    })
    await b.agent.session('alice', () => desk.invoke(hi))
    expect(found.asked).toHaveLength(2)
    expect(b.payloads('llm_call')).toHaveLength(2)
    expect(b.payloads('tool_result')).toHaveLength(1)
  })

  test('an interrupt of a person comes first, and the call goes through the session then', async () => {
    const b = registered()
    const interruptOn: Record<string, boolean> = { send: true }
    const asking = humanInTheLoopMiddleware({ interruptOn } as never)
    const { desk, model } = scripted(
      [[['send', { to: 'bob' }]]],
      [echo],
      [asking as never, governedMiddleware()],
      { checkpointer: new MemorySaver() },
    )
    const config = { configurable: { thread_id: '1' } }
    await b.agent.session('alice', async () => {
      const first = (await desk.invoke(hi, config)) as { __interrupt__?: unknown[] }
      expect(first.__interrupt__).toHaveLength(1)
      expect(b.payloads('tool_result')).toHaveLength(0)
      // What a person makes of the call is decided on as if the model had.
      const args = { to: 'mallory' }
      const decisions = [{ type: 'edit', editedAction: { name: 'send', args } }]
      await desk.invoke(new Command({ resume: { decisions } }), config)
    })
    expect(denialOf(model.read[0])).toMatchObject({ error: { reason: 'predicate_false' } })
  })

  test('an interrupt in a tool reaches the caller, and the tool runs again through the session', async () => {
    const asking = tool(() => `told ${interrupt('who?')}`, {
      name: 'ask',
      description: '',
      schema: z.object({}),
    })
    const b = start({ ask: fromTool(asking) })
    const { desk, model } = scripted([[['ask', {}]]], [asking], [governedMiddleware()], {
      checkpointer: new MemorySaver(),
    })
    const config = { configurable: { thread_id: '1' } }
    await b.agent.session('alice', async () => {
      const first = (await desk.invoke(hi, config)) as { __interrupt__?: unknown[] }
      expect(first.__interrupt__).toMatchObject([{ value: 'who?' }])
      await desk.invoke(new Command({ resume: 'bob' }), config)
    })
    expect(model.read[0]?.text).toBe('told bob')
    expect(b.payloads('tool_result')).toHaveLength(2)
  })
})

describe('the kill', () => {
  const spend = defineTool({
    inputSchema: z.object({}),
    execute: (_input, { session }) => {
      session.recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
      return 'spent'
    },
  })

  type Desk = ReturnType<typeof scripted>['desk']
  const read = async (stream: Promise<AsyncIterable<unknown>>) => {
    for await (const _part of await stream);
  }
  const ways: [string, (desk: Desk) => Promise<unknown>][] = [
    ['invoke', (desk) => desk.invoke(hi)],
    ['a stream of updates', (desk) => read(desk.stream(hi, { streamMode: 'updates' }) as never)],
    ['a stream of messages', (desk) => read(desk.stream(hi, { streamMode: 'messages' }) as never)],
    [
      'a stream of several modes',
      (desk) => read(desk.stream(hi, { streamMode: ['values', 'custom'] }) as never),
    ],
    ['a stream of events', (desk) => read((async () => desk.streamEvents(hi, { version: 'v2' }))() as never)],
  ]

  async function killed(run: () => Promise<unknown>, b: ReturnType<typeof start>) {
    let seen: Promise<unknown> | undefined
    const error = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(run())
        await seen
      }),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(error)
    return error
  }

  test.each(ways)('in a tool ends %s with the error as it is', async (_name, run) => {
    const b = start({ spend })
    const { desk, model } = scripted([[['spend', {}]]], toTools(b.agent))
    await killed(() => run(desk), b)
    expect(model.asked).toHaveLength(1)
  })

  test.each(ways)('in a model call ends %s with the error as it is', async (_name, run) => {
    const b = start({ double }, { budget: { usd: 100, llmCalls: 1 } })
    const { desk, model } = scripted([[['double', { n: 1 }]], [['double', { n: 1 }]]], toTools(b.agent))
    await killed(() => run(desk), b)
    expect(model.asked).toHaveLength(1)
  })

  const swallowing: [string, () => AgentMiddleware][] = [
    ['toolRetryMiddleware', () => toolRetryMiddleware({ initialDelayMs: 0 }) as AgentMiddleware],
    ['toolErrorMiddleware', () => toolErrorMiddleware({ onError: () => 'all is well' }) as AgentMiddleware],
    ['modelRetryMiddleware', () => modelRetryMiddleware({ initialDelayMs: 0 }) as AgentMiddleware],
    ['modelFallbackMiddleware', () => modelFallbackMiddleware(new ScriptedChat()) as AgentMiddleware],
    [
      'middleware that throws errors of its own',
      () =>
        createMiddleware({
          name: 'Renames',
          wrapModelCall: async (request, handler) => {
            try {
              return await handler(request)
            } catch {
              throw new TypeError('something went wrong')
            }
          },
        }) as AgentMiddleware,
    ],
    [
      'middleware that answers whatever happens',
      () =>
        createMiddleware({
          name: 'Swallows',
          wrapModelCall: async (request, handler) => {
            try {
              return await handler(request)
            } catch {
              const tool_calls = [{ type: 'tool_call' as const, id: 'again', name: 'spend', args: {} }]
              return new AIMessage({ content: 'all is well', tool_calls })
            }
          },
          wrapToolCall: async (request, handler) => {
            try {
              return await handler(request)
            } catch {
              return new ToolMessage({ content: 'all is well', tool_call_id: request.toolCall.id ?? '' })
            }
          },
        }) as AgentMiddleware,
    ],
  ]
  const places = swallowing.flatMap(([name, other]): [string, string, () => AgentMiddleware[]][] => [
    ['around', name, () => [other(), governedMiddleware()]],
    ['inside', name, () => [governedMiddleware(), other()]],
  ])

  test.each(places)('is not swallowed %s of %s', async (_place, _name, middleware) => {
    const b = start({ spend })
    const { desk, model } = scripted([[['spend', {}]], [['spend', {}]]], toTools(b.agent), middleware())
    await killed(() => desk.invoke(hi), b)
    expect(model.asked).toHaveLength(1)
    const c = start({ double }, { budget: { usd: 100, llmCalls: 1 } })
    const inModel = scripted([[['double', { n: 1 }]], 'no'], toTools(c.agent), middleware())
    await killed(() => inModel.desk.invoke(hi), c)
    expect(inModel.model.asked).toHaveLength(1)
  })

  test('that a tool swallows does not keep the run alive', async () => {
    const greedy = tool(
      () => {
        try {
          currentSession().recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
        } catch {
          return 'not so much'
        }
        return 'ok'
      },
      { name: 'greedy', description: '', schema: z.object({}) },
    )
    const b = start({ greedy: fromTool(greedy) })
    const { desk, model } = scripted([[['greedy', {}]], [['greedy', {}]]], [greedy])
    await killed(() => desk.invoke(hi), b)
    expect(model.asked).toHaveLength(1)
  })

  test('is thrown at the end of a run that ends with its tool', async () => {
    const swallowing = createMiddleware({
      name: 'Swallowing',
      wrapToolCall: async (request, handler) => {
        try {
          return await handler(request)
        } catch {
          return new ToolMessage({ content: 'ok', name: 'last', tool_call_id: request.toolCall.id ?? '' })
        }
      },
    }) as AgentMiddleware
    const last = tool(
      () => {
        currentSession().recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
        return 'ok'
      },
      { name: 'last', description: '', schema: z.object({}), returnDirect: true },
    )
    const b = start({ last: fromTool(last) })
    const { desk, model } = scripted([[['last', {}]]], [last], [swallowing, governedMiddleware()])
    await killed(() => desk.invoke(hi), b)
    expect(model.asked).toHaveLength(1)
  })

  test('in an agent that is a tool of another ends both', async () => {
    const inner = scripted([[['spend', {}]]], [])
    const ask = tool(async () => (await inner.desk.invoke(hi)).messages.at(-1)?.text, {
      name: 'ask',
      description: '',
      schema: z.object({}),
    })
    const b = start({ spend, ask: fromTool(ask) })
    const outer = scripted([[['ask', {}]]], [ask])
    await killed(() => outer.desk.invoke(hi), b)
    expect([inner.model.asked.length, outer.model.asked.length]).toEqual([1, 1])
    expect(b.payloads('llm_call')).toHaveLength(3)
  })

  test('of one call ends those beside it', async () => {
    let aborted: unknown
    const wait = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = signal.reason
            reject(signal.reason)
          })
        }),
    })
    const b = start({ spend, wait })
    const turn: Turn = [
      ['wait', {}],
      ['spend', {}],
    ]
    const { desk } = scripted([turn], toTools(b.agent))
    expect(await killed(() => desk.invoke(hi), b)).toBe(aborted)
  })

  test('reaches a tool of LangChain through its signal', async () => {
    let reason: unknown
    let begin: (value: unknown) => void = () => undefined
    const begun = new Promise((resolve) => {
      begin = resolve
    })
    const later = defineTool({
      inputSchema: z.object({}),
      execute: async (_input, { session }) => {
        await begun
        session.recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
      },
    })
    const waiting = tool(
      (_input, { signal }: { signal?: AbortSignal }) =>
        new Promise<string>((_resolve, reject) => {
          begin(undefined)
          signal?.addEventListener('abort', () => {
            reason = signal.reason
            reject(signal.reason)
          })
        }),
      { name: 'waiting', description: '', schema: z.object({}) },
    )
    const b = start({ later, waiting: fromTool(waiting) })
    const turn: Turn = [
      ['waiting', {}],
      ['later', {}],
    ]
    const { desk } = scripted([turn], [waiting])
    expect(await killed(() => desk.invoke(hi), b)).toBe(reason)
  })
})

describe('refusals that are no kill', () => {
  test('outside of a session no run begins', async () => {
    const b = start({ double })
    const { desk, model } = scripted([[['double', { n: 1 }]]], toTools(b.agent))
    expect(await rejection(desk.invoke(hi))).toBeInstanceOf(NoSession)
    expect(model.asked).toHaveLength(0)
  })

  test('a model without a price rejects as it is, and is not tried again', async () => {
    const b = start({ double })
    const model = new ScriptedChat([], 'model-2')
    const middleware = [modelRetryMiddleware() as AgentMiddleware, governedMiddleware()]
    const desk = createAgent({ model, tools: [], middleware })
    await b.agent.session('alice', async (s) => {
      expect(await rejection(desk.invoke(hi))).toBeInstanceOf(UnpricedModel)
      expect(s.state).toBe('open')
    })
    expect(model.asked).toHaveLength(0)
  })

  test('what others hold may be free at another try, so that is for other middleware to say', async () => {
    const b = start({ double })
    const plain = scripted([], [])
    await b.agent.session('alice', async (s) => {
      const held = s.reserve({ usd: 99.99 })
      const error = await rejection(plain.desk.invoke(hi))
      expect(error).toMatchObject({ name: 'BudgetReserved', cause: { code: 'ERR_BUDGET_RESERVED' } })
      const retryOn = (): boolean => {
        held.release()
        return true
      }
      const retrying = modelRetryMiddleware({ initialDelayMs: 0, retryOn }) as AgentMiddleware
      const { desk, model } = scripted([], [], [retrying, governedMiddleware()])
      await desk.invoke(hi)
      expect(model.asked).toHaveLength(1)
    })
    expect(plain.model.asked).toHaveLength(0)
  })

  test('a tool that the provider hosts is refused, unless it may be observed', async () => {
    const b = start({ double })
    const hosted = { type: 'web_search_preview' }
    const refused = scripted([], [hosted])
    const observed = scripted([], [hosted], [governedMiddleware({ unmetered: 'observe' })])
    await b.agent.session('alice', async () => {
      expect(await rejection(refused.desk.invoke(hi))).toBeInstanceOf(UnmeteredRequest)
      await observed.desk.invoke(hi)
    })
    expect(refused.model.asked).toHaveLength(0)
    expect(b.payloads('llm_call')).toMatchObject([{ output_tokens: 20 }])
  })
})

test('a governed model in a governed agent is counted once', async () => {
  const b = start({ double })
  const model = new ScriptedChat([[['double', { n: 1 }]]])
  const desk = createAgent({
    model: governedModel(model),
    tools: toTools(b.agent) as never,
    middleware: [governedMiddleware()],
  })
  await b.agent.session('alice', async (s) => {
    await desk.invoke(hi)
    expect(s.usage()).toMatchObject({ llmCalls: 2, tokens: 60 })
  })
})

test('a run that its caller aborts aborts the tool, and nothing of the session', async () => {
  const abort = new AbortController()
  const wait = defineTool({
    inputSchema: z.object({}),
    execute: (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        abort.abort()
      }),
  })
  const b = start({ wait })
  const { desk } = scripted([[['wait', {}]]], toTools(b.agent))
  await b.agent.session('alice', async (s) => {
    await rejection(desk.invoke(hi, { signal: abort.signal }))
    expect(s.state).toBe('open')
  })
})

test('COVERAGE is what the documents say, part by part', () => {
  const rows = readFileSync('docs/langchain.md', 'utf8').matchAll(/^\| (.+?) \| \*\*(\w+)\*\*/gm)
  expect([...rows].map(([, part, governance]) => ({ part, governance }))).toEqual(COVERAGE)
  expect(Object.isFrozen(COVERAGE)).toBe(true)
})
