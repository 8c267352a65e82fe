import { describe, expect, test } from 'vitest'
import { BudgetExceeded, defineTool, type ToolContext, ToolTimeout } from 'writ'
import { bench, rejection, thrown } from '../support/agents.js'
import { anything, turn } from '../support/tools.js'

/** A tool that hands out its context, and does what the test says. */
function probe(body: (context: ToolContext) => unknown) {
  return defineTool({ inputSchema: anything, execute: (_input, context) => body(context) })
}

describe('remainingMs()', () => {
  test('is infinite without a limit on time', () => {
    const { agent } = bench({
      budget: { toolCalls: 1 },
      tools: { tool: probe((context) => context.remainingMs()) },
    })
    expect(agent.sessionSync('alice', (s) => s.callTool('tool', {}))).toBe(Number.POSITIVE_INFINITY)
  })

  test('is the least that the call, its session and those above it have left', async () => {
    const seen: number[] = []
    const { agent, clock } = bench({
      budget: { wallMs: 1_000 },
      tools: { tool: probe((context) => seen.push(context.remainingMs())) },
    })
    await agent.session('alice', async (s) => {
      await s.callTool('tool', {})
      await clock.advance(100)
      await s.callTool('tool', {})
      await s.callTool('tool', {}, { timeoutMs: 50 })
      await s.callTool('tool', {}, { timeoutMs: 5_000 })
      await agent.session('alice', (inner) => inner.callTool('tool', {}), { budget: { wallMs: 300 } })
      await clock.advance(800)
      await agent.session('alice', (inner) => inner.callTool('tool', {}))
    })
    expect(seen).toEqual([1_000, 900, 50, 900, 300, 100])
  })

  test('stops a blocking call when its own time is up, although no timer could fire', () => {
    const { agent, clock, payloads } = bench({
      budget: { toolCalls: 5 },
      tools: {
        tool: probe((context) => {
          clock.block(200)
          return [context.remainingMs(), context.signal.reason]
        }),
      },
    })
    agent.sessionSync('alice', (s) => {
      expect(thrown(() => s.callTool('tool', {}, { timeoutMs: 200 }))).toBeInstanceOf(ToolTimeout)
      expect(s.state).toBe('open')
    })
    expect(payloads('tool_result')).toMatchObject([
      { ok: false, error: { name: 'ToolTimeout' }, effect: 'unknown' },
      { ok: true, effect: 'occurred', late: true },
    ])
  })

  test.each(['own', 'outer'])('stops a blocking call when the time of its %s session is up', (which) => {
    const left: number[] = []
    const { agent, clock, records } = bench({
      budget: { wallMs: 2_000 },
      tools: {
        tool: probe((context) => {
          clock.block(999)
          left.push(context.remainingMs())
          clock.block(1)
          left.push(context.remainingMs(), context.remainingMs())
        }),
      },
    })
    const limited = { budget: { wallMs: 1_000 } }
    const run = (options = {}) => agent.sessionSync('alice', (s) => s.callTool('tool', {}), options)
    const error = thrown(() =>
      which === 'own' ? run(limited) : agent.sessionSync('alice', () => run(), limited),
    )
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect(left).toEqual([1, 0, 0])
    expect(records().filter(({ event }) => event === 'budget_exceeded')).toHaveLength(1)
  })

  test('is 0 for a call that was stopped, and stays 0', async () => {
    let context!: ToolContext
    const { agent, clock } = bench({
      budget: { wallMs: 1_000 },
      tools: {
        tool: probe((given) => {
          context = given
          return new Promise(() => undefined)
        }),
      },
    })
    const controller = new AbortController()
    const call = rejection(
      agent.session('alice', (s) => s.callTool('tool', {}, { signal: controller.signal })),
    )
    await turn()
    expect(context.remainingMs()).toBe(1_000)
    controller.abort()
    await call
    await clock.advance(1)
    expect(context.remainingMs()).toBe(0)
  })
})

test('sync tells the two kinds of session apart, to predicates as well', async () => {
  const seen: boolean[] = []
  const tool = defineTool({
    inputSchema: anything,
    when: (_input, { sync }) => seen.push(sync) > 0,
    execute: (_input, { sync }) => sync,
  })
  const { agent } = bench({ budget: { toolCalls: 5 }, tools: { tool } })
  expect(await agent.session('alice', (s) => s.callTool('tool', {}))).toBe(false)
  expect(agent.sessionSync('alice', (s) => s.callTool('tool', {}))).toBe(true)
  expect(seen).toEqual([false, true])
})
