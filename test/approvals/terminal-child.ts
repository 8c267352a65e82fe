/** A refund that is asked about at the real terminal of this process. Prints what came of it. */
import { Agent, AuditSink, defineTool } from 'writ'
import { consoleApproval } from 'writ/approvals'

const refund = defineTool({
  inputSchema: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } },
  approval: 'always',
  execute: () => 'refunded',
})
const agent = new Agent({
  identity: 'clerk/v1',
  budget: { toolCalls: 1 },
  tools: { refund },
  audit: AuditSink.memory(),
  approve: consoleApproval({ by: 'marta' }),
})
const result = await agent.session('alice', (s) => s.dispatch({ name: 'refund', input: {} }))
await agent.close()
// Nothing is left that would keep the process alive, a terminal that is read least of all.
console.log(result.ok ? `result: ${result.output}` : `result: ${result.denial.reason}`)
