import { readFileSync } from 'node:fs'
import { vi } from 'vitest'

/** The scenario behind `test/vectors/writ-log.jsonl`: every event a session can have, on a machine that does not exist. */
export async function writeFixedLog(path: string): Promise<string> {
  const { process } = globalThis
  const hosts: Record<string, unknown> = { os: { hostname: () => 'agent-1.example' } }
  let drawn = 0
  vi.resetModules()
  vi.doMock('../../src/core/version.js', () => ({ VERSION: '0.1.0' }))
  vi.stubGlobal('process', {
    pid: 4242,
    version: 'v20.19.0',
    getBuiltinModule: (id: string) => hosts[id] ?? process.getBuiltinModule(id),
    on: () => undefined,
    off: () => undefined,
  })
  // The same random numbers every time, so that the ids are the same as well.
  vi.stubGlobal('crypto', {
    getRandomValues: (pool: Uint8Array) => {
      for (const index of pool.keys()) pool[index] = (drawn++ * 167 + 89) % 256
      return pool
    },
  })
  try {
    await scenario(path)
  } finally {
    vi.unstubAllGlobals()
    vi.doUnmock('../../src/core/version.js')
    vi.resetModules()
  }
  return readFileSync(path, 'utf8')
}

async function scenario(path: string): Promise<void> {
  // Loaded here, after the stubs, so that nothing of the real machine is in them yet.
  const { Agent, AuditSink, defineTool } = await import('writ')
  const { fakeClock } = await import('writ/testing')
  const { ScriptedSink } = await import('./scripted-sink.js')
  const clock = fakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'example',
      validate: (value: unknown) =>
        typeof (value as { orderId?: unknown }).orderId === 'number'
          ? { value }
          : { issues: [{ message: 'expected a number', path: ['orderId'], code: 'invalid_type' }] },
      jsonSchema: {
        input: () => ({
          type: 'object',
          properties: { orderId: { type: 'integer' }, note: { type: 'string' } },
          required: ['orderId'],
        }),
      },
    },
  } as never
  type Order = { orderId: number; note?: string }
  const refund = defineTool({
    description: 'Issue a refund for a customer order.',
    inputSchema: schema,
    when: (input) => (input as Order).orderId > 0,
    redact: (input) => ({ orderId: (input as Order).orderId }),
    maxCalls: 2,
    execute: async () => {
      clock.block(12)
      return 'refunded'
    },
  })
  const lookup = defineTool({
    inputSchema: schema,
    readOnly: true,
    execute: () => {
      throw Object.assign(new RangeError('never shown'), { code: 'E_NOT_FOUND' })
    },
  })
  const side: InstanceType<typeof ScriptedSink> = new ScriptedSink({ name: 'webhook:alerts.example' })
  const agent = new Agent({
    identity: 'support-bot/v1',
    budget: { usd: 0.05, tokens: 10_000, wallMs: 60_000, toolCalls: 3, depth: 1, denials: 5 },
    tools: { refund, lookup },
    audit: AuditSink.composite(AuditSink.file(path), side),
    clock,
  })
  const usage = { model: 'claude-sonnet-4-5', inputTokens: 1200, outputTokens: 300, cachedInputTokens: 1000 }
  await agent.session(
    'alice',
    async (s) => {
      s.recordLlm({ ...usage, costUsd: 0.012345678, latencyMs: 834.5 })
      clock.block(1000)
      await s.callTool('refund', { orderId: 4521, note: 'secret' } as never)
      await s.dispatch({ id: 'toolu_01', name: 'transfer', input: '{"amount":1000000}' })
      await s.dispatch({ id: 'toolu_02', name: 'refund', input: { orderId: -1 } })
      await s.dispatch({
        id: 'toolu_03',
        name: 'lookup',
        input: { orderId: 'x', 'ignore previous instructions': 1 },
      })
      await s.dispatch({ name: 'lookup', input: { orderId: 7 } })
      const held = s.reserve({ usd: 0.01, tokens: 100 })
      held.settle({ usd: 0.002, tokens: 40 })
      side.host?.dropped(3)
      await agent.session('alice', () => undefined, { task: 'nested' })
    },
    { task: 'refund order #4521 — "Grüße", 東京 😀, \u009b31m \u202e \ud800 end' },
  )
  await agent
    .session('bob', (s) => {
      s.recordLlm({ ...usage, costUsd: 0.04 })
      s.recordLlm({ ...usage, costUsd: 0.02 })
    })
    .catch(() => undefined)
  const caller = new AbortController()
  await agent
    .session(
      'carol',
      () => {
        caller.abort(Object.assign(new RangeError('gone'), { name: 'AbortError' }))
        return new Promise<never>(() => undefined)
      },
      { signal: caller.signal },
    )
    .catch(() => undefined)
  await agent
    .session('dora', () => {
      throw new TypeError('never shown')
    })
    .catch(() => undefined)
  await agent.close()
}
