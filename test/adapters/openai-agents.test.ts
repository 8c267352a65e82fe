import { readFileSync } from 'node:fs'
import {
  handoff,
  type Model,
  type ModelProvider,
  Runner,
  Agent as SdkAgent,
  setTracingDisabled,
  tool,
} from '@openai/agents'
import { describe, expect, test } from 'vitest'
import { type AgentOptions, BudgetExceeded, defineTool, type ToolSet, UnmeteredRequest } from 'writ'
import { COVERAGE, fromTool, governAgent, governedProvider, toTools } from 'writ/openai-agents'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { MODEL, prices } from './suite.js'

setTracingDisabled(true)

type Request = Parameters<Model['getResponse']>[0]
type Call = readonly [name: string, input: unknown]
/** What the model says in one turn: a text, or calls of tools. */
type Turn = string | readonly Call[]

/** A model that says what is written down for the agent that asks, turn by turn; agents by instructions. */
function scripted(script: Readonly<Record<string, readonly Turn[]>>) {
  const asked: Request[] = []
  const turns = new Map<string, number>()
  const next = (request: Request) => {
    asked.push(request)
    const who = request.systemInstructions ?? ''
    const at = turns.get(who) ?? 0
    turns.set(who, at + 1)
    const turn = script[who]?.[at] ?? 'done'
    const output =
      typeof turn === 'string'
        ? [
            {
              type: 'message' as const,
              role: 'assistant' as const,
              status: 'completed' as const,
              content: [{ type: 'output_text' as const, text: turn }],
            },
          ]
        : turn.map(([name, input], index) => ({
            type: 'function_call' as const,
            callId: `call-${who}-${at}-${index}`,
            name,
            status: 'completed' as const,
            arguments: typeof input === 'string' ? input : JSON.stringify(input),
          }))
    return { usage: { requests: 1, inputTokens: 10, outputTokens: 20, totalTokens: 30 }, output }
  }
  const model: Model = {
    getResponse: async (request) => next(request) as never,
    getStreamedResponse: async function* (request) {
      yield { type: 'response_done', response: { id: 'r', ...next(request) } } as never
    },
  }
  const provider: ModelProvider = { getModel: () => model }
  const runner = new Runner({ modelProvider: governedProvider(provider), tracingDisabled: true })
  /** What the model read as the results of tools, in order, in its last turn. */
  const read = (): unknown[] => {
    const { input = [] } = asked.at(-1) ?? {}
    return typeof input === 'string'
      ? []
      : input.flatMap((item) => (item.type === 'function_call_result' ? [textOf(item.output)] : []))
  }
  return { runner, asked, read }
}

function textOf(output: unknown): unknown {
  return typeof output === 'object' && output !== null && 'text' in output ? output.text : output
}

const sdkAgent = (name: string, more: object = {}) =>
  new SdkAgent({ name, instructions: name, model: MODEL, modelSettings: { maxTokens: 50 }, ...more })

const start = <Tools extends ToolSet>(tools: Tools, more: Partial<AgentOptions<Tools>> = {}) =>
  bench({ budget: { usd: 100 }, prices, tools, ...more })

const double = defineTool({
  description: 'doubles a number',
  inputSchema: z.object({ n: z.number() }),
  when: ({ n }) => n < 100,
  execute: ({ n }) => n * 2,
})

