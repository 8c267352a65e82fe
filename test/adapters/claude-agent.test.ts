import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as sdk from '@anthropic-ai/claude-agent-sdk'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BudgetExceeded, defineTool, type Session, SessionClosed, type ToolSet } from 'writ'
import {
  ClaudeOutputRefused,
  COVERAGE,
  claudeTool,
  type GovernedQueryOptions,
  governedQuery,
} from 'writ/claude-agent'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'
import { anthropicWire, type Block, sends, text, toolUse } from './anthropic-wire.js'
import { type Plan, type Provider, provide } from './provider.js'

/** Claude Code itself comes as a package for each platform. */
const { platform, arch } = process
const hasBinary = existsSync(
  join(import.meta.dirname, `../../node_modules/@anthropic-ai/claude-agent-sdk-${platform}-${arch}`),
)
if (!hasBinary) console.warn(`Claude Code is not installed for ${platform}-${arch}: its runs are not tested`)
const withClaude = describe.skipIf(!hasBinary)

const TOKENS = { input: 10, output: 20 }

/** Where Claude Code finds neither settings nor a key of whoever runs the tests. */
function home(): string {
  const folder = mkdtempSync(join(tmpdir(), 'writ-claude-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }))
  return folder
}

function optionsFor({ origin }: Provider, folder: string): sdk.Options {
  return {
    cwd: folder,
    model: 'claude-sonnet-4-5',
    settingSources: [],
    permissionMode: 'default',
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      CLAUDE_CONFIG_DIR: join(folder, '.claude'),
      ANTHROPIC_BASE_URL: origin,
      ANTHROPIC_API_KEY: 'none',
      DISABLE_TELEMETRY: '1',
      DISABLE_AUTOUPDATER: '1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    },
  }
}

const bashInput = z.looseObject({ command: z.string() })
const bash = claudeTool({ inputSchema: bashInput, when: ({ command }) => command.startsWith('echo') })
const runs = (id: string, command: string): Block =>
  toolUse(id, 'Bash', { command, description: 'a command' })
const done = sends([text('done')], TOKENS)

interface Run extends GovernedQueryOptions {
  readonly plans: readonly Plan[]
  readonly tools?: ToolSet
  readonly registered?: ToolSet
  readonly budget?: object
  readonly agent?: object
  readonly more?: Partial<sdk.Options>
  readonly onMessage?: (message: sdk.SDKMessage, session: Session<ToolSet>) => unknown
}

/** What a promise rejects with; `undefined` where it does not. */
const outcome = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  )

/** One run of Claude Code, the real one, against a provider that sends what was planned. */
async function run({
  plans,
  registered = { bash },
  budget = { usd: 1 },
  agent,
  more,
  onMessage,
  ...governed
}: Run) {
  const provider = await provide(anthropicWire, ...plans)
  const folder = home()
  const b = bench({ budget, tools: { ...registered, ...governed.tools }, ...agent })
  const messages: sdk.SDKMessage[] = []
  let reading: Promise<unknown> = Promise.resolve('not started')
  const session = await outcome(
    b.agent.session('alice', async (s) => {
      const governedRun = (): sdk.Query =>
        governedQuery(
          s,
          sdk,
          { prompt: 'go', options: { ...optionsFor(provider, folder), ...more } },
          governed,
        )
      reading = outcome(
        (async () => {
          for await (const message of governedRun()) {
            messages.push(message)
            if ((await onMessage?.(message, s)) === 'break') break
          }
        })(),
      )
      await reading
    }),
  )
  const seen = await reading
  const results = provider.asked.flatMap(({ body }) =>
    ((body as { messages?: { content: unknown }[] }).messages ?? []).flatMap(({ content }) =>
      Array.isArray(content) ? content.filter(({ type }) => type === 'tool_result') : [],
    ),
  )
  /** What the model is told of a call. */
  const told = (id: string) => results.find(({ tool_use_id }) => tool_use_id === id)
  return { b, provider, messages, session, seen, told, folder }
}

const tools = (b: { payloads: (event: 'tool_call') => readonly object[] }) => b.payloads('tool_call')

withClaude('tools of Claude Code', () => {
  test('run where the contract allows it, with their intent on record before', async () => {
    const { b, told, seen } = await run({ plans: [sends([runs('toolu_1', 'echo hi')], TOKENS), done] })
    expect(seen).toBe(undefined)
    expect(told('toolu_1')).toMatchObject({ is_error: false })
    expect(JSON.stringify(told('toolu_1'))).toContain('hi')
    expect(tools(b)).toMatchObject([{ tool: 'bash', model_call_id: 'toolu_1', enforcement: 'enforced' }])
    expect(b.payloads('tool_result')).toMatchObject([{ ok: true, effect: 'occurred' }])
  })

  test('run with the input that was checked', async () => {
    const checked = claudeTool({
      inputSchema: bashInput.transform((input) => ({ ...input, command: 'echo checked' })),
    })
    const { told } = await run({
      plans: [sends([runs('toolu_1', 'echo given')], TOKENS), done],
      registered: { bash: checked },
    })
    expect(JSON.stringify(told('toolu_1'))).toContain('checked')
    expect(JSON.stringify(told('toolu_1'))).not.toContain('given')
  })

  test.each([
    ['that the agent does not have', {}, 'not_registered'],
    ['whose predicate says no', { bash }, 'predicate_false'],
    [
      'whose predicate throws',
      { bash: claudeTool({ inputSchema: bashInput, when: () => expect.fail('broken') }) },
      'predicate_error',
    ],
    [
      'whose input is not valid',
      { bash: claudeTool({ inputSchema: z.object({ command: z.number() }) }) },
      'invalid_input',
    ],
  ])('do not run %s, and the model reads why', async (_what, registered, reason) => {
    const { told, folder, b, seen } = await run({
      plans: [sends([runs('toolu_1', 'touch here')], TOKENS), done],
      registered,
      // What the settings would allow, the contract still has to.
      more: { allowedTools: ['Bash'] },
    })
    expect(seen).toBe(undefined)
    expect(told('toolu_1')).toMatchObject({ is_error: true })
    expect(JSON.stringify(told('toolu_1'))).toContain(reason)
    expect(existsSync(join(folder, 'here'))).toBe(false)
    expect(b.payloads('tool_denied')).toMatchObject([{ reason }])
  })

  test('run at once, each under its own call', async () => {
    const both = sends(
      [runs('toolu_1', 'echo one'), runs('toolu_2', 'rm two'), runs('toolu_3', 'echo three')],
      TOKENS,
    )
    const { told, b } = await run({ plans: [both, done] })
    expect(JSON.stringify(told('toolu_1'))).toContain('one')
    expect(told('toolu_2')).toMatchObject({ is_error: true })
    expect(JSON.stringify(told('toolu_3'))).toContain('three')
    expect(b.payloads('tool_result')).toHaveLength(2)
  })

  test('that fail are failures in the log', async () => {
    const { told, b } = await run({ plans: [sends([runs('toolu_1', 'echo no; exit 3')], TOKENS), done] })
    expect(told('toolu_1')).toMatchObject({ is_error: true })
    expect(b.payloads('tool_result')).toMatchObject([{ ok: false, error: { name: 'ClaudeToolFailed' } }])
  })

  test('give the model what the contract makes of their output', async () => {
    const redacting = claudeTool({
      inputSchema: bashInput,
      output: (output) => ({ ...(output as object), stdout: 'nothing to see' }),
    })
    const { told } = await run({
      plans: [sends([runs('toolu_1', 'echo secret')], TOKENS), done],
      registered: { bash: redacting },
    })
    expect(JSON.stringify(told('toolu_1'))).toContain('nothing to see')
    expect(JSON.stringify(told('toolu_1'))).not.toContain('secret')
  })

  test.each<[string, (output: unknown) => unknown, string]>([
    ['throws', () => expect.fail('broken'), 'tool_error'],
    ['makes a text of it', () => 'nothing', 'must have its members'],
    [
      'leaves a member out',
      (output) => ({ ...(output as object), stdout: undefined }),
      'must have its members',
    ],
    ['adds a member', (output) => ({ ...(output as object), more: 1 }), 'must have its members'],
  ])('are never shown raw where `output` %s: the run ends', async (_what, output, why) => {
    const { seen, session, provider } = await run({
      plans: [sends([runs('toolu_1', 'echo secret-$((20+3))')], TOKENS), done],
      registered: { bash: claudeTool({ inputSchema: bashInput, output }) },
    })
    expect(seen).toBeInstanceOf(ClaudeOutputRefused)
    expect(`${(seen as ClaudeOutputRefused).denial?.reason} ${String(seen)}`).toContain(why)
    expect(session).toBe(undefined)
    expect(JSON.stringify(provider.asked)).not.toContain('secret-23')
  })

  test.each([
    [{ approved: true, by: 'bob' }, false],
    [{ approved: false, by: 'bob' }, true],
  ] as const)('wait for an approval: %j', async (answer, is_error) => {
    const asked: string[] = []
    const { told } = await run({
      plans: [sends([runs('toolu_1', 'echo hi')], TOKENS), done],
      registered: { bash: claudeTool({ inputSchema: bashInput, approval: 'always' }) },
      agent: {
        approve: ({ tool }: { tool: string }) => {
          asked.push(tool)
          return answer
        },
      },
    })
    expect(asked).toEqual(['bash'])
    expect(told('toolu_1')).toMatchObject({ is_error })
  })

  test('of subagents pass the same contract', async () => {
    const task = claudeTool({ inputSchema: z.looseObject({ prompt: z.string() }) })
    const start = (id: string): Block =>
      toolUse(id, 'Task', { description: 'sub', prompt: 'INNER', subagent_type: 'general-purpose' })
    const isInner = (body: unknown): boolean => !JSON.stringify(body).includes('toolu_outer')
    let turns = 0
    const plan: Plan = {
      kind: 'raw',
      answer: (response, body) => {
        turns += 1
        const blocks =
          turns === 1
            ? [start('toolu_outer')]
            : isInner(body) && !JSON.stringify(body).includes('toolu_inner')
              ? [runs('toolu_inner', 'touch here')]
              : [text('done')]
        const next = sends(blocks, TOKENS)
        if (next.kind === 'raw') next.answer(response, body)
      },
    }
    const { b, folder } = await run({ plans: [plan], registered: { agent: task, bash } })
    expect(b.payloads('tool_denied')).toMatchObject([
      { tool: 'bash', model_call_id: 'toolu_inner', reason: 'predicate_false' },
    ])
    expect(existsSync(join(folder, 'here'))).toBe(false)
  })

  test('cannot be run elsewhere', async () => {
    const b = bench({ budget: { usd: 1 }, tools: { bash } })
    const error = await rejection(b.agent.session('alice', (s) => s.callTool('bash', { command: 'echo' })))
    expect(error).toBeInstanceOf(TypeError)
  })

  test('pass the hooks of the program too', async () => {
    const seen: string[] = []
    const watch = async (input: sdk.HookInput): Promise<sdk.HookJSONOutput> => {
      seen.push(input.hook_event_name)
      return input.hook_event_name === 'PreToolUse'
        ? { hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'allow' } }
        : {}
    }
    const { told } = await run({
      plans: [sends([runs('toolu_1', 'touch here')], TOKENS), done],
      more: { hooks: { PreToolUse: [{ hooks: [watch] }] } },
    })
    expect(seen).toEqual(['PreToolUse'])
    expect(told('toolu_1')).toMatchObject({ is_error: true })
  })
})

