// The same contract without promises, for code that cannot wait. `npx tsx examples/sync-session.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
import { Agent, AuditSink, BudgetExceeded, defineTool } from 'writ'
import * as z from 'zod'

// #region sync
const agent = new Agent({
  identity: 'price-desk/v1',
  budget: { toolCalls: 3, denials: 2 },
  tools: {
    discount: defineTool({
      description: 'The price after a discount, in cents.',
      inputSchema: z.object({ cents: z.int().min(0), percent: z.number().min(0).max(100) }),
      when: ({ percent }) => percent <= 20,
      execute: ({ cents, percent }) => Math.round(cents * (1 - percent / 100)),
    }),
  },
  audit: AuditSink.file('./audit.jsonl'),
})

const total = agent.sessionSync('marta', (s) => {
  const chairs = s.callTool('discount', { cents: 960_000, percent: 10 })
  const table = s.callTool('discount', { cents: 124_000, percent: 5 })
  const decision = s.authorize('discount', { cents: 124_000, percent: 90 }) // asked, not called
  console.log('90 percent:', decision.allowed ? 'allowed' : decision.reason)
  return chairs + table
})
console.log('total in cents:', total)
// #endregion sync

try {
  agent.sessionSync('marta', (s) => {
    for (;;) s.callTool('discount', { cents: 100, percent: 1 })
  })
} catch (error) {
  if (!(error instanceof BudgetExceeded)) throw error
  console.log(`a loop: ${error.code}, ${error.used} of ${error.max} ${error.limit} used`)
}

await agent.close()
const events = readFileSync('./audit.jsonl', 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line).event)
console.log(`${events.length} records, the last three: ${events.slice(-3).join(', ')}`)
