import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Stands where OpenAI stands: chat completions on loopback, as JSON or as a stream. The longer it is asked
 * to write, the longer it writes: without end for `for ever`.
 */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const { model, messages, stream, stream_options: options } = JSON.parse(text)
  const isEndless = String(messages.at(-1).content).includes('for ever')
  const usage = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }
  const common = { id: 'chat-1', created: 1, model }
  if (stream !== true) {
    const message = { role: 'assistant', content: 'An old chair.', refusal: null }
    const choices = [{ index: 0, finish_reason: 'stop', message }]
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...common, object: 'chat.completion', choices, usage }))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (choices: unknown[], more: object = {}): boolean =>
    response.write(
      `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...more })}\n\n`,
    )
  for (let words = 0; (isEndless || words < 5) && !response.destroyed; words += 1) {
    send([{ index: 0, delta: { content: 'once more ' } }])
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (options?.include_usage === true) send([], { usage })
  response.end('data: [DONE]\n\n')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const baseURL: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
