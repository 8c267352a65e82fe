import { expect, test } from 'vitest'
import { defineTool, type ToolSet } from 'writ'
import { fakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench } from '../support/agents.js'

const inputSchema = z.object({})

/** A full rolling limit has room again between two looks at it: the second of them is the `turn`-th of the call. */
async function race(turn: number) {
  const inner = fakeClock()
  let looks = Number.NEGATIVE_INFINITY
  const clock = {
    ...inner,
    monotonicMs: () => {
      looks += 1
      if (looks === turn) inner.block(1000)
      return inner.monotonicMs()
    },
  }
  let asked = 0
  let ran = 0
  const { agent } = bench({
    budget: { toolCalls: 10 },
    limits: { perUser: { toolCalls: 1, windowMs: 64 } },
    clock: clock as never,
    approve: () => {
      asked += 1
      return { approved: false, by: 'marta' }
    },
    tools: {
      free: defineTool({ inputSchema, execute: () => 'free' }),
      refund: defineTool({
        inputSchema,
        approval: 'always',
        execute: () => {
          ran += 1
        },
      }),
    } as ToolSet,
  })
  const ended = agent.session('alice', async (s) => {
    await s.callTool('free', {} as never)
    looks = 0
    return s.dispatch({ name: 'refund', input: {} })
  })
  const result = await ended.catch((error: unknown) => error)
  return { asked, ran, result }
}

test('a call that nobody was asked about, because there was no room, does not run when there is some again', async () => {
  const seen = new Set<unknown>()
  for (let turn = 1; turn <= 12; turn++) {
    const { ran, result } = await race(turn)
    expect(ran).toBe(0)
    const { denial, code } = result as { denial?: { reason: string }; code?: string }
    seen.add(denial?.reason ?? code)
  }
  expect(seen).toEqual(new Set(['approval_denied', 'budget_exceeded', 'ERR_BUDGET_EXCEEDED']))
})
