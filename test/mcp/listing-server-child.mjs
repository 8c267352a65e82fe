// An MCP server that lists the tools of a file, two on each page, and calls itself what the file says.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const { name, version = '1', tools, endless = false } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const PAGE = 2

function answer({ method, params }) {
  if (method === 'initialize') {
    return {
      protocolVersion: params.protocolVersion,
      capabilities: tools === undefined ? {} : { tools: {} },
      serverInfo: { name, version },
    }
  }
  if (method !== 'tools/list') return {}
  const start = Number(params.cursor ?? 0)
  const rest = start + PAGE < tools.length ? { nextCursor: String(start + PAGE) } : {}
  return { tools: tools.slice(start, start + PAGE), ...rest, ...(endless ? { nextCursor: '0' } : {}) }
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line)
  if (message.id === undefined) continue
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: answer(message) })}\n`)
}
