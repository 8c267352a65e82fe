import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands where Anthropic stands: asks for two refunds, then says what it was told of them. */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const { model, messages } = JSON.parse(text)
  const { content } = messages.at(-1)
  const asked = [
    { type: 'tool_use', id: 'toolu_1', name: 'refund', input: { order: 4521, usd: 30 } },
    { type: 'tool_use', id: 'toolu_2', name: 'refund', input: { order: 4522, usd: 900 } },
  ]
  const told = Array.isArray(content)
    ? content.map((result) => (result.is_error ? 'I may not' : result.content)).join('; ')
    : undefined
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model,
      content: told === undefined ? asked : [{ type: 'text', text: told }],
      stop_reason: told === undefined ? 'tool_use' : 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 200, output_tokens: 60 },
    }),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const baseURL: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
