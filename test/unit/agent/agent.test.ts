import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Agent, type AgentOptions, AuditSink, defineTool, type Session, type ToolSet } from 'writ'
import { verifyLog } from 'writ/verify'
import { anything, bench, eventsOf, gate, payloadsOf, recordsOf, turn } from '../../support/tools.js'

const pay = defineTool({ inputSchema: anything, execute: () => 'paid' })

/** What is wrong with these options. */
function fault(options: unknown): unknown {
  try {
    const agent = new Agent(options as AgentOptions)
    return agent
  } catch (error) {
    return error
  }
}

const good = () => ({ identity: 'bot/v1', budget: { usd: 1 }, audit: AuditSink.memory() })

describe('options', () => {
  test('the least that is needed is an identity, a limit and a sink', async () => {
    const agent = new Agent(good())
    expect(agent.identity).toBe('bot/v1')
    expect(await agent.session('alice', (s) => s.principal)).toMatch(/^bot\/v1@/)
    await agent.close()
  })

  test.each(['identity', 'budget', 'audit'])('%s cannot be missing', (name) => {
    const error = fault({ ...good(), [name]: undefined })
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toContain(name)
  })

  test.each(['budgets', 'tool', 'Identity', 'onKill', '__proto__', 'constructor', 'toString'])(
    'an unknown key, %s, is refused by name',
    (name) => {
      const error = fault(Object.defineProperty(good(), name, { value: 1, enumerable: true }))
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain(`unknown option ${name}`)
    },
  )

  test('a hidden key and a symbol are unknown keys too', () => {
    expect(fault(Object.defineProperty(good(), 'tols', { value: {} }))).toBeInstanceOf(TypeError)
    expect(fault({ ...good(), [Symbol('tools')]: {} })).toBeInstanceOf(TypeError)
  })

  test.each([undefined, null, 5, 'bot', [], new Map()])('%s is no set of options', (options) => {
    expect(fault(options)).toBeInstanceOf(TypeError)
  })

  test.each(['bot\n', 'bot/v1\n', 'Bot', 'x'.repeat(129), '', 'b\u043et'])(
    '%j is no identity',
    (identity) => {
      const error = fault({ ...good(), identity })
      expect(error).toBeInstanceOf(RangeError)
      expect(String(error)).toContain('identity')
    },
  )

  test.each<[unknown, typeof TypeError | typeof RangeError, string]>([
    [{}, TypeError, 'sets no limit'],
    [{ usd: undefined }, TypeError, 'sets no limit'],
    [{ dollars: 5 }, TypeError, 'unknown option dollars'],
    [{ usd: 5, max: 1 }, TypeError, 'unknown option max'],
    [5, TypeError, 'budget'],
    [null, TypeError, 'budget'],
    [{ usd: '5' }, TypeError, 'budget.usd'],
    [{ usd: 5n }, TypeError, 'budget.usd'],
    [{ usd: -1 }, RangeError, 'budget.usd'],
    [{ usd: Number.NaN }, RangeError, 'budget.usd'],
    [{ usd: Number.POSITIVE_INFINITY }, RangeError, 'budget.usd'],
    [{ usd: 1e-10 }, RangeError, 'budget.usd'],
    [{ usd: 9_007_200 }, RangeError, 'budget.usd'],
    [{ tokens: 1.5 }, RangeError, 'budget.tokens'],
    [{ tokens: 2 ** 53 }, RangeError, 'budget.tokens'],
    [{ wallMs: -1 }, RangeError, 'budget.wallMs'],
    [{ toolCalls: '3' }, TypeError, 'budget.toolCalls'],
    [{ llmCalls: null }, TypeError, 'budget.llmCalls'],
    [{ depth: 0.5 }, RangeError, 'budget.depth'],
    [{ denials: Number.NaN }, RangeError, 'budget.denials'],
  ])('a budget cannot be %o', (budget, kind, words) => {
    const error = fault({ ...good(), budget })
    expect(error).toBeInstanceOf(kind)
    expect(String(error)).toContain(words)
  })

  test.each(['p\u0430y', 'pay\n', 'Pay', 'pay\u200b', '__proto__'])('%j is no tool name', (name) => {
    const tools = Object.defineProperty({}, name, { value: pay, enumerable: true })
    expect(fault({ ...good(), tools })).toBeInstanceOf(TypeError)
  })

  test.each([null, 5, 'file.jsonl', {}, { sinks: 'none' }, { append: () => undefined }])(
    '%j is no sink',
    (audit) => {
      const error = fault({ ...good(), audit })
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain('audit')
    },
  )

  test('a sink that cannot be opened fails the constructor', () => {
    const sink = AuditSink.memory()
    const broken = Object.assign(Object.create(sink), {
      name: 'broken',
      durable: true,
      open: () => {
        throw new RangeError('no disk')
      },
      append: () => undefined,
      flush: () => undefined,
      flushSync: () => undefined,
      close: async () => undefined,
    })
    expect(() => new Agent({ ...good(), audit: broken })).toThrow('no disk')
  })

  test('what was given can change afterwards without changing the agent', async () => {
    const budget = { toolCalls: 1 }
    const tools: Record<string, ToolSet[string]> = { pay: pay as ToolSet[string] }
    const options: Record<string, unknown> = { identity: 'bot', budget, tools, audit: AuditSink.memory() }
    const agent = new Agent<ToolSet>(options as unknown as AgentOptions<ToolSet>)
    budget.toolCalls = 1e9
    tools['rm'] = pay as ToolSet[string]
    options['identity'] = 'other'
    await agent.session('alice', async (s) => {
      expect(s.principal).toMatch(/^bot@/)
      expect(s.remaining()).toEqual({ toolCalls: 1 })
      expect(await s.dispatch({ name: 'rm', input: {} })).toMatchObject({
        denial: { reason: 'not_registered' },
      })
    })
  })

  test('limits are read once', () => {
    let reads = 0
    const budget = {
      get usd(): number {
        reads += 1
        return reads === 1 ? 1 : 1e6
      },
    }
    const agent = new Agent({ ...good(), budget })
    expect(agent.sessionSync('alice', (s) => s.remaining())).toEqual({ usd: 1 })
    expect(reads).toBe(1)
  })
})

