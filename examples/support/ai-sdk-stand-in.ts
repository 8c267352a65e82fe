import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Message {
  readonly role: string
  readonly content: unknown
}

/**
 * Stands where OpenAI stands: chat completions on loopback. It asks for a refund, then for another one, and then
 * says what became of them.
 */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const { model, messages } = JSON.parse(text)
  const results = (messages as Message[]).filter(({ role }) => role === 'tool')
  const refused = results.filter(({ content }) => String(content).includes('"error"')).length
  const number = results.length + 1
  const call = {
    id: `call_${number}`,
    type: 'function',
    function: { name: 'refund', arguments: '{"eur":20}' },
  }
  const message =
    number <= 2
      ? { role: 'assistant', content: null, tool_calls: [call] }
      : { role: 'assistant', content: `${results.length - refused} paid, ${refused} refused` }
  const choices = [{ index: 0, finish_reason: number <= 2 ? 'tool_calls' : 'stop', message }]
  const usage = { prompt_tokens: 40, completion_tokens: 8, total_tokens: 48 }
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      id: `chat-${number}`,
      created: 1,
      model,
      object: 'chat.completion',
      choices,
      usage,
    }),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const baseURL: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
