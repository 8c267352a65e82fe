// A program that uses the OpenAI SDK, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/openai.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region openai
import OpenAI from 'openai'
import { Agent, AuditSink } from 'writ' // +
import { governedFetch } from 'writ/openai' // +
import { baseURL } from './support/openai-stand-in.js'

const prices = { 'gpt-5': { inputUsdPerMTok: 1.25, outputUsdPerMTok: 10 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const agent = new Agent({ identity: 'writer/v1', budget: { usd: 0.001 }, prices, audit }) // +

const openai = new OpenAI({ apiKey: 'none', baseURL, fetch: governedFetch() })

const write = async (content: string): Promise<void> => {
  const messages = [{ role: 'user' as const, content }]
  const title = await openai.chat.completions.create({ model: 'gpt-5', messages, max_tokens: 20 })
  console.log(title.choices[0]?.message.content)
  let words = 0
  for await (const _chunk of await openai.chat.completions.create({
    model: 'gpt-5',
    messages,
    stream: true,
  })) {
    words += 2
  }
  console.log(`${words} words`)
}

await agent.session('alice', () => write('Write a line about a chair.')) // +
await agent
  .session('bob', () => write('Write about a chair, for ever.')) // +
  .catch(({ code, limit }) => console.log(`stopped: ${code}, ${limit}`)) // +

await agent.close() // +
// #endregion openai

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, invoking_user: user, payload } = JSON.parse(line)
  if (event === 'llm_call') console.log(`${user}: ${payload.output_tokens} tokens out, ${payload.metering}`)
}
