// A program that uses the OpenAI Agents SDK, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/openai-agents.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region openai-agents
import { OpenAIProvider, Runner, Agent as SdkAgent, tool } from '@openai/agents'
import { Agent, AuditSink } from 'writ' // +
import { fromTool, governAgent, governedProvider } from 'writ/openai-agents' // +
import { baseURL } from './support/openai-agents-stand-in.js'

const refund = tool({
  name: 'refund',
  description: 'Pays an amount back.',
  parameters: { type: 'object', properties: { eur: {} }, required: ['eur'], additionalProperties: false },
  execute: (input) => `paid ${JSON.stringify(input)}`,
})
const desk = new SdkAgent({
  name: 'desk',
  model: 'gpt-5',
  modelSettings: { maxTokens: 50 },
  tools: [refund],
})

const prices = { 'gpt-5': { inputUsdPerMTok: 1.25, outputUsdPerMTok: 10 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const tools = { refund: fromTool(refund, { maxCalls: 1 }) } // +
const agent = new Agent({ identity: 'desk/v1', budget: { usd: 0.01 }, prices, tools, audit }) // +

const modelProvider = governedProvider(new OpenAIProvider({ apiKey: 'none', baseURL }))
const runner = new Runner({ modelProvider, tracingDisabled: true })
const run = async (): Promise<void> => {
  const { finalOutput } = await runner.run(governAgent(desk), 'I want 20 EUR back, twice.')
  console.log(finalOutput)
}

await agent.session('alice', run) // +
await agent.close() // +
// #endregion openai-agents

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_denied') console.log(`${payload.tool}: ${payload.reason}`)
  if (event === 'llm_call') console.log(`${payload.model}: ${payload.output_tokens} tokens out`)
}
