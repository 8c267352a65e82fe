import { jsonSchema, tool } from 'ai'
import { describe, expect, test, vi } from 'vitest'
import {
  type Agent,
  type AgentOptions,
  BudgetExceeded,
  defineTool,
  type ToolSet,
  UnmeteredRequest,
} from 'writ'
import { fromTool, governTools, toTools } from 'writ/ai-sdk'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { type Call, MAJORS, type Model, run, scripted } from './ai-sdk-majors.js'
import { MODEL, prices } from './suite.js'

const start = <Tools extends ToolSet>(tools: Tools, more: Partial<AgentOptions<Tools>> = {}) =>
  bench({ budget: { usd: 100 }, prices, tools, ...more })

const double = defineTool({
  description: 'doubles a number',
  inputSchema: z.object({ n: z.number() }),
  when: ({ n }) => n < 100,
  execute: ({ n }) => n * 2,
})

const spend = defineTool({
  inputSchema: z.object({}),
  execute: (_input, { session }) => {
    session.recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
    return 'spent'
  },
})

const prompt = 'hi'
const HOW = ['generateText', 'streamText'] as const

for (const { major, spec, ai } of MAJORS) {
  describe.each(HOW)(`ai ${major} %s: tools of writ`, (how) => {
    test('keep description and schema, and go through the session', async () => {
      const b = start({ double })
      const { model, asked, read } = scripted(spec, [[['double', { n: 21 }]]])
      await b.agent.session('alice', async () => {
        expect((await run(ai, how, { model, tools: toTools(b.agent), prompt })).text).toBe('done')
      })
      expect(read()).toEqual([{ type: 'json', value: 42 }])
      expect(asked[0]?.tools).toMatchObject([
        {
          type: 'function',
          name: 'double',
          description: 'doubles a number',
          inputSchema: b.agent.toolSchemas('openai')[0]?.function.parameters,
        },
      ])
      expect(b.payloads('tool_result')).toHaveLength(1)
      expect(b.payloads('llm_call')).toHaveLength(2)
    })

    test.each<[string, Call, string]>([
      ['its predicate', ['double', { n: 100 }], 'predicate_false'],
      ['its schema', ['double', { n: 'x' }], 'invalid_input'],
    ])(
      'a call denied by %s is an error that the model reads, and the run goes on',
      async (_name, call, reason) => {
        const b = start({ double })
        const { model, read } = scripted(spec, [[call], [['double', { n: 1 }]]])
        await b.agent.session('alice', async () => {
          expect((await run(ai, how, { model, tools: toTools(b.agent), prompt })).text).toBe('done')
        })
        const [denied, allowed] = read() as { type: string; value: string }[]
        expect(denied?.type).toBe('error-text')
        expect(JSON.parse(denied?.value.replace(/^\w+: /, '') ?? '')).toMatchObject({
          error: { tool: 'double', reason },
        })
        expect(allowed).toEqual({ type: 'json', value: 2 })
        expect(b.payloads('tool_denied')).toMatchObject([{ reason }])
      },
    )

    test.each([true, false])('a call that needs an approval waits for it (%s)', async (approved) => {
      const risky = defineTool({ inputSchema: z.object({}), approval: 'always', execute: () => 'ran' })
      const b = start({ risky }, { approve: () => ({ approved, by: 'marta' }) })
      const { model, read } = scripted(spec, [[['risky', {}]]])
      await b.agent.session('alice', () => run(ai, how, { model, tools: toTools(b.agent), prompt }))
      const [output] = read() as { type: string; value: string }[]
      if (approved) expect(output).toEqual({ type: 'text', value: 'ran' })
      else expect(output?.value).toContain('approval_denied')
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
      const { model, read } = scripted(spec, [[1, 2, 3].map((n): Call => ['slow', { n }])])
      await b.agent.session('alice', () => run(ai, how, { model, tools: toTools(b.agent), prompt }))
      expect(read().map((output) => (output as { value: unknown }).value)).toEqual([1, 2, 3])
      expect(most).toBe(3)
      expect(b.payloads('tool_result')).toHaveLength(3)
    })

    test('a kill in a tool ends the run with the error as it is, and the model is asked no more', async () => {
      const b = start({ spend })
      const { model, asked } = scripted(spec, [[['spend', {}]]])
      let seen: Promise<unknown> | undefined
      const killed = await rejection(
        b.agent.session('alice', async () => {
          seen = rejection(run(ai, how, { model, tools: toTools(b.agent), prompt }))
          await seen
        }),
      )
      expect(killed).toBeInstanceOf(BudgetExceeded)
      expect(await seen).toBe(killed)
      expect(asked).toHaveLength(1)
    })

    test('a kill of one call ends those beside it', async () => {
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
      const { model } = scripted(spec, [
        [
          ['wait', {}],
          ['spend', {}],
        ],
      ])
      const killed = await rejection(
        b.agent.session('alice', () => run(ai, how, { model, tools: toTools(b.agent), prompt })),
      )
      expect(killed).toBeInstanceOf(BudgetExceeded)
      expect(aborted).toBe(killed)
    })

    test('a kill that a tool swallows does not keep the run alive', async () => {
      const greedy = tool({
        inputSchema: z.object({}),
        execute: async () => {
          const { currentSession } = await import('writ')
          try {
            currentSession().recordLlm({ model: MODEL, inputTokens: 0, outputTokens: 0, costUsd: 200 })
          } catch {
            // As if nothing had happened.
          }
          return 'all is well'
        },
      })
      const b = start({ greedy: fromTool(greedy) })
      const { model, asked } = scripted(spec, [[['greedy', {}]], [['greedy', {}]]])
      const tools = governTools({ greedy })
      expect(
        await rejection(b.agent.session('alice', () => run(ai, how, { model, tools, prompt }))),
      ).toBeInstanceOf(BudgetExceeded)
      expect(asked).toHaveLength(1)
    })

    test('outside of a session none runs, whatever was said', async () => {
      const b = start({ double })
      const { model, read } = scripted(spec, [[['double', { n: 1 }]]], { outside: 'observe' })
      await run(ai, how, { model, tools: toTools(b.agent, { outside: 'observe' }), prompt })
      expect(JSON.stringify(read())).toContain('ession')
      expect(b.payloads('tool_call')).toEqual([])
    })
  })

  describe.each(HOW)(`ai ${major} %s: tools of the SDK`, (how) => {
    const ran: unknown[] = []
    const lookUp = tool({
      description: 'looks up',
      inputSchema: z.object({ key: z.string() }),
      execute: ({ key }, { toolCallId, messages }) => {
        ran.push([key, toolCallId, messages.length])
        return `found ${key}`
      },
    })

    test('registered under the contract, they keep their schema and get what the SDK hands them', async () => {
      ran.length = 0
      const b = start({ lookup: fromTool(lookUp, { maxCalls: 1 }) })
      const { model, asked, read } = scripted(spec, [[['lookUp', { key: 'x' }]], [['lookUp', { key: 'y' }]]])
      const tools = governTools({ lookUp })
      await b.agent.session('alice', () => run(ai, how, { model, tools, prompt }))
      expect(ran).toEqual([['x', 'call-0-0', 1]])
      const [found, denied] = read() as { value: string }[]
      expect(found).toEqual({ type: 'text', value: 'found x' })
      expect(denied?.value).toContain('max_calls')
      expect(asked[0]?.tools).toMatchObject([
        { name: 'lookUp', description: 'looks up', inputSchema: { properties: { key: { type: 'string' } } } },
      ])
      expect(b.payloads('tool_call')).toMatchObject([{ model_call_id: 'call-0-0' }])
    })

    test('unregistered, they do not run, and the model reads why', async () => {
      ran.length = 0
      const b = start({ double })
      const { model, read } = scripted(spec, [[['lookUp', { key: 'x' }]]])
      await b.agent.session('alice', () => run(ai, how, { model, tools: governTools({ lookUp }), prompt }))
      expect(ran).toEqual([])
      expect(JSON.stringify(read())).toContain('not_registered')
    })

    test('a tool that gives its output bit by bit keeps doing so', async () => {
      const count = tool({
        inputSchema: z.object({}),
        async *execute() {
          yield 'one'
          yield 'one two'
          yield 'one two three'
        },
      })
      const b = start({ count: fromTool(count) })
      const { model, read } = scripted(spec, [[['count', {}]]])
      await b.agent.session('alice', async (s) => {
        const { parts } = await run(ai, how, { model, tools: governTools({ count }), prompt })
        const outputs = parts
          .filter(({ type }) => type === 'tool-result')
          .map((part) => [(part as never)['output'], (part as never)['preliminary'] === true])
        if (how === 'streamText') {
          expect(outputs).toEqual([
            ['one', true],
            ['one two', true],
            ['one two three', true],
            ['one two three', false],
          ])
        }
        expect(await s.callTool('count', {})).toBe('one two three')
      })
      expect(read()).toEqual([{ type: 'text', value: 'one two three' }])
      expect(b.payloads('tool_result')).toHaveLength(2)
    })

    test('a function that returns an iterator gives its last output', async () => {
      async function* words() {
        yield 'one'
        yield 'one two'
      }
      const count = tool({ inputSchema: z.object({}), execute: () => words() })
      const b = start({ count: fromTool(count) })
      const { model, read } = scripted(spec, [[['count', {}]]])
      await b.agent.session('alice', () => run(ai, how, { model, tools: governTools({ count }), prompt }))
      expect(read()).toEqual([{ type: 'text', value: 'one two' }])
    })

    test('one that fails on the way is an error that the model reads', async () => {
      const broken = tool({
        inputSchema: z.object({}),
        async *execute() {
          yield 'one'
          throw new TypeError('out of order')
        },
      })
      const b = start({ broken: fromTool(broken) })
      const { model, read } = scripted(spec, [[['broken', {}]]])
      await b.agent.session('alice', () => run(ai, how, { model, tools: governTools({ broken }), prompt }))
      expect(JSON.stringify(read())).toContain('out of order')
      expect(b.payloads('tool_result')).toMatchObject([{ ok: false }])
    })

    test('one that is denied gives nothing', async () => {
      const seen: string[] = []
      const count = tool({
        inputSchema: z.object({}),
        async *execute() {
          seen.push('ran')
          yield 'one'
        },
      })
      const b = start({ count: fromTool(count, { when: () => false }) })
      const { model, read } = scripted(spec, [[['count', {}]]])
      await b.agent.session('alice', () => run(ai, how, { model, tools: governTools({ count }), prompt }))
      expect(seen).toEqual([])
      expect(JSON.stringify(read())).toContain('predicate_false')
    })
  })

  describe(`ai ${major}: agents`, () => {
    let owner: Agent<ToolSet> | undefined
    const agentOf = (model: Model) =>
      new ai.ToolLoopAgent({ model, tools: toTools(owner as Agent<ToolSet>) as never })
    /** A tool that is an agent with this model. */
    const asking = (model: Model) =>
      fromTool(
        tool({
          inputSchema: z.object({}),
          execute: async () => {
            const { textStream } = await agentOf(model).stream({ prompt })
            let text = ''
            for await (const piece of textStream) text += piece
            return text
          },
        }),
      )

    test('an agent is metered, and so is one that is a tool of it', async () => {
      const inner = scripted(spec, [[['double', { n: 4 }]], 'eight'])
      const outer = scripted(spec, [[['ask', {}]]])
      const b = start({ double, ask: asking(inner.model) })
      owner = b.agent as never
      await b.agent.session('alice', async () => {
        const result = await agentOf(outer.model).stream({ prompt })
        expect(await result.text).toBe('done')
      })
      expect(outer.read()).toEqual([{ type: 'text', value: 'eight' }])
      expect(b.payloads('llm_call')).toHaveLength(4)
      expect(b.payloads('tool_result')).toHaveLength(2)
    })

    test('a kill in an agent that is a tool ends the run of who called it', async () => {
      const inner = scripted(spec, [[['spend', {}]]])
      const outer = scripted(spec, [[['ask', {}]]])
      const b = start({ spend, ask: asking(inner.model) })
      owner = b.agent as never
      // Where nobody listens, the SDK writes down what went wrong.
      vi.spyOn(console, 'error').mockReturnValue()
      let seen: Promise<unknown> | undefined
      const killed = await rejection(
        b.agent.session('alice', async () => {
          seen = rejection(agentOf(outer.model).generate({ prompt }))
          await seen
        }),
      )
      expect(killed).toBeInstanceOf(BudgetExceeded)
      expect(await seen).toBe(killed)
      expect(outer.asked).toHaveLength(1)
    })
  })
}

