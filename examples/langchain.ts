// An agent of LangChain, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/langchain.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region langchain
import { createAgent, tool } from 'langchain'
import { Agent, AuditSink } from 'writ' // +
import { fromTool, governedMiddleware } from 'writ/langchain' // +
import { model } from './support/langchain-stand-in.js'

const refund = tool((input) => `paid ${JSON.stringify(input)}`, {
  name: 'refund',
  description: 'Pays an amount back.',
  schema: { type: 'object', properties: { eur: { type: 'number' } }, required: ['eur'] },
})

const prices = { 'gpt-5': { inputUsdPerMTok: 1.25, outputUsdPerMTok: 10 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const tools = { refund: fromTool(refund, { maxCalls: 1 }) } // +
const agent = new Agent({ identity: 'desk/v1', budget: { usd: 0.01 }, prices, tools, audit }) // +

const middleware = [governedMiddleware()] // +
const desk = createAgent({ model, tools: [refund], middleware })
const run = async (): Promise<void> => {
  const { messages } = await desk.invoke({ messages: 'I want 20 EUR back, twice.' })
  console.log(messages.at(-1)?.text)
}

await agent.session('alice', run) // +
await agent.close() // +
// #endregion langchain

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_denied') console.log(`${payload.tool}: ${payload.reason}`)
  if (event === 'llm_call') console.log(`${payload.model}: ${payload.output_tokens} tokens out`)
}
