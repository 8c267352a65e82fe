import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client as ClientV2,
  InMemoryTransport as PairV2,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { expect, onTestFinished, test } from 'vitest'
import { govern, mcpTool } from 'writ/mcp'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'

const mainOf = (name: string) =>
  createRequire(import.meta.url)
    .resolve(`@modelcontextprotocol/${name}/package.json`)
    .replace('package.json', 'dist/index.js')

function folder(): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'writ-mcp-')))
  onTestFinished(() => rmSync(root, { recursive: true }))
  writeFileSync(join(root, 'a.txt'), 'hello')
  return root
}

const info = { name: 'app', version: '1.0.0' }
const AUTO = { versionNegotiation: { mode: 'auto' } } as const

type Made = readonly [ClientV1 | ClientV2, StdioV1 | StdioV2]

const CLIENTS: Readonly<Record<'v1' | 'v2' | 'v2 auto', (args: string[]) => Made>> = {
  v1: (args: string[]) =>
    [new ClientV1(info), new StdioV1({ command: process.execPath, args, stderr: 'ignore' })] as const,
  v2: (args: string[]) =>
    [new ClientV2(info), new StdioV2({ command: process.execPath, args, stderr: 'ignore' })] as const,
  'v2 auto': (args: string[]) =>
    [new ClientV2(info, AUTO), new StdioV2({ command: process.execPath, args, stderr: 'ignore' })] as const,
}

test.for(['v1', 'v2', 'v2 auto'] as const)(
  'the real filesystem server under a contract, with the client %s',
  { timeout: 30_000 },
  async (line) => {
    const root = folder()
    const { agent, payloads } = bench({
      budget: { toolCalls: 10 },
      tools: { read_text_file: mcpTool({ readOnly: true }) },
    })
    const [made, transport] = CLIENTS[line]([mainOf('server-filesystem'), root])
    const client = made as ClientV1
    await client.connect(govern(transport as StdioV1, { server: 'filesystem' }))
    await agent.session('alice', async () => {
      const { tools } = await client.listTools()
      expect(tools.map(({ name }) => name)).toEqual(['read_text_file'])
      const path = join(root, 'a.txt')
      expect(await client.callTool({ name: 'read_text_file', arguments: { path } })).toMatchObject({
        content: [{ text: 'hello' }],
      })
      const wrong = await client.callTool({ name: 'read_text_file', arguments: { path, head: 'x' } })
      expect(wrong.isError).toBe(true)
      const denied = await client.callTool({ name: 'write_file', arguments: { path, content: 'x' } })
      expect(denied.isError).toBe(true)
    })
    expect(await rejection(client.callTool({ name: 'read_text_file', arguments: {} }))).toMatchObject({
      message: expect.stringContaining('no session is open'),
    })
    await client.close()
    expect(payloads('tool_denied').map(({ reason }) => reason)).toEqual(['invalid_input', 'not_registered'])
  },
)

test('ten thousand calls at once of the real everything server are each answered, counted and recorded', {
  timeout: 60_000,
}, async () => {
  const CALLS = 10_000
  const { agent, payloads } = bench({ budget: { toolCalls: CALLS }, tools: { echo: mcpTool() } })
  const [made, transport] = CLIENTS.v2([mainOf('server-everything')])
  const client = made as ClientV1
  await client.connect(govern(transport as StdioV1, { server: 'everything' }))
  await agent.session('alice', async (session) => {
    const asked = Array.from({ length: CALLS }, async (_, n) => {
      const { content } = await client.callTool({ name: 'echo', arguments: { message: `n${n}` } })
      return (content as readonly { text: string }[])[0]?.text
    })
    expect(await Promise.all(asked)).toEqual(asked.map((_, n) => `Echo: n${n}`))
    expect(session.usage().toolCalls).toBe(CALLS)
  })
  const finished = payloads('tool_result').map(({ call_id }) => call_id)
  expect(new Set(finished).size).toBe(CALLS)
  expect(new Set(payloads('tool_call').map(({ call_id }) => call_id))).toEqual(new Set(finished))
  await client.close()
})

