// A refund that waits for a person: in this terminal, then for somebody who answers in another process.
// `npx tsx examples/approval.ts`
import './support/temporary-folder.js'
import { mkdirSync } from 'node:fs'
import { Agent, AuditSink, defineTool } from 'writ'
import { consoleApproval, folderApprovalStore } from 'writ/approvals'
import * as z from 'zod'

// #region tool
const refund = defineTool({
  description: 'Issue a refund for a customer order.',
  inputSchema: z.object({ orderId: z.int(), cents: z.int().positive() }),
  approval: ({ cents }) => cents > 1_000, // or 'always'
  redact: ({ orderId, cents }) => ({ orderId, cents }), // what the person, and the log, see of the input
  execute: ({ orderId, cents }) => `refunded ${cents} cents for order ${orderId}`,
})
// #endregion tool

mkdirSync('decided')
const options = {
  identity: 'support-bot/v1',
  budget: { toolCalls: 10, denials: 10, wallMs: 120_000 },
  tools: { refund },
  approvalTimeoutMs: 60_000,
  approvalPausesWallMs: true,
  approvalSecret: 'for an example only: take 32 random bytes',
  approvalStore: folderApprovalStore('decided'),
} as const

// #region console
const agent = new Agent({
  ...options,
  audit: AuditSink.file('./audit.jsonl'),
  approve: consoleApproval(), // denies where there is no terminal
})

await agent.session('alice', async (s) => {
  const small = await s.dispatch({ name: 'refund', input: { orderId: 4521, cents: 500 } })
  console.log('5 euros:', small.ok ? small.output : small.denial.message)
  const large = await s.dispatch({ name: 'refund', input: { orderId: 4521, cents: 20_000 } })
  console.log('200 euros:', large.ok ? large.output : large.denial.message)
})
// #endregion console

// #region suspend
const token = await agent.session('alice', async (s) => {
  const request = { name: 'refund', input: { orderId: 4522, cents: 30_000 } }
  const result = await s.dispatch(request, { onApproval: 'suspend' })
  return result.ok ? undefined : result.pending // a text: put it in a queue, a table, a mail
})
// #endregion suspend
await agent.close()

// Hours later, in another process, with a log of its own:
const later = new Agent({ ...options, audit: AuditSink.file('./later.jsonl') })
if (token !== undefined) {
  // #region resume
  const asked = later.pending(token) // what to show to whoever decides
  console.log(`marta is asked for ${asked.tool}`, asked.input)
  const decision = { approved: true, by: 'marta', digest: asked.digest }
  const result = await later.resume(token, decision)
  console.log('300 euros:', result.ok ? result.output : result.denial.message)
  const again = await later.resume(token, decision)
  console.log('and again:', again.ok ? again.output : again.denial.message)
  // #endregion resume
}
await later.close()
