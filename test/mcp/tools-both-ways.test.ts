import { Client as ClientV2, InMemoryTransport as PairV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport as PairV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/server'
import { expect, test } from 'vitest'
import { defineTool } from 'writ'
import { govern, type McpTransport, mcpTools, serveTools } from 'writ/mcp'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'

const info = { name: 'app', version: '1.0.0' }
const budget = { toolCalls: 20 }

function server(): McpServer {
  const made = new McpServer({ name: 'sums', version: '1.0.0' })
  made.registerTool(
    'add',
    {
      description: 'adds two numbers',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      annotations: { readOnlyHint: true },
    },
    async ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }] }),
  )
  made.registerTool(
    'halve',
    {
      title: 'Halve',
      inputSchema: z.object({ n: z.number() }),
      outputSchema: z.object({ half: z.number() }),
      annotations: { idempotentHint: true },
    },
    async ({ n }) => ({ content: [], structuredContent: { half: n / 2 } }),
  )
  made.registerTool('fail', { inputSchema: z.object({}) }, async () => {
    throw new TypeError('the disk is full')
  })
  return made
}

/** A client of either line, connected to that server. */
async function connected(
  line: string,
  wrap = (transport: McpTransport) => transport,
): Promise<ClientV1 | ClientV2> {
  const [ours, theirs] = PairV1.createLinkedPair()
  await server().connect(theirs as never)
  const client = line === 'v1' ? new ClientV1(info) : new ClientV2(info)
  await (client as ClientV1).connect(wrap(ours as McpTransport) as typeof ours)
  return client
}

test.for(['v1', 'v2'])(
  'the tools of a server are tools under the contract, with a client of %s',
  async (line) => {
    const client = await connected(line)
    const tools = await mcpTools(client, { server: 'sums', tools: { add: { maxCalls: 2 }, fail: {} } })
    const { agent, payloads } = bench({ budget, tools })
    expect(tools['add']).toMatchObject({ description: 'adds two numbers', readOnly: false, maxCalls: 2 })
    expect(agent.toolSchemas('anthropic')[0]?.input_schema).toMatchObject({ required: ['a', 'b'] })
    await agent.session('alice', async (session) => {
      const ask = (input: unknown) => session.dispatch({ name: 'add', input })
      expect(await ask({ a: 1, b: 2 })).toMatchObject({ ok: true, output: { content: [{ text: '3' }] } })
      expect(await ask({ a: 1, b: '2' })).toMatchObject({ ok: false, denial: { reason: 'invalid_input' } })
      expect(await session.dispatch({ name: 'fail', input: {} })).toMatchObject({ ok: false })
    })
    expect(payloads('tool_result').map(({ ok }) => ok)).toEqual([true, false])
    await client.close()
  },
)

test('that a tool only reads is what its server says, and counts where the server is trusted', async () => {
  const client = await connected('v1')
  const { add, fail } = await mcpTools(client, { server: 'sums', trustAnnotations: true })
  expect(add?.readOnly).toBe(true)
  expect(fail?.readOnly).toBe(false)
  await client.close()
})

test('a tool that nobody has accepted is left out, and one that was named is an error', async () => {
  const client = await connected('v1')
  const pins = { check: () => [{ name: 'add', verdict: 'same' as const }] }
  const refused: string[] = []
  const onRefused = (name: string, why: string) => refused.push(`${name}: ${why}`)
  expect(Object.keys(await mcpTools(client, { server: 'sums', pins, onRefused }))).toEqual(['add'])
  expect(refused).toEqual(['halve', 'fail'].map((name) => `${name}: nobody has accepted its definition`))
  for (const name of ['fail', 'nothing']) {
    expect(await rejection(mcpTools(client, { server: 'sums', pins, tools: { [name]: {} } }))).toBeInstanceOf(
      TypeError,
    )
  }
  await client.close()
})

test('every page of the tools is asked for, and a client that is governed is refused', async () => {
  const pages = ['a', 'b', 'c'].map((name) => [{ name, inputSchema: { type: 'object' } }])
  const client = {
    listTools: async ({ cursor = '0' }: { cursor?: string } = {}) => ({
      tools: pages[Number(cursor)],
      ...(cursor === '2' ? {} : { nextCursor: String(Number(cursor) + 1) }),
    }),
    callTool: async () => ({ content: [] }),
  }
  expect(Object.keys(await mcpTools(client, { server: 'x', prefix: 'x_' }))).toEqual(['x_a', 'x_b', 'x_c'])
  const governed = await connected('v1', (transport) => govern(transport, { server: 'sums' }))
  expect(await rejection(mcpTools(governed, { server: 'sums' }))).toBeInstanceOf(TypeError)
  expect(await rejection(mcpTools({} as never, { server: 'x' }))).toBeInstanceOf(TypeError)
  await governed.close()
})

const double = defineTool({
  description: 'doubles a number',
  inputSchema: z.object({ n: z.number() }),
  execute: ({ n }) => 2 * n,
})

