import { describe, expect, test } from 'vitest'
import { type AgentOptions, type ApprovalAnswer, defineTool, type Session, type ToolSet } from 'writ'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'
import { type Gate, gate, turn } from '../support/tools.js'

const yes: ApprovalAnswer = { approved: true, by: 'marta' }

/** A tool that waits for an approval, one that waits for the test, and the means to let them go. */
function desk(more: Partial<AgentOptions<ToolSet>> = {}) {
  const answers: Gate<ApprovalAnswer>[] = []
  const work: Gate<void>[] = []
  const made = bench({
    budget: { wallMs: 100 },
    approvalPausesWallMs: true,
    approve: () => {
      const answer = gate<ApprovalAnswer>()
      answers.push(answer)
      return answer.promise
    },
    tools: {
      refund: defineTool({ inputSchema: z.object({}), approval: 'always', execute: () => 'refunded' }),
      work: defineTool({
        inputSchema: z.object({}),
        execute: async () => {
          const gated = gate()
          work.push(gated)
          await gated.promise
        },
      }),
    } as ToolSet,
    ...more,
  })
  return { ...made, answers, work }
}

const ask = (s: Session<ToolSet>): Promise<unknown> => s.callTool('refund', {} as never)
const work = (s: Session<ToolSet>): Promise<unknown> => s.callTool('work', {} as never)

describe('a session whose clock stands still for people', () => {
  test('lives longer than its limit, by exactly the wait', async () => {
    const { agent, clock, answers, payloads } = desk()
    const done = agent.session('alice', async (s) => {
      await clock.advance(30)
      const pending = ask(s)
      await clock.advance(1000)
      expect([s.usage().wallMs, s.remaining().wallMs]).toEqual([30, 70])
      answers[0]?.open(yes)
      await pending
      await clock.advance(69)
      expect(s.state).toBe('open')
      expect(s.usage().wallMs).toBe(99)
      await clock.advance(1)
      return ask(s)
    })
    expect(await rejection(done)).toMatchObject({ limit: 'wallMs', used: 100 })
    expect(payloads('approval_decided')).toMatchObject([{ waited_ms: 1000, excluded_ms: 1000 }])
    expect(payloads('session_end')).toMatchObject([{ usage: { wall_ms: 100 } }])
  })

  test('dies of its limit while another call runs beside the one that waits', async () => {
    const { agent, clock, payloads } = desk()
    const done = agent.session('alice', (s) => Promise.all([ask(s), work(s)]))
    const failed = rejection(done)
    await clock.advance(100)
    expect(await failed).toMatchObject({ limit: 'wallMs' })
    expect(payloads('approval_decided')).toMatchObject([
      { outcome: 'aborted', waited_ms: 100, excluded_ms: 0 },
    ])
  })

  test('counts what runs beside the wait, before, between and after it', async () => {
    const { agent, clock, answers, work: works, payloads } = desk()
    await agent.session('alice', async (s) => {
      const busy = work(s)
      const pending = ask(s)
      await clock.advance(10)
      works[0]?.open()
      await busy
      await clock.advance(1000)
      expect(s.usage().wallMs).toBe(10)
      const more = work(s)
      await clock.advance(5)
      works[1]?.open()
      await more
      await clock.advance(1000)
      const held = s.reserve({ tokens: 1 })
      await clock.advance(5)
      held.release()
      await clock.advance(1000)
      expect(s.usage().wallMs).toBe(20)
      answers[0]?.open(yes)
      await pending
    })
    expect(payloads('approval_decided')).toMatchObject([{ waited_ms: 3020, excluded_ms: 3000 }])
  })

  test('stands still until the last of several answers', async () => {
    const { agent, clock, answers } = desk()
    await agent.session('alice', async (s) => {
      const both = [ask(s), ask(s)]
      await clock.advance(500)
      answers[1]?.open(yes)
      await both[1]
      await clock.advance(500)
      expect(s.usage().wallMs).toBe(0)
      answers[0]?.open(yes)
      await both[0]
      await clock.advance(50)
      expect(s.usage().wallMs).toBe(50)
    })
  })

  test('lets those around it stand still, unless they have something else to do', async () => {
    const { agent, clock, answers, work: works } = desk()
    await agent.session('alice', async (outer) => {
      const nested = agent.session('alice', async (s) => ask(s))
      await turn()
      await clock.advance(500)
      expect(outer.usage().wallMs).toBe(0)
      const busy = work(outer)
      await clock.advance(40)
      expect(outer.usage().wallMs).toBe(40)
      works[0]?.open()
      await busy
      const sibling = agent.session('alice', async (s) => clock.advance(20).then(() => s.usage().wallMs))
      expect(await sibling).toBe(20)
      expect(outer.usage().wallMs).toBe(60)
      await clock.advance(500)
      expect(outer.usage().wallMs).toBe(60)
      answers[0]?.open(yes)
      await nested
      await clock.advance(10)
      expect(outer.usage().wallMs).toBe(70)
    })
  })

  test('whose tool opened the session that waits keeps running', async () => {
    const inner = desk()
    const outer = bench({
      budget: { wallMs: 100 },
      approvalPausesWallMs: true,
      clock: inner.clock,
      tools: {
        nest: defineTool({ inputSchema: z.object({}), execute: () => inner.agent.session('alice', ask) }),
      },
    })
    const failed = rejection(outer.agent.session('alice', (s) => s.callTool('nest', {})))
    await inner.clock.advance(100)
    expect(await failed).toMatchObject({ limit: 'wallMs' })
  })

  test('does not hold up the clock of another agent around it', async () => {
    const inner = desk()
    const outer = bench({ budget: { wallMs: 100 }, clock: inner.clock })
    const failed = rejection(outer.agent.session('alice', () => inner.agent.session('alice', ask)))
    await inner.clock.advance(100)
    expect(await failed).toMatchObject({ limit: 'wallMs' })
  })

  test('is cancelled, ended and timed out like any other', async () => {
    const { agent, clock, payloads } = desk({ approvalTimeoutMs: 5000 })
    await agent.session('alice', async (s) => {
      const pending = rejection(ask(s))
      await clock.advance(5000)
      expect(await pending).toMatchObject({ reason: 'approval_timeout' })
      await clock.advance(10)
      expect(s.usage().wallMs).toBe(10)
    })
    const stop = new AbortController()
    const failed = rejection(agent.session('alice', ask, { signal: stop.signal }))
    await clock.advance(200)
    stop.abort(new RangeError('gone'))
    expect(await failed).toBeInstanceOf(RangeError)
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed' }, { outcome: 'cancelled' }])
    expect(clock.timers).toBe(0)
  })
})