test('a session that is killed ends a long call of the real everything server, which goes on', async () => {
  const { agent, payloads } = bench({
    budget: { usd: 1 },
    tools: { 'trigger-long-running-operation': mcpTool(), echo: mcpTool() },
  })
  const [made, transport] = CLIENTS.v1([mainOf('server-everything')])
  const client = made as ClientV1
  await client.connect(govern(transport as StdioV1, { server: 'everything' }))
  const progress: unknown[] = []
  await rejection(
    agent.session('alice', async (session) => {
      const call = client.callTool(
        { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 600 } },
        undefined,
        {
          onprogress: (each) => {
            if (progress.push(each) === 3) {
              try {
                session.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 2 })
              } catch {
                // The session is dead, as it should be.
              }
            }
          },
        },
      )
      expect(await rejection(call)).toMatchObject({ data: { code: 'ERR_BUDGET_EXCEEDED' } })
    }),
  )
  expect(progress.length).toBeGreaterThanOrEqual(3)
  expect(payloads('tool_result')[0]).toMatchObject({ ok: false, effect: 'unknown' })
  const next = bench({ budget: { toolCalls: 1 }, tools: { echo: mcpTool() } })
  await next.agent.session('bob', async () => {
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'still here' } })
    expect(JSON.stringify(content)).toContain('still here')
  })
  await client.close()
}, 30_000)

/** A server of the second line with two tools, one of which asks who is there first. */
function modernServer(calls: unknown[]): McpServer {
  const server = new McpServer({ name: 'modern', version: '1.0.0' })
  server.registerTool(
    'add',
    { inputSchema: z.object({ a: z.number(), b: z.number() }) },
    async ({ a, b }) => {
      calls.push({ a, b })
      return { content: [{ type: 'text', text: String(a + b) }] }
    },
  )
  server.registerTool('wipe', { inputSchema: z.object({}) }, async () => {
    calls.push('wipe')
    return { content: [] }
  })
  return server
}

test('the stateless protocol over HTTP, with the client of the second line', async () => {
  const calls: unknown[] = []
  const handler = createMcpHandler(() => modernServer(calls))
  const { agent } = bench({ budget: { toolCalls: 10 }, tools: { add: mcpTool() } })
  const client = new ClientV2(info, AUTO)
  const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
    fetch: (url, init) => handler.fetch(new Request(url, init)),
  })
  await client.connect(govern(transport, { server: 'modern' }))
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
  await agent.session('alice', async () => {
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add'])
    expect(await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).toMatchObject({
      content: [{ text: '3' }],
    })
    expect((await client.callTool({ name: 'add', arguments: { a: 1, b: '2' } })).isError).toBe(true)
    expect((await client.callTool({ name: 'wipe', arguments: {} })).isError).toBe(true)
  })
  await client.close()
  expect(calls).toEqual([{ a: 1, b: 2 }])
}, 30_000)

test('a server governs its own transport, in the session that it names', async () => {
  const calls: unknown[] = []
  const { agent, payloads } = bench({ budget: { toolCalls: 10 }, tools: { add: mcpTool() } })
  await agent.session('alice', async (session) => {
    const [ours, theirs] = PairV2.createLinkedPair()
    await modernServer(calls).connect(govern(theirs as never, { server: 'own', side: 'server', session }))
    const client = new ClientV2(info)
    await client.connect(ours)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add'])
    expect(await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).toMatchObject({
      content: [{ text: '3' }],
    })
    expect((await client.callTool({ name: 'wipe', arguments: {} })).isError).toBe(true)
    await client.close()
  })
  expect(calls).toEqual([{ a: 1, b: 2 }])
  expect(payloads('tool_denied')).toMatchObject([{ tool: 'wipe', reason: 'not_registered' }])
})
