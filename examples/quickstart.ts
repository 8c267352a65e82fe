// The first page of the README: an agent, a tool, a session, a log. `npx tsx examples/quickstart.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
import { provider } from './support/stand-in-provider.js'

// #region quickstart

import { Agent, AuditSink, defineTool } from 'writ'
import * as z from 'zod'

const refund = defineTool({
  description: 'Issue a refund for a customer order.',
  inputSchema: z.object({ orderId: z.number().int() }),
  when: ({ orderId }) => orderId > 0,
  execute: async ({ orderId }) => `refunded ${orderId}`,
})

const agent = new Agent({
  identity: 'support-bot/v1',
  budget: { usd: 5, tokens: 100_000, wallMs: 120_000, toolCalls: 10, depth: 2 },
  tools: { refund },
  audit: AuditSink.file('./audit.jsonl'),
})

const answer = await agent.session(
  'alice',
  async (s) => {
    const reply = await provider.chat('Refund order #4521.', { signal: s.signal }) // your model client
    s.recordLlm(reply.usage) // { model, inputTokens: 120, outputTokens: 300, costUsd: 0.012 }
    return s.callTool('refund', { orderId: 4521 }) // a tool outside the registry is a compile error
  },
  { task: 'refund order #4521' },
)

await agent.close()
// #endregion quickstart

console.log(answer)
console.log(readFileSync('./audit.jsonl', 'utf8'))