test.for([
  ['v1', () => new ClientV1(info), () => PairV1.createLinkedPair()],
  ['v2', () => new ClientV2(info), () => PairV2.createLinkedPair()],
  [
    'v2 auto',
    () => new ClientV2(info, { versionNegotiation: { mode: 'auto' } }),
    () => PairV2.createLinkedPair(),
  ],
] as const)(
  'an agent is an MCP server to a client of %s, one session for a connection',
  async ([line, make, pair]) => {
    const { agent, payloads } = bench({ budget, tools: { double } })
    const [ours, theirs] = pair()
    const served = serveTools(agent, theirs as McpTransport, {
      user: 'alice',
      name: 'sums',
      version: '2.0.0',
    })
    const client = make()
    await (client as ClientV1).connect(ours as never)
    expect(client.getServerVersion()).toMatchObject({ name: 'sums', version: '2.0.0' })
    if (line === 'v2 auto') {
      expect((client as ClientV2).getNegotiatedProtocolVersion()).toBe('2026-07-28')
    } else await client.ping()
    expect((await client.listTools()).tools).toMatchObject([
      { name: 'double', description: 'doubles a number', inputSchema: { required: ['n'] } },
    ])
    expect(await client.callTool({ name: 'double', arguments: { n: 2 } })).toMatchObject({
      content: [{ type: 'text', text: '4' }],
    })
    expect((await client.callTool({ name: 'double', arguments: { n: 'x' } })).isError).toBe(true)
    expect((await client.callTool({ name: 'wipe', arguments: {} })).isError).toBe(true)
    await client.close()
    await served
    expect(payloads('session_end')).toMatchObject([{ outcome: 'completed' }])
    expect(payloads('tool_denied').map(({ reason }) => reason)).toEqual(['invalid_input', 'not_registered'])
  },
)

test.for([
  ['v1', () => new ClientV1(info), () => PairV1.createLinkedPair()],
  ['v2', () => new ClientV2(info), () => PairV2.createLinkedPair()],
] as const)(
  'a tool that goes through an agent to a client of %s keeps what its server declares of it',
  async ([line, make, pair]) => {
    const upstream = await connected(line)
    const look = defineTool({
      inputSchema: z.object({}),
      readOnly: true,
      execute: () => ({ seen: [1, 2] }),
    })
    const tools = { ...(await mcpTools(upstream, { server: 'sums' })), look, double }
    const { agent } = bench({ budget, tools })
    const [ours, theirs] = pair()
    const served = serveTools(agent, theirs as McpTransport, {
      user: 'alice',
      name: 's',
      version: '1',
      tools,
    })
    const client = make()
    await (client as ClientV1).connect(ours as never)
    const direct = (await upstream.listTools()).tools.map(({ execution: _, ...tool }: Served) => tool)
    const listed = (await client.listTools()).tools
    expect(listed.slice(0, 3)).toEqual(direct)
    expect(listed[3]?.annotations).toEqual({ readOnlyHint: true })
    expect(listed[4]).not.toHaveProperty('annotations')
    const halves = { name: 'halve', arguments: { n: 3 } }
    expect(await client.callTool(halves)).toEqual(await upstream.callTool(halves))
    expect(await client.callTool(halves)).toMatchObject({ structuredContent: { half: 1.5 } })
    expect(await client.callTool({ name: 'look' })).toMatchObject({
      content: [{ type: 'text', text: '{"seen":[1,2]}' }],
      structuredContent: { seen: [1, 2] },
    })
    expect(await client.callTool({ name: 'fail', arguments: {} })).toMatchObject({ isError: true })
    await client.close()
    await upstream.close()
    await served
  },
)

test('what a server asks of a client is not served on with its result', async () => {
  const content = [{ type: 'text', text: 'hello' }]
  const upstream = {
    listTools: async () => ({ tools: [{ name: 'ask', inputSchema: { type: 'object' } }] }),
    callTool: async () => ({
      content,
      resultType: 'input_required',
      inputRequests: { a: { method: 'sampling/createMessage', params: {} } },
      _meta: { own: 1 },
    }),
  }
  const tools = await mcpTools(upstream, { server: 'evil' })
  const { agent } = bench({ budget, tools })
  const [ours, theirs] = PairV1.createLinkedPair()
  const served = serveTools(agent, theirs as McpTransport, { user: 'alice', name: 's', version: '1' })
  const client = new ClientV1(info)
  await client.connect(ours)
  expect(await client.callTool({ name: 'ask' })).toEqual({ content })
  await client.close()
  await served
})

/** A tool as a client lists it; `execution` says how to call it as a task, which is not offered. */
interface Served {
  readonly execution?: unknown
}

test('what MCP has no form for is refused before anybody is served', async () => {
  const text = defineTool({ inputSchema: z.string(), execute: () => 1 })
  const { agent } = bench({ budget, tools: { text } })
  const [, theirs] = PairV2.createLinkedPair()
  const serve = (more: object) =>
    serveTools(agent, theirs as McpTransport, { user: 'alice', name: 's', version: '1', ...more })
  expect(await rejection(serve({}))).toMatchObject({
    name: 'RangeError',
    message: expect.stringContaining('text'),
  })
  expect(await rejection(serve({ tools: 'all' }))).toBeInstanceOf(TypeError)
})

test('a session that is killed answers what is under way and closes its connection', async () => {
  const spend = defineTool({
    inputSchema: z.object({}),
    execute: (_, { session }) =>
      session.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 2 }),
  })
  const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { spend } })
  const [ours, theirs] = PairV2.createLinkedPair()
  const served = serveTools(agent, theirs as McpTransport, { user: 'alice', name: 's', version: '1' })
  const end = rejection(served)
  const client = new ClientV2(info)
  await client.connect(ours)
  expect(await rejection(client.callTool({ name: 'spend', arguments: {} }))).toMatchObject({
    data: { code: 'ERR_BUDGET_EXCEEDED' },
  })
  expect(await end).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' })
  expect(payloads('session_end')).toHaveLength(1)
  expect(client.transport).toBeUndefined()
})
