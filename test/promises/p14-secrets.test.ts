/**
 * Promise 14: secrets do not reach the log. Argument names only, unless the tool's `redact` says
 * otherwise; error names and codes, not messages; no headers, no environment, no URLs with credentials.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Agent, AuditSink, defineTool, type Session, type StandardSchema, type ToolSet } from 'writ'
import * as z from 'zod'
import { anything, bench, type MemorySink, payloadsOf, schemaOf, turn } from '../support/tools.js'

/** Looks like nothing else in a log, and like a name where it can: only its place keeps it out. */
const CANARY = 'sk-canary-7f3a91'
const URL_CANARY = `https://user:${CANARY}@example.com/?token=${CANARY}`

let folder = ''
let out: { mockRestore: () => void; mock: { calls: unknown[][] } }[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-p14-'))
  out = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')]
})

afterEach(async () => {
  for (const spy of out) spy.mockRestore()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a story, and looks for the canary in every line of the log, in memory and on disk, and on both outputs. */
async function logOf(
  tools: ToolSet,
  story: (s: Session, agent: Agent<ToolSet>) => unknown,
  canary = CANARY,
): Promise<MemorySink> {
  const memory = AuditSink.memory()
  const path = join(folder, 'audit.jsonl')
  const audit = AuditSink.composite(AuditSink.file(path, { durability: 'os' }), memory)
  const agent = new Agent<ToolSet>({
    identity: 'bench-bot/v1',
    budget: { toolCalls: 100, usd: 100 },
    tools,
    audit,
  })
  await agent.session('alice', (s) => story(s, agent))
  await turn()
  await agent.close()
  const text = await readFile(path, 'utf8')
  expect(text).toBe(memory.text())
  expect(text).not.toContain(canary)
  expect(text).not.toContain(Buffer.from(canary).toString('base64'))
  for (const spy of out) expect(JSON.stringify(spy.mock.calls)).not.toContain(canary)
  return memory
}

const call = (s: Session, name: string, input: unknown): Promise<unknown> =>
  s.dispatch({ name, input }).catch(() => undefined)

describe('arguments', () => {
  const login = z.strictObject({
    user: z.string(),
    password: z.string(),
    keys: z.array(z.object({ secret: z.string() })).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  })
  const tools: ToolSet = {
    login: defineTool({ inputSchema: login, execute: () => CANARY }) as ToolSet[string],
    never: defineTool({ inputSchema: login, when: () => false, execute: () => 'ran' }) as ToolSet[string],
    loose: defineTool({ inputSchema: anything, execute: (input) => input }) as ToolSet[string],
  }

  test('are logged by their names, in calls and in denials', async () => {
    const input = {
      user: CANARY,
      password: URL_CANARY,
      keys: [{ secret: CANARY }],
      labels: { [CANARY]: CANARY },
    }
    const sink = await logOf(tools, async (s) => {
      await call(s, 'login', input)
      await call(s, 'login', JSON.stringify(input))
      await call(s, 'never', input)
      await call(s, 'login', { ...input, user: 1, keys: [{ secret: 2 }], labels: { [CANARY]: 3 } })
      await call(s, 'rm', input)
    })
    const names = ['user', 'password', 'keys', 'labels']
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: names }, { args: names }])
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      { tool: 'never', reason: 'predicate_false', args: names },
      {
        tool: 'login',
        reason: 'invalid_input',
        args: names,
        issues: [
          { path: ['user'], code: 'invalid_type' },
          { path: ['keys', 0, 'secret'], code: 'invalid_type' },
          { path: ['labels', '*'], code: 'invalid_type' },
        ],
      },
      { tool: 'rm', reason: 'not_registered', args: [] },
    ])
  })

  test('have names that a model can make up: only declared ones are logged, the rest is counted', async () => {
    const sink = await logOf(tools, async (s) => {
      await call(s, 'login', { user: 'a', [CANARY]: 1, [URL_CANARY]: 2 })
      await call(s, 'login', { user: 'a', password: 'b', keys: [{ secret: 'c', [CANARY]: 1 }] })
      await call(s, 'loose', { [CANARY]: 1 })
      await call(s, 'loose', [CANARY])
      await call(s, 'loose', CANARY)
      await call(s, 'login', `{"${CANARY}": `)
      await call(s, 'login', { [CANARY]: () => CANARY })
    })
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      {
        args: ['user'],
        args_withheld: 2,
        issues: [{ path: ['password'] }, { path: [], code: 'unrecognized_keys' }],
      },
      { tool: 'loose', reason: 'invalid_input', issues: [{ path: [], code: 'not_json' }] },
      { tool: 'login', reason: 'invalid_input', issues: [{ path: [], code: 'not_json' }] },
      { reason: 'invalid_input', args: [], issues: [{ path: ['*'], code: 'not_plain_data' }] },
    ])
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([
      { tool: 'login', args: ['user', 'password', 'keys'] },
      { tool: 'loose', args: [], args_withheld: 1 },
      { tool: 'loose', args: [] },
    ])
  })

  test('of a tool with redact are what it says', async () => {
    const redact = (input: { user: string }): unknown => ({ user: input.user, password: '…', bytes: 12 })
    const shown = defineTool({ inputSchema: login, redact, execute: () => CANARY }) as ToolSet[string]
    const sink = await logOf({ shown }, (s) => call(s, 'shown', { user: 'bob', password: CANARY }))
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: { user: 'bob', password: '…', bytes: 12 } }])
  })

  test('are not shown by a redact that never saw them pass the schema', async () => {
    const redact = vi.fn((input: unknown) => input)
    const shown = defineTool({ inputSchema: login, redact, execute: () => 'ran' }) as ToolSet[string]
    const sink = await logOf({ shown }, (s) => call(s, 'shown', { user: CANARY, password: 1 }))
    expect(redact).not.toHaveBeenCalled()
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([{ args: ['user', 'password'] }])
  })

  test.each<[string, () => unknown, unknown]>([
    [
      'throws',
      () => {
        throw new RangeError(CANARY)
      },
      { $omitted: 'redact_failed' },
    ],
    ['returns an error', () => new RangeError(CANARY), { $omitted: 'instance' }],
    ['returns a function', () => () => CANARY, { $omitted: 'function' }],
    [
      'returns what throws when it is read',
      () => ({
        get user(): string {
          throw new RangeError(CANARY)
        },
      }),
      { $omitted: 'unreadable' },
    ],
    ['returns a promise', async () => CANARY, { $omitted: 'instance' }],
    [
      'returns a promise that rejects',
      () => Promise.reject(new RangeError(CANARY)),
      { $omitted: 'instance' },
    ],
    ['returns a map', () => new Map([[CANARY, CANARY]]), { $omitted: 'instance' }],
    ['returns nothing', () => undefined, { $omitted: 'undefined' }],
    ['returns a symbol', () => Symbol(CANARY), { $omitted: 'symbol' }],
  ])('of a tool whose redact %s are left out, and the record stands', async (_label, redact, args) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const shown = defineTool({ inputSchema: login, redact, execute: () => 'ran' }) as ToolSet[string]
    const sink = await logOf({ shown }, (s) => call(s, 'shown', { user: CANARY, password: CANARY }))
    process.off('unhandledRejection', unhandled)
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ tool: 'shown', args }])
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([{ ok: true }])
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('errors', () => {
  class OddError extends Error {
    override readonly name: string
    readonly code: unknown

    constructor(name: string, code: unknown) {
      super(CANARY)
      this.name = name
      this.code = code
    }
  }

  const withCause = new RangeError(CANARY, { cause: new Error(CANARY, { cause: { password: CANARY } }) })
  withCause.stack = `RangeError: ${CANARY}\n    at ${URL_CANARY}`

  const ERRORS: [string, unknown, Record<string, string>][] = [
    ['a message, a cause and a stack', withCause, { name: 'RangeError' }],
    [
      'members of its own',
      Object.assign(new Error(CANARY), { request: { headers: CANARY } }),
      { name: 'Error' },
    ],
    [
      'a code',
      Object.assign(new Error(CANARY), { code: 'ECONNRESET', url: URL_CANARY }),
      { name: 'Error', code: 'ECONNRESET' },
    ],
    ['a name that is a sentence', new OddError(`token ${CANARY} refused`, 'E'), { name: 'Error', code: 'E' }],
    ['a name and a code that are URLs', new OddError(URL_CANARY, URL_CANARY), { name: 'Error' }],
    ['a name of several lines', new OddError(`Error\n${CANARY}`, `E\n${CANARY}`), { name: 'Error' }],
    ['a name that goes on and on', new OddError(`E${CANARY}`.repeat(9), CANARY.repeat(9)), { name: 'Error' }],
    ['an empty name and code', new OddError('', ''), { name: 'Error' }],
    ['a code that is an object', new OddError('Odd', { secret: CANARY }), { name: 'Odd' }],
    ['a code that is a number', new OddError('Odd', 4111111111111111), { name: 'Odd' }],
    ['many errors in it', new AggregateError([new Error(CANARY)], CANARY), { name: 'AggregateError' }],
    ['the form of a text', CANARY, { name: 'Error' }],
    ['the form of an object', { password: CANARY }, { name: 'Error' }],
    ['the form of nothing', undefined, { name: 'Error' }],
    [
      'getters that throw',
      Object.defineProperty({}, 'name', {
        get: () => {
          throw new RangeError(CANARY)
        },
      }),
      { name: 'Error' },
    ],
  ]

  test.each(ERRORS)('with %s are logged by name and code', async (_label, error, logged) => {
    const fail = defineTool({
      inputSchema: anything,
      execute: () => Promise.reject(error),
    }) as ToolSet[string]
    const llm = { model: 'm', maxUsd: 1 }
    const sink = await logOf({ fail }, async (s, agent) => {
      await call(s, 'fail', {})
      await s
        .callLlm(
          llm,
          () => Promise.reject(error),
          () => ({ model: 'm', inputTokens: 0, outputTokens: 0 }),
        )
        .catch(() => undefined)
      await agent.session('bob', () => Promise.reject(error)).catch(() => undefined)
      agent.open('carol', { signal: abortedLater(error) })
      await turn()
    })
    expect(payloadsOf(sink, 'tool_result').map((payload) => payload['error'])).toEqual([logged])
    const reasons = payloadsOf(sink, 'session_end').filter(({ outcome }) => outcome !== 'completed')
    expect(reasons.map(({ outcome }) => outcome)).toEqual(['failed', 'cancelled'])
    // Without a reason of its own, a signal says AbortError.
    expect(reasons[0]).toMatchObject({ reason: logged })
    if (error !== undefined) expect(reasons[1]).toMatchObject({ reason: logged })
  })

  function abortedLater(reason: unknown): AbortSignal {
    const controller = new AbortController()
    setImmediate(() => controller.abort(reason))
    return controller.signal
  }

  test('of checks are not logged at all', async () => {
    const boom = (): never => {
      throw new OddError(CANARY, CANARY)
    }
    const tools = {
      torn: defineTool({ inputSchema: anything, when: boom, execute: () => 'ran' }),
      late: defineTool({ inputSchema: anything, when: async () => boom(), execute: () => 'ran' }),
      odd: defineTool({ inputSchema: schemaOf(boom), execute: () => 'ran' }),
      reject: defineTool({ inputSchema: schemaOf(async () => boom()), execute: () => 'ran' }),
    } as unknown as ToolSet
    const sink = await logOf(tools, async (s) => {
      for (const name of Object.keys(tools)) await call(s, name, { [CANARY]: CANARY })
    })
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      { tool: 'torn', reason: 'predicate_error' },
      { tool: 'late', reason: 'predicate_error' },
      { tool: 'odd', reason: 'schema_error' },
      { tool: 'reject', reason: 'schema_error' },
    ])
    for (const payload of payloadsOf(sink, 'tool_denied')) expect(payload).not.toHaveProperty('error')
  })

  test('of a usage that cannot be charged are logged without what it held', async () => {
    const bad = (members: object): never =>
      ({ model: 'm', inputTokens: 1, outputTokens: 1, ...members }) as never
    const sink = await logOf({}, (s) => {
      for (const members of [
        { inputTokens: CANARY },
        { [CANARY]: 1 },
        { costUsd: CANARY },
        { latencyMs: { CANARY } },
      ]) {
        expect(() => s.recordLlm(bad(members))).toThrow(
          expect.objectContaining({ code: 'ERR_USAGE_INVALID' }),
        )
      }
    })
    const error = { name: 'UsageInvalid', code: 'ERR_USAGE_INVALID' }
    expect(payloadsOf(sink, 'llm_call').map((payload) => payload['error'])).toEqual([
      error,
      error,
      error,
      error,
    ])
  })
})