withClaude('tools of the agent', () => {
  const lookup = defineTool({
    description: 'Looks a word up.',
    inputSchema: z.object({ word: z.string() }),
    when: ({ word }) => word !== 'secret',
    execute: ({ word }) => `${word} is a word`,
  })

  test.each([
    ['chair', false, 'chair is a word'],
    ['secret', true, 'predicate_false'],
  ])('are offered, and go through the session: %s', async (word, is_error, answer) => {
    const { told, b, provider } = await run({
      plans: [sends([toolUse('toolu_1', 'mcp__writ__lookup', { word })], TOKENS), done],
      tools: { lookup },
    })
    expect(told('toolu_1') ?? {}).toMatchObject(is_error ? { is_error } : {})
    expect(JSON.stringify(told('toolu_1'))).toContain(answer)
    expect(tools(b).length + b.payloads('tool_denied').length).toBe(1)
    expect(provider.asked.length).toBe(2)
  })
})

withClaude('cost', () => {
  test('is charged as Claude Code reports it', async () => {
    const { b, messages } = await run({ plans: [done] })
    const result = messages.find((message) => message.type === 'result')
    expect(result?.total_cost_usd).toBeGreaterThan(0)
    expect(b.payloads('llm_call')).toMatchObject([
      {
        model: 'claude-sonnet-4-5',
        input_tokens: 10,
        output_tokens: 20,
        cost_usd: Number(result?.total_cost_usd.toFixed(9)),
        enforcement: 'enforced',
      },
    ])
  })

  test('is held before the run: what is left is its limit', async () => {
    const { provider, b } = await run({
      plans: [sends([runs('toolu_1', 'echo hi')], TOKENS), done],
      budget: { usd: 0.5 },
    })
    expect(JSON.stringify(provider.asked[1]?.body)).toContain('/$0.5;')
    expect(b.payloads('llm_call')).toHaveLength(1)
  })

  test('beyond the limit kills the session, and the run ends with that error', async () => {
    const dear = sends([runs('toolu_1', 'echo hi')], { input: 10, output: 100_000 })
    const { seen, session, provider } = await run({ plans: [dear, done], budget: { usd: 0.01 } })
    expect(session).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd' })
    expect(seen).toBe(session)
    expect(provider.asked).toHaveLength(1)
  })

  test('is refused where nothing is left, and nothing is started', async () => {
    const { seen, provider } = await run({ plans: [done], budget: { usd: 0 } })
    expect(seen).toBeInstanceOf(BudgetExceeded)
    expect(provider.asked).toHaveLength(0)
  })

  test('of a run that is broken off is all that it held', async () => {
    const { b, provider } = await run({
      plans: [sends([runs('toolu_1', 'echo hi')], TOKENS), { kind: 'silence' }],
      maxUsd: 0.25,
      onMessage: (message) => (message.type === 'assistant' ? 'break' : undefined),
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { cost_usd: 0.25, metering: 'estimated', priced_by: 'reservation' },
    ])
    expect(provider.asked.length).toBeLessThanOrEqual(2)
  })
})

