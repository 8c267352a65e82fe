/**
 * What a session holds does not grow with its calls, and what an agent holds does not grow with the
 * sessions it has had: neither memory, nor listeners, nor timers.
 */
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool, type Session, type SyncSession } from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { raise, turn } from '../support/tools.js'

const MIB = 2 ** 20

/** Bytes that are in use once everything that can be collected has been. */
async function heap(): Promise<number> {
  await turn()
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) throw new TypeError('growth is measured with --expose-gc')
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

const amount = z.object({ amount: z.number() })

const tools = {
  pay: defineTool({
    inputSchema: amount,
    execute: async (input, { signal }) => (signal.aborted ? 0 : input.amount),
  }),
  plain: defineTool({
    inputSchema: amount,
    maxCalls: 1_000_000,
    timeoutMs: 1000,
    execute: (input) => input.amount,
  }),
  asked: defineTool({ inputSchema: amount, when: async () => true, execute: () => 'ran' }),
  never: defineTool({ inputSchema: amount, when: () => false, execute: () => 'ran' }),
  fail: defineTool({ inputSchema: amount, execute: () => raise(new RangeError('boom')) }),
}

/** An agent whose records are counted and let go. */
function agentOn(clock: FakeClock): { readonly agent: Agent<typeof tools>; readonly records: () => number } {
  let records = 0
  const audit = AuditSink.callback(() => {
    records += 1
  })
  const agent = new Agent({
    identity: 'growing',
    budget: { wallMs: 3_600_000, depth: 2, usd: 9e6 },
    tools,
    audit,
    clock,
  })
  return { agent, records: () => records }
}

const usage = { model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 0.0001 }
const input = { amount: 1 }

/** Ten calls, one of each kind. */
async function tenCalls(s: Session<typeof tools>, signal: AbortSignal): Promise<void> {
  await s.callTool('pay', input)
  await s.callTool('pay', input, { signal, timeoutMs: 500 })
  await s.callTool('plain', input, { signal })
  await s.callTool('asked', input, { signal })
  await s.dispatch({ id: 'call', name: 'pay', input: '{"amount":1}' }, { signal })
  await s.dispatch({ name: 'never', input })
  await s.dispatch({ name: 'unknown', input })
  await s.dispatch({ name: 'fail', input })
  await s.callLlm(
    { model: 'm', maxUsd: 0.001 },
    async () => 'reply',
    () => usage,
  )
  await s.authorize('pay', input)
  s.recordLlm(usage)
  for (let holds = 0; holds < 10; holds++) s.reserve({ usd: 0.001 }).release()
}

function tenSyncCalls(s: SyncSession<typeof tools>): void {
  s.callTool('plain', input)
  s.callTool('plain', input, { timeoutMs: 500 })
  s.dispatch({ id: 'call', name: 'plain', input: '{"amount":1}' })
  s.dispatch({ name: 'plain', input })
  s.dispatch({ name: 'never', input })
  s.dispatch({ name: 'unknown', input })
  s.dispatch({ name: 'fail', input })
  s.dispatch({ name: 'pay', input })
  s.authorize('plain', input)
  s.recordLlm(usage)
  for (let holds = 0; holds < 10; holds++) s.reserve({ usd: 0.001 }).release()
}

const warnings: Error[] = []
const onWarning = (warning: Error): void => {
  warnings.push(warning)
}
beforeAll(() => {
  process.on('warning', onWarning)
})
afterAll(() => {
  process.off('warning', onWarning)
})

