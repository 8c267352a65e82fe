/**
 * Promise 9: denials are free of the tool-call budget but not unlimited, so a probing agent is stopped too.
 */
import { describe, expect, test, vi } from 'vitest'
import { type BudgetExceeded, defineTool, type ToolSet } from 'writ'
import {
  anything,
  bench,
  eventsOf,
  killOf,
  killOfSync,
  payloadsOf,
  reasonsOf,
  recordsOf,
} from '../support/tools.js'

/** One way to be denied for each reason that does not end the session. */
const PROBES: Record<string, { readonly name: string; readonly input: unknown }> = {
  not_registered: { name: 'rm', input: {} },
  invalid_input: { name: 'pay', input: () => 1 },
  schema_error: { name: 'odd', input: {} },
  predicate_false: { name: 'never', input: {} },
  predicate_error: { name: 'torn', input: {} },
  max_calls: { name: 'none', input: {} },
}

const execute = vi.fn(() => 'ran')

const tools: ToolSet = {
  pay: defineTool({ inputSchema: anything, execute }),
  never: defineTool({ inputSchema: anything, when: () => false, execute }),
  none: defineTool({ inputSchema: anything, maxCalls: 0, execute }),
  odd: defineTool({
    inputSchema: { '~standard': { version: 1, vendor: 'test', validate: () => 7 as never } },
    execute,
  }),
  torn: defineTool({
    inputSchema: anything,
    when: () => {
      throw new RangeError('boom')
    },
    execute,
  }),
}

describe.each(Object.entries(PROBES))('a denial as %s', (reason, probe) => {
  test('is counted as a denial, and not as a tool call', async () => {
    const { agent, sink } = bench(tools, { budget: { toolCalls: 1, denials: 100 } })
    await agent.session('alice', async (s) => {
      for (let probes = 1; probes <= 20; probes++) {
        expect(await s.dispatch(probe)).toMatchObject({ denial: { reason } })
        expect(s.usage()).toMatchObject({ toolCalls: 0, denials: probes })
        expect(s.remaining()).toMatchObject({ toolCalls: 1, denials: 100 - probes })
      }
      expect(await s.dispatch({ name: 'pay', input: {} })).toEqual({ ok: true, output: 'ran' })
      expect(s.usage()).toMatchObject({ toolCalls: 1, denials: 20 })
    })
    expect(recordsOf(sink, 'session_end')).toMatchObject([{ budget: { tool_calls: 1, denials: 20 } }])
  })

  test('three are allowed, and the fourth kills: every denial is on record', async () => {
    execute.mockClear()
    const { agent, sink } = bench(tools, { budget: { toolCalls: 9, denials: 3 } })
    let fourth: unknown
    const killed = await killOf(agent, async (s) => {
      for (let probes = 1; probes <= 3; probes++) await s.dispatch(probe)
      expect(s.state).toBe('open')
      fourth = await s.dispatch(probe).catch((error: unknown) => error)
      expect(s.state).toBe('killed')
      await expect(s.dispatch({ name: 'pay', input: {} })).rejects.toBe(fourth)
    })
    expect(killed).toBe(fourth)
    expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'denials', used: 3, max: 3 })
    expect((killed as BudgetExceeded).usage).toMatchObject({ denials: 3, toolCalls: 0 })
    expect(execute).not.toHaveBeenCalled()
    expect(reasonsOf(sink)).toEqual([reason, reason, reason, reason])
    expect(payloadsOf(sink, 'budget_exceeded')).toEqual([{ limit: 'denials', used: 3, max: 3 }])
    expect(payloadsOf(sink, 'session_end')).toMatchObject([{ outcome: 'killed', refused: 1 }])
  })

  test('the fourth kills a synchronous session as well', () => {
    const { agent, sink } = bench(tools, { budget: { denials: 3 } })
    const killed = killOfSync(agent, (s) => {
      for (let probes = 1; probes <= 3; probes++) {
        expect(s.dispatch(probe)).toMatchObject({ denial: { reason } })
        expect(s.usage()).toMatchObject({ toolCalls: 0, denials: probes })
      }
      expect(s.state).toBe('open')
      expect(() => s.dispatch(probe)).toThrow(expect.objectContaining({ limit: 'denials' }))
      expect(s.state).toBe('killed')
    })
    expect(killed).toMatchObject({ limit: 'denials', used: 3, max: 3 })
    expect(reasonsOf(sink)).toEqual([reason, reason, reason, reason])
  })
})

test('with denials: 0 the first denial kills', async () => {
  const { agent, sink } = bench(tools, { budget: { denials: 0 } })
  await expect(agent.session('alice', (s) => s.dispatch({ name: 'rm', input: {} }))).rejects.toMatchObject({
    limit: 'denials',
    used: 0,
    max: 0,
  })
  expect(eventsOf(sink)).toEqual(['session_start', 'tool_denied', 'budget_exceeded', 'session_end'])
})

test('denials of all kinds count together, and callTool counts as dispatch does', async () => {
  const { agent } = bench(tools, { budget: { denials: 2 } })
  await expect(
    agent.session('alice', async (s) => {
      await s.callTool('rm', {}).catch(() => undefined)
      await s.dispatch({ name: 'never', input: {} })
      await s.callTool('torn', {}).catch(() => undefined)
    }),
  ).rejects.toMatchObject({ limit: 'denials' })
})

test('denials of a nested session count for the one around it', async () => {
  const { agent, sink } = bench(tools, { budget: { denials: 1, depth: 1 } })
  const killed = await killOf(agent, async (outer) => {
    await agent.session('alice', (inner) => inner.dispatch({ name: 'rm', input: {} }))
    expect(outer.usage().denials).toBe(1)
    await agent.session('alice', (inner) => inner.dispatch({ name: 'rm', input: {} }))
  })
  expect(killed).toMatchObject({ limit: 'denials', used: 1, max: 1 })
  expect(reasonsOf(sink)).toEqual(['not_registered', 'not_registered'])
})

test("asking authorize, a tool's own error and the caller's own abort are no denials", async () => {
  const fail = defineTool({
    inputSchema: anything,
    execute: () => {
      throw new RangeError('boom')
    },
  })
  const { agent } = bench({ ...tools, fail }, { budget: { denials: 0, toolCalls: 5 } })
  await agent.session('alice', async (s) => {
    expect(await s.authorize('rm', {})).toMatchObject({ allowed: false })
    expect(await s.dispatch({ name: 'fail', input: {} })).toMatchObject({ denial: { reason: 'tool_error' } })
    await s.dispatch({ name: 'pay', input: {} }, { signal: AbortSignal.abort('no') }).catch(() => undefined)
    expect(s.usage()).toMatchObject({ denials: 0, toolCalls: 1 })
    expect(s.state).toBe('open')
  })
})
