import { expect, test } from 'vitest'
import { Agent, AuditSink, type BudgetExceeded, type CustomSink, defineTool } from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'

const make = () => {
  const audit = AuditSink.memory()
  return { audit, agent: new Agent({ identity: 'guards', budget: { usd: 1 }, audit }) }
}

test('a reservation that is handed out has its methods and nothing behind them', () => {
  const session = make().agent.open('alice')
  const ofCall = session.reserve({ model: 'm', maxUsd: 0.1 })
  for (const [reservation, methods] of [
    [session.reserve({ usd: 0.1 }), ['settle', 'release']],
    [ofCall, ['settle', 'release', 'cover', 'forfeit']],
  ] as const) {
    expect(Reflect.ownKeys(reservation)).toEqual(methods)
    expect(Object.getPrototypeOf(reservation)).toBe(Object.prototype)
    expect(Object.isFrozen(reservation)).toBe(true)
  }
})

test('a model call that is refused for its price does not count as one that was in flight', async () => {
  const { agent, audit } = make()
  const session = agent.session('alice', (s) =>
    s.callLlm(
      { model: 'm', maxUsd: 2 },
      () => 1,
      () => expect.fail(),
    ),
  )
  const killed = await session.catch((error: unknown) => error as BudgetExceeded)
  expect(killed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd' })
  expect(audit.records.at(-1)).toMatchObject({ event: 'session_end', payload: { in_flight: 0 } })
})

test('a tool does not start when its intent took the rest of the time to write', () => {
  const clock = fakeClock()
  const slow: CustomSink = {
    name: 'slow disk',
    durable: true,
    open: () => undefined,
    append: () => undefined,
    flush: () => undefined,
    flushSync: () => clock.block(80),
    close: async () => undefined,
  }
  let runs = 0
  const tool = defineTool({ inputSchema: z.object({}), execute: () => ++runs })
  const agent = new Agent({ identity: 'guards', budget: { wallMs: 40 }, tools: { tool }, audit: slow, clock })
  expect(() => agent.sessionSync('alice', (s) => s.callTool('tool', {}))).toThrow(
    expect.objectContaining({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' }),
  )
  expect(runs).toBe(0)
})

test('what comes of a promise that a synchronous session cannot wait for is recorded as late', async () => {
  const audit = AuditSink.memory()
  const tool = defineTool({ inputSchema: z.object({}), execute: () => Promise.resolve(1) })
  const agent = new Agent({ identity: 'guards', budget: { toolCalls: 1 }, tools: { tool }, audit })
  expect(() => agent.sessionSync('alice', (s) => s.callTool('tool', {}))).toThrow(TypeError)
  await new Promise(setImmediate)
  const results = audit.records.filter(({ event }) => event === 'tool_result').map(({ payload }) => payload)
  expect(results).toMatchObject([
    { ok: false, effect: 'unknown' },
    { ok: true, late: true },
  ])
})