describe('what a schema says', () => {
  test('issues are logged by place and kind: the messages are for the caller alone', async () => {
    const strict = z.object({
      token: z.string().refine(() => false, { error: ({ input }) => `${String(input)} is no token` }),
    }) as unknown as StandardSchema
    const check = defineTool({ inputSchema: strict, execute: () => 'ran' }) as ToolSet[string]
    let told: unknown
    const sink = await logOf({ check }, async (s) => {
      told = await call(s, 'check', { token: CANARY })
    })
    expect(told).toMatchObject({ denial: { issues: [{ message: `${CANARY} is no token` }] } })
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([{ issues: [{ path: ['token'], code: 'custom' }] }])
    expect(payloadsOf(sink, 'tool_denied')[0]?.['issues']).toEqual([{ path: ['token'], code: 'custom' }])
  })

  test('places that the schema does not declare, and kinds that are no names, are not logged', async () => {
    const odd = schemaOf(() => ({
      issues: [
        { message: CANARY, path: [CANARY, { key: CANARY }, Symbol(CANARY), 3, Number.NaN], code: URL_CANARY },
        { message: CANARY, path: [{ key: 0 }], code: { secret: CANARY } },
        { message: CANARY },
      ],
    }))
    const check = defineTool({ inputSchema: odd, execute: () => 'ran' }) as ToolSet[string]
    const sink = await logOf({ check }, (s) => call(s, 'check', {}))
    expect(payloadsOf(sink, 'tool_denied')[0]?.['issues']).toEqual([
      { path: ['*', '*', '*', 3, '*'], code: 'invalid' },
      { path: [0], code: 'invalid' },
      { path: [], code: 'invalid' },
    ])
  })

  test('at most 32 issues of 32 steps are logged', async () => {
    const issue = { message: 'x', path: Array(50).fill(1) }
    const check = defineTool({
      inputSchema: schemaOf(() => ({ issues: Array(50).fill(issue) })),
      execute: () => 'ran',
    })
    const { agent, sink } = bench({ check })
    await agent.session('alice', (s) => s.dispatch({ name: 'check', input: {} }))
    const issues = payloadsOf(sink, 'tool_denied')[0]?.['issues'] as { path: unknown[] }[]
    expect(issues).toHaveLength(32)
    expect(issues[0]?.path).toHaveLength(32)
  })

  test('an output that is refused is not logged', async () => {
    const lie = defineTool({
      inputSchema: anything,
      outputSchema: z.strictObject({ ok: z.boolean() }),
      execute: () => ({ [CANARY]: CANARY }) as never,
    }) as ToolSet[string]
    const sink = await logOf({ lie }, (s) => call(s, 'lie', {}))
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([
      { ok: false, error: { name: 'ToolOutputInvalid', code: 'ERR_TOOL_OUTPUT_INVALID' } },
    ])
  })
})

