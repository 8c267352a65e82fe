import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as Client2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { test } from 'vitest'
import { Agent, AuditSink } from 'writ'
import { govern, mcpTool } from 'writ/mcp'
import * as z from 'zod'

const bin = createRequire(import.meta.url)
  .resolve('@modelcontextprotocol/server-filesystem/package.json')
  .replace('package.json', 'dist/index.js')
test('v1', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'mcp-')))
  writeFileSync(join(root, 'a.txt'), 'hello')
  const sink = AuditSink.memory()
  const agent = new Agent({
    identity: 'x/v1',
    budget: { toolCalls: 10 },
    audit: sink,
    tools: {
      read_text_file: mcpTool({ inputSchema: z.looseObject({ path: z.string() }), readOnly: true }),
      list_directory: mcpTool(),
    },
  })
  const client = new Client({ name: 'app', version: '1.0.0' })
  const t = govern(
    new StdioClientTransport({ command: process.execPath, args: [bin, root], stderr: 'ignore' }),
    { server: 'fs' },
  )
  t.onerror = (e) => console.log('ERR', e.message)
  await client.connect(t)
  await agent.session('alice', async () => {
    console.log((await client.listTools()).tools.map((x) => x.name))
    console.log(
      JSON.stringify(
        await client.callTool({ name: 'read_text_file', arguments: { path: join(root, 'a.txt') } }),
      ),
    )
    console.log(
      JSON.stringify(
        await client.callTool({ name: 'read_text_file', arguments: { path: join(root, '../b.txt') } }),
      ),
    )
    console.log(
      JSON.stringify(await client.callTool({ name: 'read_text_file', arguments: { path: 'a', head: 'x' } })),
    )
    console.log(
      JSON.stringify(
        await client.callTool({ name: 'write_file', arguments: { path: join(root, 'a.txt'), content: 'x' } }),
      ),
    )
    console.log(JSON.stringify(await client.callTool({ name: 'list_directory', arguments: { path: root } })))
  })
  await client
    .callTool({ name: 'list_directory', arguments: { path: root } })
    .catch((e) => console.log('after', e.message))
  await client.close()
  await agent.close()
  for (const r of sink.records) console.log(r.event, JSON.stringify(r.payload).slice(0, 200))
}, 20000)
test('v2 auto', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'mcp-')))
  writeFileSync(join(root, 'a.txt'), 'hello')
  const sink = AuditSink.memory()
  const agent = new Agent({
    identity: 'x/v1',
    budget: { toolCalls: 10 },
    audit: sink,
    tools: { read_text_file: mcpTool() },
  })
  const client = new Client2({ name: 'app', version: '1.0.0' }, {
    versionNegotiation: { mode: 'auto' },
  } as never)
  await client.connect(
    govern(new Stdio2({ command: process.execPath, args: [bin, root], stderr: 'ignore' }), { server: 'fs' }),
  )
  await agent.session('alice', async () => {
    console.log((await client.listTools()).tools.map((x) => x.name))
    console.log(
      JSON.stringify(
        await client.callTool({ name: 'read_text_file', arguments: { path: join(root, 'a.txt') } }),
      ),
    )
    console.log(
      JSON.stringify(
        await client.callTool({ name: 'write_file', arguments: { path: join(root, 'a.txt'), content: 'x' } }),
      ),
    )
  })
  await client.close()
}, 20000)
