import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Agent, AuditSink, defineTool, findCurrentSession, type Session } from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { rejection } from '../../support/agents.js'
import { gate } from '../../support/tools.js'

const agentOn = (clock: FakeClock): Agent =>
  new Agent({ identity: 'bot', budget: { wallMs: 1000 }, audit: AuditSink.memory(), clock })

/** A clock whose timers fire in the async context in which they were set, as those of a machine do. */
function boundClock(): FakeClock {
  const clock = fakeClock()
  const { setTimer } = clock
  return Object.assign(clock, {
    setTimer: (callback: () => void, delayMs: number, background: boolean) =>
      setTimer(AsyncResource.bind(callback), delayMs, background),
  })
}

const STEP = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('open' as const), ms: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), at: fc.nat({ max: 30 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 30 }) }),
  },
)

describe('the deadlines of many sessions', () => {
  test('pass at their time each, whatever is opened and closed meanwhile, with one timer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 60 }), async (steps) => {
        const clock = fakeClock()
        const agent = agentOn(clock)
        const open = new Map<Session, number>()
        const ended: Session[] = []
        for (const step of steps) {
          if (step.kind === 'open') {
            const session = agent.open('alice', { budget: { wallMs: step.ms } })
            open.set(session, clock.monotonicMs() + step.ms)
          } else if (step.kind === 'close') {
            const session = [...open.keys()][step.at]
            if (session === undefined) continue
            open.delete(session)
            await session.close()
          } else {
            await clock.advance(step.ms)
            for (const [session, atMs] of open) {
              if (atMs > clock.monotonicMs()) continue
              open.delete(session)
              ended.push(session)
            }
          }
          for (const [session] of open) expect(session.state).toBe('open')
          for (const session of ended) expect(session.signal.reason).toMatchObject({ limit: 'wallMs' })
          expect(clock.timers).toBe(open.size === 0 ? 0 : 1)
        }
        await Promise.all([...open.keys()].map((session) => session.close()))
        expect(clock.timers).toBe(0)
        await agent.close()
      }),
      { numRuns: 200 },
    )
  })

  test('keep their order when one is taken out of the middle', async () => {
    const clock = fakeClock()
    const agent = agentOn(clock)
    const open = (wallMs: number): Session => agent.open('alice', { budget: { wallMs } })
    // As a heap: below 1 are 50 and 2, and so on. The last one, which is below 2, takes the place of 60, below 50.
    const order = [1, 50, 2, 60, 70, 3, 4, 80, 81, 82, 83, 5, 6]
    const sessions = new Map(order.map((wallMs) => [wallMs, open(wallMs)]))
    await sessions.get(60)?.close()
    sessions.delete(60)
    for (const [wallMs, session] of [...sessions].sort(([a], [b]) => a - b)) {
      await clock.advance(wallMs - 1 - clock.monotonicMs())
      expect(session.state).toBe('open')
      await clock.advance(1)
      expect(session.state).toBe('closed')
    }
    await agent.close()
  })

  test('set a timer when the first of them changes, never for a time that has gone', async () => {
    const clock = fakeClock()
    const { setTimer } = clock
    const delays: number[] = []
    Object.assign(clock, {
      setTimer: (callback: () => void, delayMs: number, background: boolean) => {
        delays.push(delayMs)
        return setTimer(callback, delayMs, background)
      },
    })
    const agent = agentOn(clock)
    const open = (wallMs: number): Session => agent.open('alice', { budget: { wallMs } })
    const sessions = [open(100), open(200), open(100), open(50), open(75)]
    expect(delays).toEqual([100, 50])
    const { monotonicMs } = clock
    let late = 0
    // Time passes between any two readings.
    Object.assign(clock, { monotonicMs: () => monotonicMs() + ++late * 20 })
    sessions.push(open(10))
    expect(delays).toEqual([100, 50, 0])
    await Promise.all(sessions.map((session) => session.close()))
    await agent.close()
  })

  test('come although the timer of an earlier one could not be set', async () => {
    const clock = fakeClock()
    const { setTimer } = clock
    let fails = false
    Object.assign(clock, {
      setTimer: (...args: Parameters<typeof setTimer>) => {
        if (fails) throw new RangeError('no timer')
        return setTimer(...args)
      },
    })
    const sink = AuditSink.memory()
    const agent = new Agent({ identity: 'bot', budget: { wallMs: 100 }, audit: sink, clock })
    const kills = (): unknown[] => sink.records.filter(({ event }) => event === 'budget_exceeded')
    const open = (wallMs: number): Session => agent.open('alice', { budget: { wallMs } })
    const before = open(100)
    fails = true
    expect(() => open(10)).toThrow('no timer')
    fails = false
    expect(clock.timers).toBe(1)
    const after = open(50)
    await clock.advance(49)
    // Nothing happens for the one that was never opened.
    expect(kills()).toEqual([])
    await clock.advance(1)
    expect([before.state, after.state]).toEqual(['open', 'closed'])
    fails = true
    expect(() => open(10)).toThrow('no timer')
    fails = false
    await clock.advance(50)
    expect(before.state).toBe('closed')
    expect(kills()).toHaveLength(2)
    await agent.close()
  })

  test('come one after the other also when the first of them cannot be acted on', async () => {
    const clock = fakeClock()
    const { monotonicMs, setTimer } = clock
    let readings = Number.POSITIVE_INFINITY
    Object.assign(clock, {
      monotonicMs: () => {
        readings -= 1
        if (readings === 0) throw new RangeError('no time')
        return monotonicMs()
      },
      setTimer: (callback: () => void, delayMs: number, background: boolean) => {
        const fire = (): void => {
          // The first reading finds the deadline, the second is for its record.
          if (monotonicMs() === 10) readings = 2
          callback()
        }
        return setTimer(fire, delayMs, background)
      },
    })
    const agent = agentOn(clock)
    agent.open('alice', { budget: { wallMs: 10 } })
    const second = agent.open('alice', { budget: { wallMs: 20 } })
    expect(await rejection(clock.advance(10))).toBeInstanceOf(RangeError)
    expect(second.state).toBe('open')
    await clock.advance(10)
    expect(second.state).toBe('closed')
    expect(second.signal.reason).toMatchObject({ limit: 'wallMs', max: 20 })
  })
})

