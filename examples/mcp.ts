// An MCP client under a contract: the real filesystem server in a temporary folder, which may read and not write.
// Each line that the contract adds is marked with a plus. `npx tsx examples/mcp.ts`
import './support/temporary-folder.js'
import { readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const root = realpathSync('.')
const args = [
  createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/dist/index.js'),
  root,
]
const command = process.execPath
writeFileSync('./note.txt', 'buy milk')

// #region mcp
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { Agent, AuditSink } from 'writ' // +
import { govern, mcpTool } from 'writ/mcp' // +

const audit = AuditSink.file('./audit.jsonl') // +
const tools = { read_text_file: mcpTool({ readOnly: true, maxCalls: 5 }) } // +
const agent = new Agent({ identity: 'notes/v1', budget: { toolCalls: 20 }, tools, audit }) // +

const client = new Client({ name: 'notes', version: '1.0.0' })
const transport = new StdioClientTransport({ command, args, stderr: 'ignore' })
await client.connect(govern(transport, { server: 'filesystem' })) // +

const run = async (): Promise<void> => {
  const path = `${root}/note.txt`
  console.log('tools:', (await client.listTools()).tools.map(({ name }) => name).join(', '))
  console.log(await client.callTool({ name: 'read_text_file', arguments: { path } }))
  console.log(await client.callTool({ name: 'write_file', arguments: { path, content: 'buy gold' } }))
}
await agent.session('alice', run) // +
// #endregion mcp

await client.close()
await agent.close()
console.log('the note:', readFileSync('./note.txt', 'utf8'))
for (const line of readFileSync('./audit.jsonl', 'utf8').trimEnd().split('\n')) {
  const { event, payload } = JSON.parse(line)
  if (event === 'tool_denied') console.log(`${payload.tool}: ${payload.reason}`)
}