describe('session options', () => {
  test.each([
    ['an empty user', '', RangeError],
    ['a user of 257 characters', 'x'.repeat(257), RangeError],
    ['a user with a control character', 'ali\u009bce', RangeError],
    ['a user with a newline', 'alice\n', RangeError],
    ['a user with half a surrogate pair', 'ali\ud800ce', RangeError],
    ['no user', undefined, TypeError],
    ['a user that is a number', 5, TypeError],
  ])('%s opens no session', async (_label, user, kind) => {
    const { agent, sink } = bench({})
    await expect(agent.session(user as string, () => 'ran')).rejects.toThrow(kind)
    expect(() => agent.sessionSync(user as string, () => 'ran')).toThrow(kind)
    expect(() => agent.open(user as string)).toThrow(kind)
    expect(eventsOf(sink)).toEqual([])
  })

  test('a user of 256 characters and a task of 4,096 are taken as they are', async () => {
    const { agent, sink } = bench({})
    const user = '東'.repeat(256)
    const task = 'x'.repeat(4096)
    await agent.session(user, (s) => expect(s).toMatchObject({ user, task }), { task })
    expect(recordsOf(sink, 'session_start')).toMatchObject([{ invoking_user: user, payload: { task } }])
  })

  test.each<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['an unknown key', { tasks: 'x' }, TypeError],
    ['a task that is too long', { task: 'x'.repeat(4097) }, RangeError],
    ['a task that is no text', { task: 5 }, TypeError],
    ['a signal that is none', { signal: {} }, TypeError],
    ['an abort controller for a signal', { signal: new AbortController() }, TypeError],
    ['a budget without a limit', { budget: {} }, TypeError],
    ['a budget with an unknown limit', { budget: { dollars: 1 } }, TypeError],
    ['a budget above the agent', { budget: { toolCalls: 1001 } }, RangeError],
    ['a budget that is none', { budget: 5 }, TypeError],
    ['a tool that the agent lacks', { tools: ['rm'] }, TypeError],
    ['tools that are no list', { tools: 'pay' }, TypeError],
    ['options that are none', 5, TypeError],
    ['null for options', null, TypeError],
  ])('%s opens no session', async (_label, options, kind) => {
    const { agent, sink } = bench({ pay })
    await expect(agent.session('alice', () => 'ran', options as never)).rejects.toThrow(kind)
    expect(() => agent.sessionSync('alice', () => 'ran', options as never)).toThrow(kind)
    expect(() => agent.open('alice', options as never)).toThrow(kind)
    expect(eventsOf(sink)).toEqual([])
  })

  test('without a callback there is no session', async () => {
    const { agent, sink } = bench({})
    await expect(agent.session('alice', undefined as never)).rejects.toThrow(TypeError)
    expect(() => agent.sessionSync('alice', 'run' as never)).toThrow(TypeError)
    expect(eventsOf(sink)).toEqual([])
  })

  test('limits narrow those of the agent, and leave the others as they are', async () => {
    const { agent, sink } = bench({}, { budget: { toolCalls: 5, usd: 2 } })
    await agent.session('alice', (s) => expect(s.remaining()).toEqual({ toolCalls: 5, usd: 1, denials: 3 }), {
      budget: { usd: 1, toolCalls: 5, denials: 3 },
    })
    expect(payloadsOf(sink, 'session_start')).toMatchObject([
      { limits: { usd: 1, tool_calls: 5, denials: 3 } },
    ])
    await agent.session('alice', (s) => expect(s.remaining()).toEqual({ toolCalls: 5, usd: 2 }))
  })

  test('a signal that is aborted already opens no session', async () => {
    const { agent, sink } = bench({})
    const signal = AbortSignal.abort('too late')
    const callback = vi.fn()
    await expect(agent.session('alice', callback, { signal })).rejects.toBe('too late')
    expect(() => agent.sessionSync('alice', callback, { signal })).toThrow(
      expect.stringContaining('too late') as never,
    )
    expect(callback).not.toHaveBeenCalled()
    expect(eventsOf(sink)).toEqual([])
  })

  test("the caller's abort cancels the session, with its reason", async () => {
    const { agent, sink } = bench({ pay })
    const controller = new AbortController()
    const seen: unknown[] = []
    const session = agent.session(
      'alice',
      async (s) => {
        s.signal.addEventListener('abort', () => seen.push(s.signal.reason, s.state))
        await new Promise(() => undefined)
      },
      { signal: controller.signal },
    )
    await turn()
    controller.abort('changed my mind')
    await expect(session).rejects.toBe('changed my mind')
    expect(seen[0]).toBe('changed my mind')
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'cancelled' }])
  })
})

