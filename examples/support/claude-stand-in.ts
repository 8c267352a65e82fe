import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Stands where Anthropic stands, on loopback: asks for the commands it is given, one by one, and then says
 * that it is done.
 */
const commands = ['git --version', 'touch left-behind']
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const { messages = [], model } = text.startsWith('{') ? JSON.parse(text) : {}
  const asked = JSON.stringify(messages).split('"tool_use_id"').length - 1
  const command = commands[asked]
  const block =
    command === undefined
      ? { type: 'text', text: 'That is all.' }
      : { type: 'tool_use', id: `toolu_${asked}`, name: 'Bash', input: {} }
  const delta =
    command === undefined
      ? { type: 'text_delta', text: 'That is all.' }
      : { type: 'input_json_delta', partial_json: JSON.stringify({ command, description: 'a command' }) }
  const usage = { input_tokens: 900, output_tokens: 40 }
  const message = { id: `msg_${asked}`, type: 'message', role: 'assistant', model, content: [], usage }
  const stop_reason = command === undefined ? 'end_turn' : 'tool_use'
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of [
    { type: 'message_start', message: { ...message, stop_reason: null } },
    { type: 'content_block_start', index: 0, content_block: { ...block, ...(block.text && { text: '' }) } },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 40 } },
    { type: 'message_stop' },
  ])
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  response.end()
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

/** For the process of Claude Code: this server, and neither settings nor keys of whoever runs the example. */
export const env: Record<string, string | undefined> = {
  PATH: process.env['PATH'],
  HOME: process.cwd(),
  CLAUDE_CONFIG_DIR: `${process.cwd()}/.claude`,
  ANTHROPIC_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  ANTHROPIC_API_KEY: 'none',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
}