describe('the rest', () => {
  test('outputs, descriptions, defaults, replies and the environment are not logged', async () => {
    vi.stubEnv('WRIT_TEST_SECRET', CANARY)
    const shown = defineTool({
      description: `Uses the key ${CANARY}.`,
      inputSchema: z.object({ key: z.string().default(CANARY) }),
      execute: (input) => ({ ...input, list: [CANARY] }),
    }) as unknown as ToolSet[string]
    const sink = await logOf({ shown }, async (s) => {
      await call(s, 'shown', {})
      await s.callLlm(
        { model: 'm', maxUsd: 1 },
        () => CANARY,
        () => ({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0 }),
      )
    })
    vi.unstubAllEnvs()
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: ['key'] }])
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([{ ok: true }])
  })

  test('a webhook that drops is named without its address, its headers and its secret', async () => {
    const memory = AuditSink.memory()
    const secret = Buffer.from(`${CANARY}${CANARY}`).toString('base64')
    const webhook = AuditSink.webhook(`https://hooks.example.com/${CANARY}?token=${CANARY}`, {
      headers: { authorization: `Bearer ${CANARY}` },
      secret: `whsec_${secret}`,
      fetch: async () => ({ status: 410, headers: { get: () => CANARY }, body: null }),
    })
    const agent = new Agent({
      identity: 'a',
      budget: { toolCalls: 1 },
      audit: AuditSink.composite(memory, webhook),
    })
    await agent.session('alice', () => undefined)
    await agent.close()
    const dropped = payloadsOf(memory, 'sink_dropped').map(({ sink }) => sink)
    expect(new Set(dropped)).toEqual(new Set(['webhook:hooks.example.com']))
    expect(memory.text()).not.toContain(CANARY)
    expect(memory.text()).not.toContain(secret)
    for (const spy of out) expect(JSON.stringify(spy.mock.calls)).not.toContain(CANARY)
  })

  test('a URL with credentials is refused without repeating it', () => {
    expect(() => AuditSink.webhook(URL_CANARY)).toThrow(TypeError)
    expect(() => AuditSink.webhook(URL_CANARY)).not.toThrow(CANARY)
  })

  test('a denial names the tool and the reason, and nothing of the input', async () => {
    const { agent } = bench({
      pay: defineTool({ inputSchema: anything, when: () => false, execute: () => 'ran' }),
    })
    await agent.session('alice', async (s) => {
      for (const name of ['pay', 'rm']) {
        const error = await (s as Session)
          .callTool(name, { secret: CANARY })
          .catch((thrown: unknown) => thrown)
        expect(String(error)).toContain(name)
        expect(JSON.stringify(error)).not.toContain(CANARY)
        expect(String((error as Error).stack)).not.toContain(CANARY)
      }
    })
  })
})