describe('a session', () => {
  test('gives back what the callback returns, or throws what it throws', async () => {
    const { agent, sink } = bench({})
    const boom = new RangeError('boom')
    expect(await agent.session('alice', () => 'now')).toBe('now')
    expect(await agent.session('alice', async () => 'later')).toBe('later')
    expect(agent.sessionSync('alice', () => 'sync')).toBe('sync')
    await expect(agent.session('alice', () => Promise.reject(boom))).rejects.toBe(boom)
    await expect(
      agent.session('alice', () => {
        throw boom
      }),
    ).rejects.toBe(boom)
    expect(() =>
      agent.sessionSync('alice', () => {
        throw boom
      }),
    ).toThrow(boom)
    await expect(agent.session('alice', () => Promise.reject())).rejects.toBeUndefined()
    expect(payloadsOf(sink, 'session_end').map(({ outcome }) => outcome)).toEqual([
      'completed',
      'completed',
      'completed',
      'failed',
      'failed',
      'failed',
      'failed',
    ])
  })

  test('that is synchronous cannot have an asynchronous callback', async () => {
    const { agent, sink } = bench({})
    expect(() => agent.sessionSync('alice', async () => 'later')).toThrow(TypeError)
    expect(() => agent.sessionSync('alice', () => Promise.reject(new Error('boom')))).toThrow(
      /returned a promise/,
    )
    await turn()
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'failed' }, { outcome: 'failed' }])
  })

  test('ends with everything that it was left with, and says how much that was', async () => {
    const { agent, sink } = bench({
      hang: defineTool({ inputSchema: anything, execute: () => new Promise(() => undefined) }),
    })
    let left: Promise<unknown> | undefined
    expect(
      await agent.session('alice', async (s) => {
        left = s.callTool('hang', {}).catch((error: unknown) => error)
        void s.callTool('hang', {})
        await turn()
        return 'done'
      }),
    ).toBe('done')
    expect(await left).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'completed', in_flight: 2 }])
    expect(payloadsOf(sink, 'tool_result')).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: false, effect: 'unknown' },
    ])
  })

  test('counts its own records', async () => {
    const { agent, sink } = bench({ pay })
    await agent.session('alice', (s) => s.callTool('pay', {}))
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ records: 4 }])
    expect(eventsOf(sink)).toHaveLength(4)
  })
})