test('a kill in the last step a run may take rejects the session', async () => {
  const b = start({ spend })
  for (const { ai, spec } of MAJORS) {
    const { model } = scripted(spec, [[['spend', {}]]])
    const asked = b.agent.session('alice', () =>
      ai.generateText({ model, tools: toTools(b.agent), prompt, stopWhen: ai.stepCountIs(1) }),
    )
    expect(await rejection(asked)).toBeInstanceOf(BudgetExceeded)
  }
})

test('what is governed already stays as it is', () => {
  const b = start({ double })
  const tools = toTools(b.agent)
  expect(governTools(tools as never)).toEqual(tools)
  expect((governTools(tools as never) as typeof tools).double).toBe(tools.double)
})

test('a governed tool can be called by hand', async () => {
  const add = tool({ inputSchema: z.object({ n: z.number() }), execute: ({ n }) => n + 1 })
  const b = start({ add: fromTool(add) })
  const { execute } = governTools({ add }).add
  await b.agent.session('alice', async () => {
    expect(await execute?.({ n: 1 }, undefined as never)).toBe(2)
  })
})

test('calls with one id are told from each other by their tools', async () => {
  const seen: unknown[] = []
  const make = (name: string) =>
    tool({ inputSchema: z.object({}), execute: (_input, { messages }) => seen.push([name, messages]) })
  const [one, two] = [make('one'), make('two')]
  const b = start({ one: fromTool(one), two: fromTool(two) })
  const governed = governTools({ one, two })
  await b.agent.session('alice', () =>
    Promise.all([
      governed.one.execute?.({}, { toolCallId: 'c', messages: ['of one'] as never }),
      governed.two.execute?.({}, { toolCallId: 'c', messages: ['of two'] as never }),
    ]),
  )
  expect(seen).toEqual([
    ['one', ['of one']],
    ['two', ['of two']],
  ])
})

