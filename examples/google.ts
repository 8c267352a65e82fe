// A program that uses the Google Gen AI SDK, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/google.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region google
import { GoogleGenAI } from '@google/genai'
import { Agent, AuditSink } from 'writ' // +
import { governedFetch } from 'writ/google' // +
import { baseUrl } from './support/google-stand-in.js'

const model = 'gemini-2.5-flash'
const prices = { [model]: { inputUsdPerMTok: 0.3, outputUsdPerMTok: 2.5 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const agent = new Agent({ identity: 'writer/v1', budget: { usd: 0.0005 }, prices, audit }) // +

const ai = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl, fetch: governedFetch() } })

const write = async (contents: string): Promise<void> => {
  const title = await ai.models.generateContent({ model, contents, config: { maxOutputTokens: 20 } })
  console.log(title.text)
  let words = 0
  for await (const _chunk of await ai.models.generateContentStream({ model, contents })) words += 2
  console.log(`${words} words`)
}

await agent.session('alice', () => write('Write a line about a chair.')) // +
await agent
  .session('bob', () => write('Write about a chair, for ever.')) // +
  .catch(({ code, limit }) => console.log(`stopped: ${code}, ${limit}`)) // +

await agent.close() // +
// #endregion google

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, invoking_user: user, payload } = JSON.parse(line)
  if (event === 'llm_call') console.log(`${user}: ${payload.output_tokens} tokens out, ${payload.metering}`)
}