test('a synchronous handler that blocks is not counted either', () => {
  const { agent, clock, payloads } = desk({
    approve: () => {
      clock.block(500)
      return yes
    },
  })
  agent.sessionSync('alice', (s) => {
    expect(s.callTool('refund', {} as never)).toBe('refunded')
    expect(s.usage().wallMs).toBe(0)
  })
  expect(payloads('approval_decided')).toMatchObject([{ waited_ms: 500, excluded_ms: 500 }])
})

test('without the option the clock runs', async () => {
  const { agent, clock, answers, payloads } = desk({ approvalPausesWallMs: false })
  await agent.session('alice', async (s) => {
    const pending = ask(s)
    await clock.advance(50)
    expect(s.usage().wallMs).toBe(50)
    answers[0]?.open(yes)
    await pending
  })
  expect(payloads('approval_decided')).toMatchObject([{ waited_ms: 50, excluded_ms: 0 }])
})

test('a session that ends while its clock stands still has used what it had used by then', async () => {
  const { agent, clock, payloads } = desk()
  await agent.session('alice', async (s) => {
    await clock.advance(30)
    ask(s).catch(() => undefined)
    await clock.advance(1000)
  })
  expect(payloads('approval_decided')).toMatchObject([{ outcome: 'aborted', excluded_ms: 1000 }])
  expect(payloads('session_end')).toMatchObject([{ outcome: 'completed', usage: { wall_ms: 30 } }])
})