test('a tool that gives its output bit by bit stops when nobody reads it any more', async () => {
  let signal: AbortSignal | undefined
  let stopped: () => void = () => undefined
  const isStopped = new Promise<void>((resolve) => {
    stopped = resolve
  })
  const count = tool({
    inputSchema: z.object({}),
    async *execute(_input, { abortSignal }) {
      signal = abortSignal
      try {
        for (let n = 0; ; n += 1) {
          yield n
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        stopped()
      }
    },
  })
  const b = start({ count: fromTool(count) })
  const { execute } = governTools({ count }).count
  await b.agent.session('alice', async (s) => {
    const outputs = execute?.({}, { toolCallId: 'c', messages: [] }) as unknown as AsyncIterable<number>
    for await (const n of outputs) if (n === 2) break
    await isStopped
    expect(signal?.aborted).toBe(true)
    expect(s.state).toBe('open')
  })
})

test.each(MAJORS.map(({ major, ...rest }) => [major, rest] as const))(
  'ai %i: a run that its caller aborts aborts the tool, and nothing of the session',
  async (_major, { ai, spec }) => {
    const abort = new AbortController()
    let aborted: unknown
    const wait = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = signal.reason
            reject(signal.reason)
          })
          abort.abort()
        }),
    })
    const b = start({ wait })
    const { model } = scripted(spec, [[['wait', {}]]])
    await b.agent.session('alice', async (s) => {
      await rejection(
        run(ai, 'generateText', { model, tools: toTools(b.agent), prompt, abortSignal: abort.signal }),
      )
      expect(s.state).toBe('open')
    })
    expect(aborted).toBe(abort.signal.reason)
  },
)

