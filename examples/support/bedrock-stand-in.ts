import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'

/** A message of an event stream of AWS: lengths, a checksum, headers, a body and another checksum. */
function message(type: string, payload: object): Buffer {
  const headers = Buffer.concat(
    [
      [':message-type', 'event'],
      [':event-type', type],
      [':content-type', 'application/json'],
    ].map(([name = '', value = '']) =>
      Buffer.from([name.length, ...Buffer.from(name), 7, 0, value.length, ...Buffer.from(value)]),
    ),
  )
  const body = Buffer.from(JSON.stringify(payload))
  const bytes = Buffer.alloc(16 + headers.length + body.length)
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.writeUInt32BE(headers.length, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  headers.copy(bytes, 12)
  body.copy(bytes, 12 + headers.length)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

/**
 * Stands where Bedrock stands: Converse and ConverseStream on loopback, over HTTP/2. The longer it is asked
 * to write, the longer it writes: without end for `for ever`.
 */
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  const isEndless = text.includes('for ever')
  const usage = { inputTokens: 12, outputTokens: 5, totalTokens: 17 }
  const metrics = { latencyMs: 1 }
  if (!request.url.endsWith('/converse-stream')) {
    const output = { message: { role: 'assistant', content: [{ text: 'An old chair.' }] } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ output, stopReason: 'end_turn', usage, metrics }))
    return
  }
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
  for (let words = 0; (isEndless || words < 5) && !response.stream.destroyed; words += 1) {
    response.write(message('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'once more ' } }))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (!response.stream.destroyed) response.end(message('metadata', { usage, metrics }))
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
// The example ends when it has nothing more to do, not when this does.
server.unref()

export const endpoint: string = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
