import { describe, expect, test } from 'vitest'
import { type AgentOptions, defineTool, type Session } from 'writ'
import { bench } from '../support/agents.js'
import { anything } from '../support/tools.js'

const strict = defineTool({ inputSchema: anything, approval: 'always', execute: () => 'refunded' })
const lax = defineTool({ inputSchema: anything, execute: () => 'refunded' })

/** A session with a strict tool delegates to one whose own tool asks nobody. */
async function outcome(
  parent: Partial<AgentOptions>,
  child: Partial<AgentOptions>,
): Promise<{ result: unknown; authorized: unknown }> {
  const outer = bench({ budget: { toolCalls: 10, depth: 2 }, tools: { refund: strict }, ...parent })
  const inner = bench({ budget: { toolCalls: 10 }, tools: { refund: lax }, ...child })
  return outer.agent.session('alice', (s) =>
    (s as unknown as Session).delegate(inner.agent, {}, async (c) => ({
      authorized: await c.authorize('refund', {}),
      result: await c.dispatch({ name: 'refund', input: {} }),
    })),
  )
}

describe('what a session has to ask about, it does not delegate without asking', () => {
  test('nobody is asked: the call is denied', async () => {
    expect(await outcome({}, {})).toMatchObject({
      authorized: { allowed: false, reason: 'not_granted' },
      result: { ok: false, denial: { reason: 'not_granted' } },
    })
  })

  test('somebody else would be asked: the call is denied', async () => {
    const yes = () => ({ approved: true, by: 'marta' })
    expect(
      await outcome({ approve: () => ({ approved: false, by: 'marta' }) }, { approve: yes }),
    ).toMatchObject({
      result: { ok: false, denial: { reason: 'not_granted' } },
    })
  })

  test.each([true, false])('the same person is asked, and decides (%s)', async (approved) => {
    const asked: unknown[] = []
    const approve = ({ tool, cause }: { tool: string; cause?: string }) => {
      asked.push([tool, cause])
      return { approved, by: 'marta' }
    }
    expect(await outcome({ approve }, { approve })).toMatchObject({
      authorized: { allowed: true, needsApproval: true },
      result: { ok: approved },
    })
    expect(asked).toEqual([['refund', 'grant']])
  })
})

test('a session suspends no more calls than it may make', async () => {
  const limited = defineTool({ inputSchema: anything, approval: 'always', maxCalls: 2, execute: () => 'ran' })
  const { agent } = bench({
    budget: { toolCalls: 10 },
    tools: { limited },
    approvalSecret: 's'.repeat(32),
  })
  const tokens: string[] = []
  await agent.session('alice', async (s) => {
    for (let call = 0; call < 5; call++) {
      const result = await s.dispatch({ name: 'limited', input: { call } }, { onApproval: 'suspend' })
      if ('pending' in result && result.pending !== undefined) tokens.push(result.pending)
      else expect(result).toMatchObject({ ok: false, denial: { reason: 'max_calls' } })
    }
    expect(s.usage().toolCalls).toBe(2)
  })
  expect(tokens).toHaveLength(2)
  for (const token of tokens) {
    const { digest } = agent.pending(token)
    expect(await agent.resume(token, { approved: true, by: 'marta', digest })).toMatchObject({ ok: true })
  }
})