/** Characters that can steer a terminal or hide in a text, and halves of a surrogate pair. */
const UNSAFE: readonly (readonly [string, string])[] = [
  ['a newline', '\n'],
  ['a carriage return', '\r'],
  ['NUL', '\0'],
  ['ESC', '\u001b'],
  ['DEL', '\u007f'],
  ['the C1 control NEL', '\u0085'],
  ['the C1 control CSI', '\u009b'],
  ['the last C1 control', '\u009f'],
  ['a soft hyphen', '\u00ad'],
  ['the Arabic letter mark', '\u061c'],
  ['a Mongolian vowel separator', '\u180e'],
  ['a zero-width space', '\u200b'],
  ['a zero-width joiner', '\u200d'],
  ['the left-to-right mark', '\u200e'],
  ['the right-to-left mark', '\u200f'],
  ['the line separator', '\u2028'],
  ['the paragraph separator', '\u2029'],
  ['left-to-right embedding', '\u202a'],
  ['right-to-left override', '\u202e'],
  ['a word joiner', '\u2060'],
  ['left-to-right isolate', '\u2066'],
  ['pop directional isolate', '\u2069'],
  ['a byte order mark', '\ufeff'],
  ['a tag character', '\u{e0041}'],
]

const LONE: readonly (readonly [string, string])[] = [
  ['a high surrogate alone', '\ud800'],
  ['a low surrogate alone', '\udc00'],
  ['two surrogates in the wrong order', '\udc00\ud800'],
]

