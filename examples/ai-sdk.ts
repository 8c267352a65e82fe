// A program that uses the AI SDK, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/ai-sdk.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region ai-sdk
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, stepCountIs, tool } from 'ai'
import { Agent, AuditSink } from 'writ' // +
import { fromTool, governModel, governTools } from 'writ/ai-sdk' // +
import * as z from 'zod'
import { baseURL } from './support/ai-sdk-stand-in.js'

const openai = createOpenAI({ apiKey: 'none', baseURL })
const refund = tool({
  description: 'Pays an amount back.',
  inputSchema: z.object({ eur: z.number() }),
  execute: ({ eur }) => `paid ${eur} EUR`,
})

const prices = { 'gpt-5': { inputUsdPerMTok: 1.25, outputUsdPerMTok: 10 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const registered = { refund: fromTool(refund, { maxCalls: 1 }) } // +
const agent = new Agent({ identity: 'desk/v1', budget: { usd: 0.01 }, prices, tools: registered, audit }) // +

const run = async (): Promise<void> => {
  const { text } = await generateText({
    model: governModel(openai.chat('gpt-5')),
    tools: governTools({ refund }),
    stopWhen: stepCountIs(5),
    maxOutputTokens: 50,
    prompt: 'I want 20 EUR back, twice.',
  })
  console.log(text)
}

await agent.session('alice', run) // +
await agent.close() // +
// #endregion ai-sdk

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_denied') console.log(`${payload.tool}: ${payload.reason}`)
  if (event === 'llm_call') console.log(`${payload.model}: ${payload.output_tokens} tokens out`)
}
