// Claude Code, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/claude-agent.ts`
import './support/temporary-folder.js'
import { existsSync, readFileSync } from 'node:fs'
// #region claude-agent
import * as sdk from '@anthropic-ai/claude-agent-sdk'
import { Agent, AuditSink } from 'writ' // +
import { claudeTool, governedQuery } from 'writ/claude-agent' // +
import * as z from 'zod' // +
import { env } from './support/claude-stand-in.js'

const bash = claudeTool({
  inputSchema: z.looseObject({ command: z.string() }), // +
  when: ({ command }) => /^git [\w -]+$/.test(command), // +
}) // +
const audit = AuditSink.file('./audit.jsonl') // +
const agent = new Agent({ identity: 'reviewer/v1', budget: { usd: 1 }, tools: { bash }, audit }) // +

await agent.session('alice', async (s) => {
  const options: sdk.Options = { env, model: 'claude-sonnet-4-5', settingSources: [] }
  for await (const message of governedQuery(s, sdk, { prompt: 'Look around.', options })) {
    if (message.type === 'result') console.log(message.subtype)
  }
})

await agent.close() // +
// #endregion claude-agent

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_call') console.log(`ran ${payload.tool}`)
  if (event === 'tool_denied') console.log(`denied ${payload.tool}: ${payload.reason}`)
  if (event === 'llm_call') console.log(`${payload.input_tokens} tokens in, ${payload.metering}`)
}
console.log(existsSync('left-behind') ? 'left behind' : 'nothing left behind')