describe('characters that can do harm', () => {
  /** A log with this text everywhere that a text can go. */
  async function logWith(text: string): Promise<MemorySink> {
    const { agent, sink } = bench(
      {
        show: defineTool({
          inputSchema: anything,
          redact: () => ({ [text]: [text, { deep: text }] }),
          execute: () => Promise.reject(Object.assign(new Error(text), { name: text, code: text })),
        }),
        [`plain`]: defineTool({
          inputSchema: schemaOf(() => ({ issues: [{ message: text, code: text, path: [text] }] })),
          execute: () => 'ran',
        }),
      },
      { prices: { name: text, price: () => ({ inputUsdPerMTok: 1, outputUsdPerMTok: 1 }) } },
    )
    const task = text
    await agent.session(
      'alice',
      async (s) => {
        await s.dispatch({ id: text, name: 'show', input: { [text]: text } })
        await s.dispatch({ id: text, name: 'plain', input: { [text]: text } })
        await s.dispatch({ id: text, name: text, input: {} })
        await s.dispatch({ name: `rm${text}`.padEnd(130, text), input: {} })
        s.recordLlm({ model: text, inputTokens: 1, outputTokens: 1 })
      },
      { task },
    )
    await agent.close()
    return sink
  }

  function expectSafe(lines: readonly string[], text: string): void {
    for (const line of lines) {
      expect(() => JSON.parse(line)).not.toThrow()
      expect(line.isWellFormed()).toBe(true)
      if (text.isWellFormed()) expect(line.includes(text)).toBe(false)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
    }
  }

  test.each(UNSAFE)('%s is written as an escape, and comes back as it was', async (_label, text) => {
    const sink = await logWith(text)
    expectSafe(sink.lines, text)
    const [start] = payloadsOf(sink, 'session_start')
    expect(start?.['task']).toBe(text)
    const [shown] = payloadsOf(sink, 'tool_call')
    expect(shown).toMatchObject({ model_call_id: text, args: { [text]: [text, { deep: text }] } })
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([{ error: { name: 'Error' } }])
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([
      { tool: 'plain', issues: [{ path: ['*'], code: 'invalid' }] },
      { tool: text },
      { reason: 'not_registered' },
    ])
    expect(payloadsOf(sink, 'llm_call')).toMatchObject([{ model: text, priced_by: text }])
  })

  test.each(LONE)('%s is written as U+FFFD', async (_label, text) => {
    const sink = await logWith(text)
    expectSafe(sink.lines, text)
    const marker = '\ufffd'.repeat(text.length)
    expect(payloadsOf(sink, 'session_start')[0]?.['task']).toBe(marker)
    expect(payloadsOf(sink, 'llm_call')).toMatchObject([{ model: marker, priced_by: marker }])
    expect(payloadsOf(sink, 'tool_call')).toMatchObject([{ args: { [marker]: [marker, { deep: marker }] } }])
  })

  test.each(UNSAFE.filter(([, text]) => text > '\u009f' && text.length === 1))(
    '%s in a user id is written as an escape',
    async (_label, text) => {
      const { agent, sink } = bench({})
      await agent.session(`ali${text}ce`, () => undefined)
      expectSafe(sink.lines, text)
      expect(sink.records.find(({ event }) => event === 'session_start')?.invoking_user).toBe(`ali${text}ce`)
    },
  )

  test('a tool name cut in the middle of a surrogate pair is still a text', async () => {
    const { agent, sink } = bench({})
    await agent.session('alice', (s) => s.dispatch({ name: `${'x'.repeat(127)}😀`, input: {} }))
    expectSafe(sink.lines, '\ud83d')
    expect(payloadsOf(sink, 'tool_denied')).toMatchObject([{ tool: `${'x'.repeat(127)}\ufffd` }])
  })

  test('whatever redact returns, the line is one line of JSON within its bound', async () => {
    const huge = 'x'.repeat(100_000)
    const values = [
      huge,
      { [huge]: 1 },
      Array(50_000).fill(0),
      '"\\',
      { '': '"' },
      -0,
      1e300,
      10n,
      Number.NaN,
      [undefined],
    ]
    let next = 0
    const show = defineTool({ inputSchema: anything, redact: () => values[next++], execute: () => 'shown' })
    const { agent, sink } = bench({ show })
    await agent.session('alice', async (s) => {
      for (const _ of values) await s.callTool('show', {})
    })
    expect(recordsIn(sink)).toHaveLength(values.length)
    expectSafe(sink.lines, '\n')
    for (const line of sink.lines) expect(Buffer.byteLength(line)).toBeLessThan(65_535)
    expect(recordsIn(sink).map((payload) => payload['args'])).toEqual([
      { $omitted: 'too_large' },
      { $omitted: 'too_large' },
      { $omitted: 'too_large' },
      '"\\',
      { '': '"' },
      0,
      1e300,
      { $omitted: 'bigint' },
      { $omitted: 'number' },
      [{ $omitted: 'undefined' }],
    ])
  })

  const recordsIn = (sink: MemorySink) => payloadsOf(sink, 'tool_call')
})
