/**
 * Promise 16: every record of a governed action says whether it was enforced (Writ could stop it) or
 * observed (it could only watch).
 */
import { expect, test } from 'vitest'
import { type AuditRecord, defineTool, type EventName } from 'writ'
import { anything, bench, killOf, payloadsOf } from '../support/tools.js'

const GOVERNED: readonly EventName[] = ['tool_call', 'tool_denied', 'llm_call', 'charge']
const usage = { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.1 }

const tools = {
  pay: defineTool({ inputSchema: anything, execute: () => 'paid' }),
  never: defineTool({ inputSchema: anything, when: () => false, execute: () => 'ran' }),
  slow: defineTool({ inputSchema: anything, execute: () => new Promise(() => undefined) }),
}

/** What is said of every governed action: its event and its enforcement. */
function governed(records: readonly AuditRecord[]): string[] {
  return records
    .filter(({ event }) => GOVERNED.includes(event))
    .map(({ event, payload }) => `${event} ${payload['enforcement']}`)
}

test('a tool call, a denial and an aborted call are enforced', async () => {
  const { agent, sink } = bench(tools, { budget: { toolCalls: 2 } })
  await killOf(agent, async (s) => {
    await s.callTool('pay', {})
    await s.dispatch({ name: 'rm', input: {} })
    await s.dispatch({ name: 'pay', input: () => 1 })
    await s.dispatch({ name: 'never', input: {} })
    await s.dispatch({ name: 'pay', input: {} }, { signal: AbortSignal.abort() }).catch(() => undefined)
    void s.callTool('slow', {})
    await s.callTool('pay', {})
  })
  agent.sessionSync('alice', (s) => [s.callTool('pay', {}), s.dispatch({ name: 'never', input: {} })])
  expect(governed(sink.records)).toEqual([
    'tool_call enforced',
    'tool_denied enforced',
    'tool_denied enforced',
    'tool_denied enforced',
    'tool_denied enforced',
    'tool_call enforced',
    'tool_denied enforced',
    'tool_call enforced',
    'tool_denied enforced',
  ])
})

test('a model call that is only reported was observed, also where the report is refused or kills', async () => {
  const { agent, sink } = bench(tools, { budget: { usd: 1, llmCalls: 3 } })
  await killOf(agent, (s) => {
    s.recordLlm(usage)
    expect(() => s.recordLlm({ ...usage, inputTokens: Number.NaN })).toThrow('inputTokens')
    expect(() => s.recordLlm({ ...usage, costUsd: 7 })).toThrow(expect.objectContaining({ limit: 'usd' }))
    expect(() => s.recordLlm(usage)).toThrow(expect.objectContaining({ limit: 'usd' }))
  })
  // The last one came too late to be refused for the money: it is spent, so it is on record all the same.
  expect(governed(sink.records)).toEqual(Array(4).fill('llm_call observed'))
})

test('a model call that was reserved for is enforced, however it ends', async () => {
  const { agent, sink, clock } = bench(tools, { budget: { usd: 10, tokens: 1000, wallMs: 100 } })
  const request = { model: 'm', maxTokens: 10, maxUsd: 1 }
  const session = agent
    .session('alice', async (s) => {
      await s.callLlm(
        request,
        () => 'reply',
        () => usage,
      )
      await s
        .callLlm(
          request,
          () => Promise.reject(new RangeError('down')),
          () => usage,
        )
        .catch(() => undefined)
      await s
        .callLlm(
          { ...request, usageOfError: () => ({ ...usage, costUsd: 0 }) },
          () => Promise.reject(new Error('429')),
          () => usage,
        )
        .catch(() => undefined)
      await s
        .callLlm(
          request,
          () => 'reply',
          () => ({ ...usage, inputTokens: -1 }),
        )
        .catch(() => undefined)
      s.reserve(request).settle(usage)
      s.reserve(request)
      s.reserve({ usd: 1 }).settle({ usd: 0.5 })
      s.reserve({ tokens: 1 })
      await s.callLlm(
        request,
        () => new Promise(() => undefined),
        () => usage,
      )
    })
    .catch(() => undefined)
  await clock.advance(100)
  await session
  const all = governed(sink.records)
  expect(all.filter((line) => line === 'llm_call enforced')).toHaveLength(7)
  expect(all.filter((line) => line === 'charge enforced')).toHaveLength(2)
  expect(all).toHaveLength(9)
})

test('every governed record says one of the two', async () => {
  const { agent, sink } = bench(tools)
  await agent.session('alice', async (s) => {
    await s.callTool('pay', {})
    await s.dispatch({ name: 'rm', input: {} })
    s.recordLlm(usage)
    await s.callLlm(
      { model: 'm' },
      () => 'reply',
      () => usage,
    )
  })
  for (const event of GOVERNED) {
    for (const payload of payloadsOf(sink, event))
      expect(['enforced', 'observed']).toContain(payload['enforcement'])
  }
  expect(payloadsOf(sink, 'llm_call').map((payload) => payload['enforcement'])).toEqual([
    'observed',
    'enforced',
  ])
})