test('schemas of the SDK are checked, and shown', async () => {
  const schema = { type: 'object', properties: { n: { type: 'number' } } } as const
  const checked = tool({
    inputSchema: jsonSchema<{ n: number }>(schema, {
      validate: (value) =>
        typeof (value as { n?: unknown }).n === 'number'
          ? { success: true, value: value as { n: number } }
          : { success: false, error: new TypeError('n is no number') },
    }),
    execute: ({ n }) => n + 1,
  })
  const unchecked = tool({ inputSchema: jsonSchema<{ n: number }>(schema), execute: ({ n }) => n + 1 })
  const b = start({ checked: fromTool(checked), unchecked: fromTool(unchecked) })
  expect(b.agent.toolSchemas('openai').map(({ function: { parameters } }) => parameters)).toEqual([
    schema,
    schema,
  ])
  await b.agent.session('alice', async (s) => {
    expect(await s.callTool('checked', { n: 1 })).toBe(2)
    expect(await s.dispatch({ name: 'checked', input: { n: 'x' } })).toMatchObject({
      denial: { reason: 'invalid_input', issues: [{ message: 'n is no number' }] },
    })
    expect(await s.dispatch({ name: 'unchecked', input: [] })).toMatchObject({
      denial: { reason: 'invalid_input' },
    })
  })
})

test('tools that the provider executes are refused, unless they may be observed', () => {
  const hosted = {
    type: 'provider',
    id: 'openai.web_search',
    name: 'web_search',
    args: {},
    inputSchema: z.object({}),
  }
  expect(thrown(() => governTools({ hosted } as never))).toBeInstanceOf(UnmeteredRequest)
  expect(governTools({ hosted } as never, { unmetered: 'observe' })).toEqual({ hosted })
  const client = { inputSchema: z.object({}) }
  expect(governTools({ client } as never)).toEqual({ client })
})

test('what cannot be used is refused', () => {
  const lookUp = tool({ inputSchema: z.object({}), execute: () => 1 })
  expect(thrown(() => governTools({ lookUp, lookup: lookUp }))).toBeInstanceOf(TypeError)
  expect(thrown(() => governTools(undefined as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governTools({}, { approvals: 'all' } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governTools({}, { assumeOutputTokens: 1 } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => governTools({}, { model: 'x' } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => toTools({} as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => fromTool({ inputSchema: z.object({}) } as never))).toBeInstanceOf(TypeError)
  expect(thrown(() => fromTool({ execute: () => 1 } as never))).toBeInstanceOf(TypeError)
})