describe('tools of writ', () => {
  test('keep description and schema, and go through the session', async () => {
    const b = start({ double })
    const { runner, asked, read } = scripted({ a: [[['double', { n: 21 }]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(read()).toEqual(['42'])
    expect(asked[0]?.tools).toMatchObject([
      { type: 'function', name: 'double', description: 'doubles a number', parameters: { required: ['n'] } },
    ])
    expect(b.payloads('tool_result')).toHaveLength(1)
    expect(b.payloads('llm_call')).toHaveLength(2)
  })

  test.each<[string, Call, string]>([
    ['its predicate', ['double', { n: 100 }], 'predicate_false'],
    ['its schema', ['double', { n: 'x' }], 'invalid_input'],
    ['its input that is no JSON', ['double', '{'], 'invalid_input'],
  ])('a call denied by %s is an answer that the model reads', async (_name, call, reason) => {
    const b = start({ double })
    const { runner, read } = scripted({ a: [[call], [['double', { n: 1 }]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    const result = await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(result.finalOutput).toBe('done')
    const [denied, allowed] = read()
    if (call[1] !== '{')
      expect(JSON.parse(String(denied))).toMatchObject({ error: { tool: 'double', reason } })
    else expect(denied).toContain('JSON')
    expect(allowed).toBe('2')
  })

  test('the error of a tool is an answer too', async () => {
    const broken = defineTool({
      inputSchema: z.object({}),
      execute: () => {
        throw new TypeError('out of order')
      },
    })
    const b = start({ broken })
    const { runner, read } = scripted({ a: [[['broken', {}]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(JSON.parse(String(read()[0]))).toMatchObject({ error: { reason: 'tool_error' } })
  })

  test.each([true, false])('a call that needs an approval waits for it (%s)', async (approved) => {
    const risky = defineTool({
      inputSchema: z.object({}),
      approval: 'always',
      execute: () => 'ran',
    })
    const b = start({ risky }, { approve: () => ({ approved, by: 'marta' }) })
    const { runner, read } = scripted({ a: [[['risky', {}]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    if (approved) expect(read()).toEqual(['ran'])
    else expect(JSON.parse(String(read()[0]))).toMatchObject({ error: { reason: 'approval_denied' } })
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
    const calls = [1, 2, 3].map((n): Call => ['slow', { n }])
    const { runner, read } = scripted({ a: [calls] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(read()).toEqual(['1', '2', '3'])
    expect(most).toBe(3)
    expect(b.payloads('tool_result')).toHaveLength(3)
  })

  test('outside of a session none runs, whatever was said', async () => {
    const b = start({ double })
    const { runner } = scripted({ a: [[['double', { n: 1 }]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    expect(await rejection(runner.run(a, 'hi'))).toMatchObject({ code: 'ERR_NO_SESSION' })
    const [tool] = toTools(b.agent, { outside: 'observe' })
    expect(await rejection(tool?.invoke({} as never, '{"n":1}') as Promise<unknown>)).toMatchObject({
      code: 'ERR_NO_SESSION',
    })
  })
})

describe('tools of the SDK', () => {
  const ran: unknown[] = []
  const lookUp = tool({
    name: 'look_up',
    description: 'looks up',
    parameters: z.object({ key: z.string() }),
    execute: ({ key }, runContext) => {
      ran.push([key, runContext?.context])
      return `found ${key}`
    },
  })

  test('registered under the contract, they keep their schema and get the context of the run', async () => {
    ran.length = 0
    const b = start({ look_up: fromTool(lookUp, { maxCalls: 1 }) })
    const { runner, asked, read } = scripted({
      a: [[['look_up', { key: 'x' }]], [['look_up', { key: 'y' }]]],
    })
    const a = governAgent(sdkAgent('a', { tools: [lookUp] }))
    await b.agent.session('alice', () => runner.run(a, 'hi', { context: { who: 'me' } }))
    expect(ran).toEqual([['x', { who: 'me' }]])
    expect(read()[0]).toBe('found x')
    expect(JSON.parse(String(read()[1]))).toMatchObject({ error: { reason: 'max_calls' } })
    expect(asked[0]?.tools).toMatchObject([{ name: 'look_up', parameters: lookUp.parameters }])
    expect(b.agent.toolSchemas('openai')[0]?.function.parameters).toEqual(lookUp.parameters)
  })

  test('unregistered, they do not run, and the model reads why', async () => {
    ran.length = 0
    const b = start({ double })
    const { runner, read } = scripted({ a: [[['look_up', { key: 'x' }]]] })
    const a = governAgent(sdkAgent('a', { tools: [lookUp] }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(ran).toEqual([])
    expect(JSON.parse(String(read()[0]))).toMatchObject({ error: { reason: 'not_registered' } })
  })

  test('input that lacks what the schema needs, or has what it does not know, is denied', async () => {
    ran.length = 0
    const b = start({ look_up: fromTool(lookUp) })
    await b.agent.session('alice', async (s) => {
      for (const input of [{}, { key: 'x', more: 1 }, '[]']) {
        expect(await s.dispatch({ name: 'look_up', input })).toMatchObject({
          ok: false,
          denial: { reason: 'invalid_input' },
        })
      }
      expect(await s.dispatch({ name: 'look_up', input: { key: 'x' } })).toEqual({
        ok: true,
        output: 'found x',
      })
    })
    expect(ran).toEqual([['x', undefined]])
  })

  test('what is added to a governed agent later is governed', async () => {
    ran.length = 0
    const b = start({ double })
    const { runner, read } = scripted({ a: [[['look_up', { key: 'x' }]]] })
    const a = governAgent(sdkAgent('a'))
    a.tools.push(lookUp)
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(ran).toEqual([])
    expect(String(read()[0])).toContain('not_registered')
  })

  test('tools of MCP servers are governed', async () => {
    const b = start({ double })
    const called: string[] = []
    const server = {
      name: 'files',
      cacheToolsList: false,
      connect: async () => undefined,
      close: async () => undefined,
      invalidateToolsCache: async () => undefined,
      listTools: async () => [
        {
          name: 'read',
          inputSchema: { type: 'object', properties: {}, required: [], additionalProperties: false },
        },
      ],
      callTool: async (name: string) => {
        called.push(name)
        return [{ type: 'text', text: 'secret' }]
      },
    }
    const { runner, read } = scripted({ a: [[['read', {}]]] })
    const a = governAgent(sdkAgent('a', { mcpServers: [server] }))
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(called).toEqual([])
    expect(String(read()[0])).toContain('not_registered')
  })

  test.each([
    { type: 'hosted_tool', name: 'web_search' },
    { type: 'computer', name: 'computer' },
    { type: 'shell', name: 'shell' },
    { type: 'apply_patch', name: 'apply_patch' },
  ])('$type is refused, unless it may be observed', async (hosted) => {
    expect(thrown(() => governAgent(sdkAgent('a', { tools: [hosted] })))).toBeInstanceOf(UnmeteredRequest)
    expect(governAgent(sdkAgent('a', { tools: [hosted] }), { unmetered: 'observe' }).tools).toEqual([hosted])
    const later = governAgent(sdkAgent('a'))
    later.tools.push(hosted as never)
    const { runner } = scripted({})
    const b = start({ double })
    await b.agent.session('alice', async () => {
      expect(await rejection(runner.run(later, 'hi'))).toBeInstanceOf(UnmeteredRequest)
    })
  })

  test('a tool that comes into the run past its lists does not run', async () => {
    const a = governAgent(sdkAgent('a'))
    expect(thrown(() => a.emit('agent_tool_start', {} as never, lookUp as never, {} as never))).toMatchObject(
      {
        code: 'ERR_TOOL_NOT_PERMITTED',
        tool: 'look_up',
      },
    )
  })
})

describe('handoffs and agents as tools', () => {
  const ran: string[] = []
  const open = (name: string) =>
    tool({
      name,
      description: name,
      parameters: z.object({}),
      execute: () => {
        ran.push(name)
        return name
      },
    })

  test.each<[string, (b: SdkAgent) => unknown]>([
    ['an agent', (to) => to],
    ['a handoff', (to) => handoff(to)],
    ['a handoff with a name of its own', (to) => handoff(to, { toolNameOverride: 'transfer_to_b' })],
  ])('%s: the tools of who is handed off to are governed', async (_name, wrap) => {
    ran.length = 0
    const b = start({ double })
    const second = sdkAgent('b', { tools: [open('erase')] })
    const a = governAgent(sdkAgent('a', { handoffs: [wrap(second as never)] }))
    const { runner, read } = scripted({ a: [[['transfer_to_b', {}]]], b: [[['erase', {}]]] })
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(ran).toEqual([])
    expect(read().join()).toContain('not_registered')
    expect(second.tools[0]).toMatchObject({ name: 'erase' })
  })

  test('agents that hand off to each other are governed once each', async () => {
    const first = sdkAgent('a')
    const second = sdkAgent('b', { handoffs: [first] })
    first.handoffs.push(second)
    const governed = governAgent(first)
    const [other] = governed.handoffs as SdkAgent[]
    expect(other?.handoffs[0]).toBe(governed)
    expect(first.handoffs[0]).toBe(second)
    expect(governAgent(governed)).toBe(governed)
  })

  test('an agent that can be handed off to later, and a clone, are governed too', async () => {
    ran.length = 0
    const b = start({ double })
    const added = governAgent(sdkAgent('a'))
    added.handoffs.push(sdkAgent('b', { tools: [open('erase')] }))
    const cloned = governAgent(sdkAgent('c')).clone({ tools: [open('erase')] })
    const { runner } = scripted({
      a: [[['transfer_to_b', {}]]],
      b: [[['erase', {}]]],
      c: [[['erase', {}]]],
    })
    await b.agent.session('alice', async () => {
      await runner.run(added, 'hi')
      await runner.run(cloned, 'hi')
    })
    expect(ran).toEqual([])
    expect(b.payloads('tool_denied')).toHaveLength(2)
  })

  test('a governed agent as a tool: its calls go through the session', async () => {
    ran.length = 0
    const b = start({ double })
    const inner = governAgent(sdkAgent('b', { tools: [...toTools(b.agent), open('erase')] }))
    const a = governAgent(
      sdkAgent('a', { tools: [inner.asTool({ toolName: 'ask_b', toolDescription: '' })] }),
    )
    const { runner, asked } = scripted({
      a: [[['ask_b', { input: 'x' }]]],
      b: [
        [
          ['double', { n: 2 }],
          ['erase', {}],
        ],
      ],
    })
    await b.agent.session('alice', () => runner.run(a, 'hi'))
    expect(ran).toEqual([])
    expect(b.payloads('llm_call')).toHaveLength(asked.length)
    expect(asked).toHaveLength(4)
    expect(b.payloads('tool_result')).toHaveLength(1)
  })

  test('an agent as a tool that is not governed is refused', () => {
    const inner = sdkAgent('b', { tools: [open('erase')] }).asTool({ toolName: 'ask_b', toolDescription: '' })
    expect(thrown(() => governAgent(sdkAgent('a', { tools: [inner] })))).toBeInstanceOf(TypeError)
    expect(thrown(() => fromTool(inner))).toBeInstanceOf(TypeError)
  })

  test('the agent that was governed is left as it is, and its listeners hear the copy', async () => {
    const heard: string[] = []
    const original = sdkAgent('a', { tools: [open('erase')] })
    const [before] = original.tools
    original.on('agent_start', () => heard.push('start'))
    const governed = governAgent(original)
    expect(original.tools).toEqual([before])
    expect(governed).toBeInstanceOf(SdkAgent)
    const { runner } = scripted({})
    const b = start({ double })
    await b.agent.session('alice', () => runner.run(governed, 'hi'))
    expect(heard).toEqual(['start'])
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

  test.each<[string, object, boolean]>([
    ['a run', {}, false],
    ['a stream', {}, true],
    ['an agent that stops at its first tool', { toolUseBehavior: 'stop_on_first_tool' }, false],
  ])('in a tool ends %s with the error as it is', async (_name, more, stream) => {
    const b = start({ spend })
    const { runner, asked } = scripted({ a: [[['spend', {}]]] })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent), ...more }))
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(
          (async () => {
            if (!stream) return runner.run(a, 'hi')
            const result = await runner.run(a, 'hi', { stream: true })
            for await (const _event of result);
            return result.completed
          })(),
        )
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(killed)
    expect(asked).toHaveLength(1)
  })

  test('in an agent as a tool, whose errors the SDK swallows, ends the run of who called it', async () => {
    const b = start({ spend })
    const inner = governAgent(sdkAgent('b', { tools: toTools(b.agent) }))
    const a = governAgent(
      sdkAgent('a', { tools: [inner.asTool({ toolName: 'ask_b', toolDescription: '' })] }),
    )
    const { runner, asked } = scripted({ a: [[['ask_b', { input: 'x' }]]], b: [[['spend', {}]]] })
    let seen: Promise<unknown> | undefined
    const killed = await rejection(
      b.agent.session('alice', async () => {
        seen = rejection(runner.run(a, 'hi'))
        await seen
      }),
    )
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(await seen).toBe(killed)
    expect(asked).toHaveLength(2)
  })

  test('a callback that swallows it does not keep the run alive', async () => {
    const greedy = tool({
      name: 'greedy',
      description: '',
      parameters: z.object({}),
      errorFunction: () => 'all is well',
      execute: async () => {
        const { currentSession } = await import('writ')
        currentSession().recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
        return 'ok'
      },
    })
    const b = start({ greedy: fromTool(greedy) })
    const { runner, asked } = scripted({ a: [[['greedy', {}]], [['greedy', {}]]] })
    const a = governAgent(sdkAgent('a', { tools: [greedy] }))
    expect(await rejection(b.agent.session('alice', () => runner.run(a, 'hi')))).toBeInstanceOf(
      BudgetExceeded,
    )
    expect(asked).toHaveLength(1)
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
    const { runner } = scripted({
      a: [
        [
          ['wait', {}],
          ['spend', {}],
        ],
      ],
    })
    const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
    const killed = await rejection(b.agent.session('alice', () => runner.run(a, 'hi')))
    expect(killed).toBeInstanceOf(BudgetExceeded)
    expect(aborted).toBe(killed)
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
  const { runner } = scripted({ a: [[['wait', {}]]] })
  const a = governAgent(sdkAgent('a', { tools: toTools(b.agent) }))
  await b.agent.session('alice', async (s) => {
    await rejection(runner.run(a, 'hi', { signal: abort.signal }))
    expect(s.state).toBe('open')
  })
})

test('a call that the SDK asks about is asked about there first, and runs through the session then', async () => {
  const ran: string[] = []
  const risky = tool({
    name: 'risky',
    description: '',
    parameters: z.object({}),
    needsApproval: true,
    execute: () => {
      ran.push('risky')
      return 'ran'
    },
  })
  const b = start({ risky: fromTool(risky) })
  const { runner, read } = scripted({ a: [[['risky', {}]]] })
  const a = governAgent(sdkAgent('a', { tools: [risky] }))
  await b.agent.session('alice', async () => {
    const first = await runner.run(a, 'hi')
    expect(first.interruptions).toHaveLength(1)
    expect(ran).toEqual([])
    for (const item of first.interruptions) first.state.approve(item)
    await runner.run(a, first.state)
  })
  expect(ran).toEqual(['risky'])
  expect(read()).toEqual(['ran'])
  expect(b.payloads('tool_result')).toHaveLength(1)
})

test('what cannot be used is refused', () => {
  expect(thrown(() => governAgent({} as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governAgent(sdkAgent('a'), { fetch } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governAgent(sdkAgent('a'), { unmetered: 'allow' } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => toTools({} as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => fromTool({ type: 'shell' } as never))).toBeInstanceOf(TypeError)
})

test('COVERAGE is what the documents say, part by part', () => {
  const rows = readFileSync('docs/openai-agents.md', 'utf8').matchAll(/^\| (.+?) \| \*\*(\w+)\*\*/gm)
  expect([...rows].map(([, part, governance]) => ({ part, governance }))).toEqual(COVERAGE)
  expect(Object.isFrozen(COVERAGE)).toBe(true)
})