describe('100,000 calls in one session', () => {
  test('leave no memory, no listener and no timer behind', { timeout: 120_000 }, async () => {
    const clock = fakeClock()
    const { agent, records } = agentOn(clock)
    const { signal } = new AbortController()
    const own = new AbortController().signal
    const s = agent.open('alice', { signal: own })
    const during = { signal: s.signal, timers: clock.timers }
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) await tenCalls(s, signal)
    }
    await rounds(2000)
    const first = await heap()
    await rounds(4000)
    const second = await heap()
    await rounds(4000)
    const third = await heap()

    // 40,000 calls that each kept as little as one object would keep several MiB.
    expect(third - second).toBeLessThan(MIB)
    expect(second - first).toBeLessThan(2 * MIB)
    expect(records()).toBeGreaterThan(100_000)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(getEventListeners(own, 'abort')).toHaveLength(1)
    expect(getEventListeners(s.signal, 'abort')).toEqual([])
    expect(s.signal).toBe(during.signal)
    expect(clock.timers).toBe(during.timers)
    await s.close()
    expect(getEventListeners(own, 'abort')).toEqual([])
    expect(clock.timers).toBe(0)
  })

  test('of the synchronous kind leave none either', { timeout: 120_000 }, async () => {
    const clock = fakeClock()
    const { agent } = agentOn(clock)
    const windows: number[] = []
    const session = (count: number): void =>
      agent.sessionSync('alice', (s) => {
        const { timers } = clock
        for (let round = 0; round < count; round++) tenSyncCalls(s)
        expect(clock.timers).toBe(timers)
      })
    session(2000)
    windows.push(await heap())
    session(4000)
    windows.push(await heap())
    session(4000)
    windows.push(await heap())
    expect((windows[2] as number) - (windows[1] as number)).toBeLessThan(MIB)
    expect(clock.timers).toBe(0)
  })

  test('a listener of each call is gone when the call is, also while others are in flight', async () => {
    const clock = fakeClock()
    const { agent } = agentOn(clock)
    const { signal } = new AbortController()
    await agent.session('alice', async (s) => {
      const calls = Array.from({ length: 100 }, () => s.callTool('pay', input, { signal }))
      expect(getEventListeners(signal, 'abort').length).toBeGreaterThan(0)
      await Promise.all(calls)
      expect(getEventListeners(signal, 'abort')).toEqual([])
      expect(getEventListeners(s.signal, 'abort')).toEqual([])
    })
  })

  test('a call that was aborted, one that timed out and one that was abandoned leave nothing either', async () => {
    const clock = fakeClock()
    const { agent } = agentOn(clock)
    const hanging = new Agent({
      identity: 'hanging',
      budget: { wallMs: 1000 },
      tools: {
        hang: defineTool({ inputSchema: amount, timeoutMs: 10, execute: () => new Promise(() => undefined) }),
      },
      audit: AuditSink.memory(),
      clock,
    })
    const base = clock.timers
    const controller = new AbortController()
    const s = hanging.open('alice')
    const aborted = s.callTool('hang', input, { signal: controller.signal }).catch(() => undefined)
    const expired = s.callTool('hang', input, { signal: controller.signal }).catch(() => undefined)
    await turn()
    controller.abort('no')
    await clock.advance(10)
    await Promise.all([aborted, expired])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(clock.timers).toBe(base + 1)
    await s.close()
    expect(clock.timers).toBe(base)
    await agent.close()
  })
})

describe('10,000 sessions open at once', () => {
  test('hold little each, and nothing once they have ended', { timeout: 120_000 }, async () => {
    const clock = fakeClock()
    const { agent } = agentOn(clock)
    const { signal } = new AbortController()
    const openAll = (): Session<typeof tools>[] =>
      Array.from({ length: 10_000 }, (_, index) => agent.open(`user-${index}`, { signal }))
    const closeAll = (sessions: Session<typeof tools>[]): Promise<unknown> =>
      Promise.all(sessions.splice(0).map((s) => s.close()))

    const warm = openAll()
    await Promise.all(warm.map((s) => s.callTool('pay', input)))
    await closeAll(warm)
    const before = await heap()
    const sessions = openAll()
    const opened = await heap()
    expect(opened - before).toBeLessThan(60 * MIB)
    // One for all of them.
    expect(clock.timers).toBe(1)
    const listeners = getEventListeners(signal, 'abort').length
    expect(listeners).toBeLessThanOrEqual(10_000)

    await Promise.all(sessions.map((s) => s.callTool('pay', input, { signal })))
    const called = await heap()
    await Promise.all(sessions.map((s) => s.callTool('pay', input, { signal })))
    const again = await heap()
    expect(again - called).toBeLessThan(4 * MIB)
    expect(getEventListeners(signal, 'abort')).toHaveLength(listeners)
    // One for all of them.
    expect(clock.timers).toBe(1)

    await closeAll(sessions)
    const closed = await heap()
    expect(closed - before).toBeLessThan(4 * MIB)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(clock.timers).toBe(0)
    await agent.close()
  })

  test('that are nested in one leave nothing in it', { timeout: 120_000 }, async () => {
    const clock = fakeClock()
    const { agent } = agentOn(clock)
    await agent.session('alice', async () => {
      const { timers } = clock
      const nest = async (): Promise<void> => {
        for (let count = 0; count < 10_000; count++)
          await agent.session('bob', (s) => s.callTool('pay', input))
      }
      await nest()
      const first = await heap()
      await nest()
      const second = await heap()
      expect(second - first).toBeLessThan(MIB)
      expect(clock.timers).toBe(timers)
    })
    expect(clock.timers).toBe(0)
  })
})

test('nothing of this made Node warn of a leak', () => {
  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([])
})
