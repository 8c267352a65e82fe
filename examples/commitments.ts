// Values that the log commits to and does not hold: one of them is disclosed, then all are erased.
// `npx tsx examples/commitments.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
import { Agent, AuditSink, defineTool, ScopeKeys } from 'writ'
import { disclose, verifyDisclosure, verifyLog } from 'writ/verify'
import * as z from 'zod'

// #region commit
const charge = defineTool({
  inputSchema: z.object({ card: z.string(), cents: z.number().int() }),
  commit: ['/card', '/cents'], // JSON pointers; '' is the whole input
  execute: async ({ cents }) => `charged ${cents}`,
})

const scopeKeys = ScopeKeys.folder('./keys') // not where the log and its backups are
const agent = new Agent({
  identity: 'billing-bot/v1',
  budget: { toolCalls: 10 },
  tools: { charge },
  audit: AuditSink.file('./audit.jsonl'),
  scopeKeys,
})
// #endregion commit

await agent.session('alice', (s) => s.callTool('charge', { card: '4111111111111111', cents: 500 }))
await agent.close()

const bytes = readFileSync('./audit.jsonl')
const line =
  bytes
    .toString()
    .split('\n')
    .find((text) => text.includes('"event":"tool_call"')) ?? ''
console.log('in the log:', Object.keys(JSON.parse(line).payload.commitments).join(' '))
console.log('the card is in the log:', line.includes('4111'))

const scope = scopeKeys.find('alice')
if (scope !== undefined) {
  const disclosure = disclose(line, '/cents', 500, scope)
  if (disclosure.ok) console.log('500 cents:', verifyDisclosure(line, disclosure.value).ok)
  console.log('900 cents:', disclose(line, '/cents', 900, scope).ok)
}

scopeKeys.destroy('alice')
console.log("alice's key:", scopeKeys.find('alice'))
console.log('the log:', (await verifyLog(bytes)).verdict)