describe('an open session', () => {
  test('ends when it is closed, once', async () => {
    const { agent, sink } = bench({ pay })
    const s = agent.open('alice', { task: 'stream' })
    expect(s).toMatchObject({ user: 'alice', task: 'stream', state: 'open' })
    expect(await s.callTool('pay', {})).toBe('paid')
    const closing = s.close()
    expect(s.state).toBe('closed')
    expect(s.close()).toBe(closing)
    await closing
    await s.close()
    expect(s.signal.aborted).toBe(true)
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'completed' }])
  })

  test('is closed at the end of its block by await using', async () => {
    const { agent, sink } = bench({ pay })
    let outside: Session<{ pay: typeof pay }> | undefined
    {
      await using s = agent.open('alice')
      outside = s
      await s.callTool('pay', {})
      expect(eventsOf(sink)).not.toContain('session_end')
    }
    expect(outside.state).toBe('closed')
    expect(eventsOf(sink)).toEqual(['session_start', 'tool_call', 'tool_result', 'session_end'])
    await expect(outside.callTool('pay', {})).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' })
  })

  test('is closed by await using also when the block throws', async () => {
    const { agent, sink } = bench({})
    await expect(
      (async () => {
        await using s = agent.open('alice')
        throw new RangeError(s.user)
      })(),
    ).rejects.toThrow('alice')
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'completed' }])
  })

  test('that is killed or cancelled ends by itself', async () => {
    const controller = new AbortController()
    const { agent, sink, clock } = bench({}, { budget: { wallMs: 100 } })
    agent.open('alice')
    const cancelled = agent.open('bob', { signal: controller.signal })
    controller.abort('gone')
    await turn()
    expect(cancelled.state).toBe('closed')
    await clock.advance(100)
    expect(recordsOf(sink, 'session_end')).toMatchObject([
      { invoking_user: 'bob', payload: { outcome: 'cancelled' } },
      { invoking_user: 'alice', payload: { outcome: 'killed' } },
    ])
    expect(clock.timers).toBe(0)
  })
})

describe('close', () => {
  test('ends the sessions that are open, writes the end of the log, and does it once', async () => {
    const { agent, sink } = bench({})
    const s = agent.open('alice')
    const waiting = gate()
    const session = agent.session('bob', () => waiting.promise).catch((error: unknown) => error)
    const closing = agent.close()
    expect(agent.close()).toBe(closing)
    await closing
    expect(s.state).toBe('closed')
    expect(await session).toMatchObject({ code: 'ERR_SESSION_CLOSED' })
    expect(payloadsOf(sink, 'session_end')).toMatchObject([
      { outcome: 'cancelled' },
      { outcome: 'cancelled' },
    ])
    expect(sink.records.at(-1)).toMatchObject({ event: 'log_close', payload: { records: sink.lines.length } })
    await agent.close()
    expect(recordsOf(sink, 'log_close')).toHaveLength(1)
  })

  test('lets no session open afterwards', async () => {
    const { agent, sink } = bench({})
    await agent.close()
    const unavailable = { code: 'ERR_AUDIT_UNAVAILABLE' }
    await expect(agent.session('alice', () => 'ran')).rejects.toMatchObject(unavailable)
    expect(() => agent.sessionSync('alice', () => 'ran')).toThrow(expect.objectContaining(unavailable))
    expect(() => agent.open('alice')).toThrow(expect.objectContaining(unavailable))
    expect(eventsOf(sink)).toEqual([])
  })

  test('is what await using does with an agent', async () => {
    const sink = AuditSink.memory()
    {
      await using agent = new Agent({ ...good(), audit: sink })
      await agent.session('alice', () => undefined)
    }
    expect(sink.records.at(-1)?.event).toBe('log_close')
  })
})

describe('two agents that share a sink', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'writ-agent-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each(['memory', 'file', 'composite'] as const)(
    'write one chain, and closing one leaves the other working (%s)',
    async (kind) => {
      const path = join(folder, `${kind}.jsonl`)
      const memory = AuditSink.memory()
      const file = AuditSink.file(path, { durability: 'os' })
      const sink = { memory, file, composite: AuditSink.composite(file, memory) }[kind]
      const one = new Agent({ identity: 'one', budget: { denials: 9 }, audit: sink })
      const two = new Agent({ identity: 'two', budget: { denials: 9 }, audit: sink })
      await Promise.all([
        one.session('alice', (s) => s.dispatch({ name: 'rm', input: {} })),
        two.session('bob', (s) => s.dispatch({ name: 'rm', input: {} })),
      ])
      await one.close()
      await expect(one.session('alice', () => 'ran')).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
      expect(await two.session('bob', (s) => s.dispatch({ name: 'rm', input: {} }))).toMatchObject({
        ok: false,
      })
      await two.close()
      const text = kind === 'memory' ? memory.text() : await readFile(path, 'utf8')
      if (kind === 'composite') expect(memory.text()).toBe(text)
      const report = await verifyLog(new TextEncoder().encode(text))
      expect(report).toMatchObject({ verdict: 'UNANCHORED', fault: undefined })
      const events = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).event)
      expect(events.filter((event) => event === 'log_open')).toHaveLength(1)
      expect(events.filter((event) => event === 'log_close')).toHaveLength(1)
      expect(events.filter((event) => event === 'session_end')).toHaveLength(3)
      expect(events.at(-1)).toBe('log_close')
    },
  )
})
