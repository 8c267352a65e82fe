import { Agent, AuditSink, defineTool, type FileSinkOptions } from 'writ'
import * as z from 'zod'

/** Writes `calls` tool calls into `./audit.jsonl`, with the options of the file sink that it is given. */
const [calls = '1', options = '{}'] = process.argv.slice(2)
const agent = new Agent({
  identity: 'clerk/v1',
  budget: { toolCalls: 1000 },
  tools: { pay: defineTool({ inputSchema: z.object({ to: z.string() }), execute: () => 'paid' }) },
  audit: AuditSink.file('./audit.jsonl', JSON.parse(options) as FileSinkOptions),
})
await agent.session('alice', async (s) => {
  for (let call = 0; call < Number(calls); call++) await s.callTool('pay', { to: 'x'.repeat(20) })
})
await agent.close()
