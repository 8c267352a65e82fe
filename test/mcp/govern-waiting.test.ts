import { afterEach, expect, test, vi } from 'vitest'
import type { ApprovalAnswer } from 'writ'
import { govern, mcpTool } from 'writ/mcp'
import { bench } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

afterEach(() => vi.useRealTimers())

const server = (): ScriptedTransport =>
  new ScriptedTransport(({ method }) =>
    method === 'tools/list' ? { tools: [listed('pay')] } : { content: [{ type: 'text', text: 'paid' }] },
  )

/** An agent whose approvals are given by hand. */
function waiting() {
  let approve: (answer: ApprovalAnswer) => void = () => undefined
  let ask: () => void = () => undefined
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const { agent } = bench({
    budget: { toolCalls: 5 },
    tools: { pay: mcpTool({ approval: 'always' }) },
    approve: () => {
      ask()
      return new Promise((resolve) => {
        approve = resolve
      })
    },
  })
  return { agent, asked, approve: () => approve({ approved: true, by: 'carol' }) }
}

test('while a call waits for an approval, a client that asked for progress is told, ever a little further', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { agent, asked, approve } = waiting()
  const wire = server()
  const client = new BareClient(govern(wire, { server: 'bank' }))
  await agent.session('alice', async () => {
    const answer = client.call('pay', {}, { _meta: { progressToken: 7 } })
    await asked
    vi.advanceTimersByTime(45_000)
    const told = client.got.filter(({ method }) => method === 'notifications/progress')
    expect(told).toHaveLength(3)
    const steps = told.map(({ params }) => params as { progressToken: unknown; progress: number })
    expect(steps.map(({ progressToken }) => progressToken)).toEqual([7, 7, 7])
    // The server's own begins after all of them.
    expect(steps.map(({ progress }) => progress)).toEqual(
      steps.map(({ progress }) => progress).toSorted((a, b) => a - b),
    )
    expect(steps.at(-1)?.progress).toBeLessThan(1)
    expect(wire.got('tools/call')).toHaveLength(0)
    approve()
    expect(textOf(await answer)).toBe('paid')
    vi.advanceTimersByTime(60_000)
    expect(client.got.filter(({ method }) => method === 'notifications/progress')).toHaveLength(3)
  })
})

test('a client that did not ask for progress is told nothing', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { agent, asked, approve } = waiting()
  const client = new BareClient(govern(server(), { server: 'bank' }))
  await agent.session('alice', async () => {
    const answer = client.call('pay')
    await asked
    vi.advanceTimersByTime(45_000)
    approve()
    expect(textOf(await answer)).toBe('paid')
  })
  expect(client.got.filter(({ method }) => method === 'notifications/progress')).toHaveLength(0)
})
