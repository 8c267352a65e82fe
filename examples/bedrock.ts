// A program that uses the AWS SDK for Bedrock, governed. Each line that the contract adds is marked with a plus.
// `npx tsx examples/bedrock.ts`
import './support/temporary-folder.js'
import { readFileSync } from 'node:fs'
// #region bedrock
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime'
import { Agent, AuditSink } from 'writ' // +
import { governed } from 'writ/bedrock' // +
import { endpoint } from './support/bedrock-stand-in.js'

const modelId = 'amazon.nova-pro-v1:0'
const prices = { [modelId]: { inputUsdPerMTok: 0.8, outputUsdPerMTok: 3.2 } } // +
const audit = AuditSink.file('./audit.jsonl') // +
const agent = new Agent({ identity: 'writer/v1', budget: { usd: 0.0005 }, prices, audit }) // +

const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
const bedrock = governed(BedrockRuntimeClient, { region: 'us-east-1', credentials, endpoint })

const write = async (text: string): Promise<void> => {
  const input = { modelId, messages: [{ role: 'user' as const, content: [{ text }] }] }
  const inferenceConfig = { maxTokens: 20 }
  const title = await bedrock.send(new ConverseCommand({ ...input, inferenceConfig }))
  console.log(title.output?.message?.content?.[0]?.text)
  const { stream = [] } = await bedrock.send(new ConverseStreamCommand(input))
  let words = 0
  for await (const { contentBlockDelta } of stream) {
    if (contentBlockDelta !== undefined) words += 2
  }
  console.log(`${words} words`)
}

await agent.session('alice', () => write('Write a line about a chair.')) // +
await agent
  .session('bob', () => write('Write about a chair, for ever.')) // +
  .catch(({ code, limit }) => console.log(`stopped: ${code}, ${limit}`)) // +

await agent.close() // +
// #endregion bedrock

for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, invoking_user: user, payload } = JSON.parse(line)
  if (event === 'llm_call') console.log(`${user}: ${payload.output_tokens} tokens out, ${payload.metering}`)
}
