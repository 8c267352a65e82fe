import { expect, test } from 'vitest'
import type { ApprovalAnswer } from 'writ'
import { govern, mcpTool } from 'writ/mcp'
import { bench } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

/** It takes calls, and answers none. */
const silentServer = () =>
  new ScriptedTransport(({ method }) =>
    method === 'tools/list'
      ? { tools: [listed('pay', { type: 'object', properties: { to: { const: 'carol' } } })] }
      : undefined,
  )

test.for([{ to: 'mallory' }, { to: 'carol', more: 1 }])(
  'who knows the id of a call that waits for its approval cannot put another one in its place: %j',
  async (input) => {
    const waiting: ((answer: ApprovalAnswer) => void)[] = []
    const { agent, payloads } = bench({
      budget: { toolCalls: 5 },
      tools: { pay: mcpTool({ approval: 'always' }) },
      approve: () => new Promise((resolve) => waiting.push(resolve)),
    })
    const wire = silentServer()
    const client = new BareClient(govern(wire, { server: 'bank' }))
    await agent.session('alice', async (session) => {
      const call = client.call('pay', { to: 'carol' })
      await expect.poll(() => waiting.length).toBe(1)
      const id = payloads('approval_requested')[0]?.['model_call_id'] as string
      expect(id).toMatch(/^bank\//)
      expect(await session.dispatch({ id, name: 'pay', input })).toMatchObject({
        ok: false,
        denial: { reason: 'predicate_false' },
      })
      waiting[0]?.({ approved: true, by: 'dora' })
      await expect
        .poll(() => wire.got('tools/call'))
        .toMatchObject([{ params: { arguments: { to: 'carol' } } }])
      // The same once more is not sent once more.
      const again = session.dispatch({ id, name: 'pay', input: { to: 'carol' } })
      await expect.poll(() => waiting.length).toBe(2)
      waiting[1]?.({ approved: true, by: 'dora' })
      expect(await again).toMatchObject({ ok: false, denial: { reason: 'tool_error' } })
      expect(wire.got('tools/call')).toHaveLength(1)
      await wire.close()
      expect(textOf(await call)).toBe('the connection has ended')
    })
  },
)