withClaude('the end of the session', () => {
  test('ends the run: a limit that a tool call hits is the error that the program sees', async () => {
    const { seen, session, provider } = await run({
      plans: [
        sends([runs('toolu_1', 'echo one')], TOKENS),
        sends([runs('toolu_2', 'echo two')], TOKENS),
        done,
      ],
      budget: { usd: 1, toolCalls: 1 },
    })
    expect(session).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'toolCalls' })
    expect(seen).toBe(session)
    expect(provider.asked).toHaveLength(2)
  })

  test('ends a run whose provider is silent, and its process', async () => {
    const provider = await provide(anthropicWire, { kind: 'silence' })
    const b = bench({ budget: { usd: 1 } })
    const s = b.agent.open('alice')
    const query = governedQuery(
      s,
      sdk,
      { prompt: 'go', options: optionsFor(provider, home()) },
      { maxUsd: 0.25 },
    )
    const pending = rejection(
      (async () => {
        for await (const _message of query);
      })(),
    )
    await provider.arrived(1)
    await s.close()
    expect(await pending).toBeInstanceOf(SessionClosed)
    expect(await provider.asked[0]?.closed).toEqual({ whole: false })
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0.25, metering: 'estimated' }])
  })

  test('is not that of the caller: an aborted run leaves the session open', async () => {
    const abort = new AbortController()
    const { b, session } = await run({
      plans: [{ kind: 'silence' }],
      maxUsd: 0.25,
      more: { abortController: abort },
      onMessage: (message) => {
        if (message.type === 'system') abort.abort()
      },
    })
    expect(session).toBe(undefined)
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0.25 }])
  })
})

