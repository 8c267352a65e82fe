import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Item {
  readonly type?: string
  readonly output?: string
}

/**
 * Stands where OpenAI stands: the Responses API on loopback. It asks for a refund, then for another one, and
 * then says what became of them.
 */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const { model, input } = JSON.parse(text)
  const results = (input as Item[]).filter(({ type }) => type === 'function_call_output')
  const refused = results.filter(({ output = '' }) => output.includes('"error"')).length
  const number = results.length + 1
  const output =
    number <= 2
      ? { type: 'function_call', id: `fc_${number}`, call_id: `call_${number}`, name: 'refund' }
      : { type: 'message', id: 'msg_1', role: 'assistant' }
  const content = [
    {
      type: 'output_text',
      text: `${results.length - refused} paid, ${refused} refused`,
      annotations: [],
    },
  ]
  const made = number <= 2 ? { arguments: '{"eur":20}' } : { content }
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      id: `resp_${number}`,
      object: 'response',
      model,
      status: 'completed',
      output: [{ ...output, ...made, status: 'completed' }],
      usage: { input_tokens: 40, output_tokens: 8, total_tokens: 48 },
    }),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const baseURL: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
