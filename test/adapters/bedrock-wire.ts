import { crc32 } from 'node:zlib'
import type { Tokens, Wire } from './provider.js'

/** A message of `application/vnd.amazon.eventstream`. */
export function frame(type: string, payload: unknown, kind: 'event' | 'exception' = 'event'): Uint8Array {
  const headers = Buffer.concat(
    Object.entries({
      [`:${kind}-type`]: type,
      ':content-type': 'application/json',
      ':message-type': kind,
    }).map(([name, value]) => {
      const header = Buffer.alloc(4 + name.length + value.length)
      header.writeUInt8(name.length, 0)
      header.write(name, 1)
      // Seven: a string.
      header.writeUInt8(7, 1 + name.length)
      header.writeUInt16BE(value.length, 2 + name.length)
      header.write(value, 4 + name.length)
      return header
    }),
  )
  const body = Buffer.from(JSON.stringify(payload))
  const message = Buffer.alloc(16 + headers.length + body.length)
  message.writeUInt32BE(message.length, 0)
  message.writeUInt32BE(headers.length, 4)
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8)
  headers.copy(message, 12)
  body.copy(message, 12 + headers.length)
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4)
  return message
}

/** Bedrock does not count what was read from the cache as input, and reports no reasoning. */
const usage = ({ input, output, cached = 0 }: Tokens) => ({
  inputTokens: input - cached,
  outputTokens: output,
  totalTokens: input + output,
  cacheReadInputTokens: cached,
  cacheWriteInputTokens: 0,
})

/** What Bedrock sends for Converse and ConverseStream. */
export const bedrockWire: Wire = {
  reply: (_path, _body, text, tokens) => ({
    output: { message: { role: 'assistant', content: [{ text }] } },
    stopReason: 'end_turn',
    metrics: { latencyMs: 1 },
    ...(tokens === undefined ? {} : { usage: usage(tokens) }),
  }),
  events: (_path, _body, pieces, tokens) => ({
    pieces: pieces.map((text, index) => {
      const delta = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } })
      return index > 0 ? delta : Buffer.concat([frame('messageStart', { role: 'assistant' }), delta])
    }),
    end: [
      frame('contentBlockStop', { contentBlockIndex: 0 }),
      frame('messageStop', { stopReason: 'end_turn' }),
      ...(tokens === undefined
        ? []
        : [frame('metadata', { usage: usage(tokens), metrics: { latencyMs: 1 } })]),
    ],
  }),
  streamType: 'application/vnd.amazon.eventstream',
}