test.each<[string, () => unknown, string]>([
  ['an unknown option', () => ({ limit: 5 }), 'unknown option limit; known options are tools, maxUsd'],
  [
    'a tool whose schema is none of zod',
    () => ({ tools: { a: plainTool } }),
    'governedQuery.tools.a: Claude Code needs',
  ],
])('is refused: %s', async (_what, options, message) => {
  const b = bench({ budget: { usd: 1 } })
  await b.agent.session('alice', (s) => {
    expect(() => governedQuery(s, sdk, { prompt: 'go' }, options() as never)).toThrow(message)
  })
})

test('an MCP server that takes the name of the contract is refused', async () => {
  const b = bench({ budget: { usd: 1 } })
  await b.agent.session('alice', (s) => {
    const options = { mcpServers: { writ: { command: 'true' } } }
    expect(() => governedQuery(s, sdk, { prompt: 'go', options })).toThrow('of the name writ')
    expect(s.remaining().usd).toBe(1)
  })
})

const plainTool = defineTool({
  inputSchema: { '~standard': { version: 1, vendor: 'none', validate: (value: unknown) => ({ value }) } },
  execute: () => 1,
})

test('what is covered is said as data', () => {
  expect(COVERAGE.map(({ governance }) => governance)).toEqual(
    expect.arrayContaining(['enforced', 'held', 'outside']),
  )
  expect(Object.isFrozen(COVERAGE[0])).toBe(true)
})