describe('what runs at a deadline', () => {
  test('runs in the async context of no other session', async () => {
    const clock = boundClock()
    const agent = agentOn(clock)
    const request = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const open = (user: string, wallMs: number): void => {
      const { signal } = request.run(user, () => agent.open(user, { budget: { wallMs } }))
      signal.addEventListener('abort', () => seen.push([user, request.getStore()]))
    }
    open('alice', 10)
    open('bob', 20)
    await clock.advance(30)
    expect(seen).toEqual([
      ['alice', undefined],
      ['bob', undefined],
    ])
    await agent.close()
  })

  test('is inside of the session that the one that ends was opened in, and inside of no other', async () => {
    const clock = boundClock()
    const agent = agentOn(clock)
    const seen: unknown[] = []
    const note = (name: string, { signal }: Session): void =>
      signal.addEventListener('abort', () => seen.push([name, findCurrentSession()?.user]))
    const done = gate()
    const outer = agent.session('alice', async () => {
      note('inner', agent.open('bob', { budget: { wallMs: 10 } }))
      await done.promise
    })
    note('alone', agent.open('carol', { budget: { wallMs: 20 } }))
    await clock.advance(20)
    expect(seen).toEqual([
      ['inner', 'alice'],
      ['alone', undefined],
    ])
    done.open()
    await outer
    await agent.close()
  })

  test('of one call is inside of its session', async () => {
    const clock = boundClock()
    const seen: unknown[] = []
    const listen = defineTool({
      inputSchema: z.object({}),
      execute: (_input, { signal }) => {
        signal.addEventListener('abort', () => seen.push(findCurrentSession()?.user))
        return gate<never>().promise
      },
    })
    const agent = new Agent({
      identity: 'bot',
      budget: { toolCalls: 9 },
      tools: { listen },
      audit: AuditSink.memory(),
      clock,
    })
    const alice = agent.open('alice')
    const bob = agent.open('bob')
    const calls = [
      rejection(alice.callTool('listen', {}, { timeoutMs: 10 })),
      rejection(bob.callTool('listen', {}, { timeoutMs: 20 })),
    ]
    expect(clock.timers).toBe(1)
    await clock.advance(20)
    expect(seen).toEqual(['alice', 'bob'])
    expect(await Promise.all(calls)).toMatchObject([
      { code: 'ERR_TOOL_TIMEOUT' },
      { code: 'ERR_TOOL_TIMEOUT' },
    ])
    expect(clock.timers).toBe(0)
    await agent.close()
  })
})
