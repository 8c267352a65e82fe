// A program that uses the Anthropic SDK and its tool runner, governed. Each line that the contract adds is
// marked with a plus.
// `npx tsx examples/anthropic.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region anthropic
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { Agent, AuditSink } from 'writ' // +
import { fromRunnableTool, governedMiddleware, toRunnableTools } from 'writ/anthropic' // +
import * as z from 'zod'
import { baseURL } from './support/anthropic-stand-in.js'

const refund = betaZodTool({
  name: 'refund',
  description: 'Pays an order back.',
  inputSchema: z.object({ order: z.number(), usd: z.number() }),
  run: ({ order, usd }) => `paid back $${usd} for order ${order}`,
})
const tools = { refund: fromRunnableTool(refund, { when: ({ usd }) => usd <= 50 }) } // +
const prices = { 'claude-opus-5': { inputUsdPerMTok: 5, outputUsdPerMTok: 25 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const agent = new Agent({ identity: 'support/v1', budget: { usd: 0.01 }, tools, prices, audit }) // +

const anthropic = new Anthropic({ apiKey: 'none', baseURL, middleware: [governedMiddleware()] })
const ask = { model: 'claude-opus-5', max_tokens: 100 }
const messages = [{ role: 'user' as const, content: 'My chairs broke.' }]

const help = async (tools: ReturnType<typeof toRunnableTools>): Promise<void> => {
  const { content } = await anthropic.beta.messages.toolRunner({ ...ask, messages, tools })
  console.log(content.map((block) => (block.type === 'text' ? block.text : '')).join())
}
const helpForEver = async (): Promise<void> => {
  for (;;) await anthropic.messages.create({ ...ask, messages })
}

await agent.session('alice', (s) => help(toRunnableTools(s, agent.toolSchemas('anthropic')))) // +
await agent
  .session('bob', helpForEver) // +
  .catch(({ code, limit }) => console.log(`stopped: ${code}, ${limit}`)) // +

await agent.close() // +
// #endregion anthropic

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, invoking_user: user, payload } = JSON.parse(line)
  if (event === 'llm_call') console.log(`${user}: ${payload.output_tokens} tokens out, ${payload.metering}`)
  if (event === 'tool_denied') console.log(`${user}: ${payload.tool} denied, ${payload.reason}`)
}
