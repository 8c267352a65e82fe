import { expect, test, vi } from 'vitest'
import { type ApprovalAnswer, defineTool, type ToolSet } from 'writ'
import { govern, mcpTool } from 'writ/mcp'
import * as z from 'zod'
import { bench, thrown } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

const budget = { toolCalls: 20 }

/** A server of some tools, which answers each call with its arguments. */
const serverOf = (...names: string[]) =>
  new ScriptedTransport(({ method, params }) => {
    if (method === 'tools/list') return { tools: names.map((name) => listed(name)) }
    if (method === 'subscriptions/listen') return { listens: true }
    return { content: [{ text: JSON.stringify((params as { arguments: unknown }).arguments) }] }
  })

const shown = async (client: BareClient): Promise<readonly string[]> => {
  const { result } = (await client.ask('tools/list')) as { result: { tools: { name: string }[] } }
  return result.tools.map(({ name }) => name)
}

test('a server cannot have a tool of the agent called by declaring one of the same name', async () => {
  const execute = vi.fn()
  const pay = defineTool({ inputSchema: z.any(), execute })
  const { agent, payloads } = bench<ToolSet>({ budget, tools: { pay, mcp_prompts_get: pay } })
  const wire = serverOf('pay')
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(await shown(client)).toEqual([])
    expect(textOf(await client.call('pay'))).toContain('this agent has no such tool')
    expect(await client.ask('prompts/get', { name: 'x' })).toMatchObject({ error: { data: {} } })
  })
  expect(execute).not.toHaveBeenCalled()
  expect(wire.got('tools/call')).toEqual([])
  expect(payloads('tool_denied').map(({ tool }) => tool)).toEqual(['fs/pay', 'fs/mcp_prompts_get'])
})

test('a tool of the agent that has the name of a method decides nothing of it', async () => {
  const execute = vi.fn()
  const own = defineTool({ inputSchema: z.any(), execute })
  const { agent, payloads } = bench<ToolSet>({ budget, tools: { mcp_resources_subscribe: own } })
  const wire = serverOf()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const listen = { notifications: { resourceSubscriptions: ['file:///a'] } }
    expect(await client.ask('subscriptions/listen', listen)).toHaveProperty('error')
  })
  expect(execute).not.toHaveBeenCalled()
  expect(wire.got('subscriptions/listen')).toEqual([])
  expect(payloads('tool_denied')).toMatchObject([{ tool: 'mcp/mcp_resources_subscribe' }])
})

test.for(['{"a":1}', 7, null, [{ a: 1 }]])(
  'arguments that are %j are no object, and are not sent',
  async (given) => {
    const { agent, payloads } = bench({ budget, tools: { read: mcpTool() } })
    const wire = serverOf('read')
    const client = new BareClient(govern(wire, { server: 'fs' }))
    await agent.session('alice', async () => {
      expect(textOf(await client.call('read', given))).toContain('expected an object')
    })
    expect(wire.got('tools/call')).toEqual([])
    expect(payloads('tool_denied')).toMatchObject([{ reason: 'invalid_input' }])
  },
)

test('a server that declares something else each time shows nothing', async () => {
  let asked = 0
  const wire = new ScriptedTransport(() => {
    asked += 1
    return { tools: [{ ...listed('read'), description: `${asked}` }] }
  })
  const { agent } = bench({ budget, tools: { read: mcpTool() } })
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(await shown(client)).toEqual([])
  })
})

test('a tool of one server is not called on another', async () => {
  const { agent, payloads } = bench({ budget, tools: { read: mcpTool({ server: 'files' }) } })
  const wire = serverOf('read')
  const client = new BareClient(govern(wire, { server: 'evil' }))
  const files = new BareClient(govern(serverOf('read'), { server: 'files' }))
  await agent.session('alice', async () => {
    expect(textOf(await client.call('read'))).toContain('a tool of another server, files')
    expect(textOf(await files.call('read', { a: 1 }))).toBe('{"a":1}')
  })
  expect(wire.got('tools/call')).toEqual([])
  expect(payloads('tool_denied')).toMatchObject([{ issues: [{ path: [], code: 'other_server' }] }])
  expect(thrown(() => mcpTool({ server: 7 as never }))).toBeInstanceOf(TypeError)
})

test.for([
  ['mcp_resources_read', 'for a method of the protocol'],
  ['MCP.Prompts/Get', 'for a method of the protocol'],
  // Its lower case is the k of ASCII.
  ['\u212Aey', 'can have no tool of this name'],
])('a tool by the name of %s is neither listed nor called', async ([name = '', why]) => {
  const tools = { mcp_resources_read: mcpTool(), mcp_prompts_get: mcpTool(), key: mcpTool() }
  const { agent } = bench({ budget, tools })
  const wire = serverOf(name)
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(await shown(client)).toEqual([])
    expect(textOf(await client.call(name))).toMatch(new RegExp(`${why}|has no such tool`))
  })
  expect(wire.got('tools/call')).toEqual([])
})

test('a name that is too long with its prefix is not the one without it', async () => {
  const long = 'a'.repeat(128)
  const { agent } = bench({ budget, tools: { [long]: mcpTool() } })
  const wire = serverOf(long)
  const client = new BareClient(govern(wire, { server: 'fs', prefix: 'fs_' }))
  await agent.session('alice', async () => {
    expect(textOf(await client.call(long))).toContain('this agent has no such tool')
  })
  expect(wire.got('tools/call')).toEqual([])
})

test('a call in a session that another delegated to passes both contracts', async () => {
  const read = mcpTool({ when: (input) => Object.hasOwn(input, 'ok') })
  const { agent } = bench({ budget, tools: { read } })
  const child = bench({ identity: 'child/v1', budget, tools: { read: mcpTool() } })
  const wire = serverOf('read')
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', (s) =>
    s.delegate(child.agent, {}, async () => {
      expect(textOf(await client.call('read', { ok: 1 }))).toBe('{"ok":1}')
      expect(textOf(await client.call('read', { no: 1 }))).toContain('an agent that this one works for')
    }),
  )
  expect(wire.got('tools/call')).toHaveLength(1)
  expect(child.payloads('tool_denied')).toMatchObject([{ reason: 'not_granted' }])
})

test('a tool of a server runs only for the session whose call it is', async () => {
  const { agent, payloads } = bench({ budget, tools: { read: mcpTool() } })
  const wire = new ScriptedTransport(({ method }) =>
    method === 'tools/list' ? { tools: [listed('read')] } : undefined,
  )
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    void client.call('read')
    await vi.waitFor(() => expect(wire.got('tools/call')).toHaveLength(1))
    const { model_call_id: id } = payloads('tool_call')[0] as { model_call_id: string }
    const other = agent.open('mallory')
    expect(await other.dispatch({ id, name: 'read', input: {} })).toMatchObject({
      ok: false,
      denial: { reason: 'tool_error', message: expect.stringContaining('a governed transport alone') },
    })
    await other.close()
  })
  expect(wire.got('tools/call')).toHaveLength(1)
})

test.for(['tasks/result', 'delete_all', 'tools/call ', '__proto__'])(
  'the unknown method %s is refused, and that is on record',
  async (method) => {
    const { agent, payloads } = bench({ budget, tools: { delete_all: mcpTool(), mcp_delete_all: mcpTool() } })
    const wire = serverOf()
    const client = new BareClient(govern(wire, { server: 'fs' }))
    await agent.session('alice', async () => {
      expect(await client.ask(method)).toMatchObject({ error: { code: -32601 } })
      await vi.waitFor(() => expect(payloads('tool_denied')).toHaveLength(1))
    })
    expect(wire.sent).toEqual([])
    expect(payloads('tool_denied')).toMatchObject([{ tool: `mcp/${method}`, reason: 'not_registered' }])
  },
)

test('to listen to a resource is to subscribe to it', async () => {
  const subscribe = mcpTool({ inputSchema: z.object({ uri: z.literal('file:///a') }) })
  const { agent, payloads } = bench({ budget, tools: { mcp_resources_subscribe: subscribe } })
  const wire = serverOf()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  const listen = (...resourceSubscriptions: string[]) =>
    client.ask('subscriptions/listen', { notifications: { toolsListChanged: true, resourceSubscriptions } })
  expect(await listen()).toHaveProperty('result')
  expect(await listen('file:///a')).toMatchObject({ error: { data: { code: 'ERR_NO_SESSION' } } })
  await agent.session('alice', async () => {
    expect(await listen('file:///a')).toHaveProperty('result')
    expect(await listen('file:///a', 'file:///b')).toMatchObject({
      error: { data: { reason: 'invalid_input' } },
    })
  })
  expect(wire.got('subscriptions/listen')).toHaveLength(2)
  expect(payloads('tool_call')).toHaveLength(2)
})

test('while somebody decides on listening, its id is taken, nothing else waits, and it can be cancelled', async () => {
  const waiting: ((answer: ApprovalAnswer) => void)[] = []
  const { agent, payloads } = bench({
    budget,
    tools: { mcp_resources_subscribe: mcpTool({ approval: 'always' }), read: mcpTool() },
    approve: () => new Promise((resolve) => waiting.push(resolve)),
  })
  const wire = serverOf('read')
  const client = new BareClient(govern(wire, { server: 'fs' }))
  const params = { notifications: { resourceSubscriptions: ['file:///a'] } }
  await agent.session('alice', async () => {
    const listen = (id: number) =>
      client.transport.send({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params })
    await listen(70)
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    expect(textOf(await client.call('read', { a: 1 }))).toBe('{"a":1}')
    await client.transport.send({ jsonrpc: '2.0', id: 70, method: 'tools/list' })
    expect(client.errors).toEqual([
      'the client of fs sent a request with the id of one that is open; it was dropped',
    ])
    await client.transport.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 70 },
    })
    await vi.waitFor(() => expect(payloads('tool_denied')).toMatchObject([{ reason: 'aborted' }]))
    waiting[0]?.({ approved: true, by: 'dora' })
    await listen(71)
    await vi.waitFor(() => expect(waiting).toHaveLength(2))
    waiting[1]?.({ approved: true, by: 'dora' })
    await vi.waitFor(() => expect(client.got.map(({ id }) => id)).toContain(71))
  })
  expect(wire.got('subscriptions/listen').map(({ id }) => id)).toEqual([71])
  expect(wire.got('notifications/cancelled')).toEqual([])
  expect(client.got.map(({ id }) => id)).not.toContain(70)
})

test('a list that somebody gave up is not answered, and lets the connection end at once', async () => {
  const wire = new ScriptedTransport()
  const transport = govern(wire, { server: 'fs' })
  const client = new BareClient(transport)
  const request = { jsonrpc: '2.0', id: 'l', method: 'ping' }
  await client.transport.send(request)
  const gone = new AbortController()
  const extra = { requestSignal: gone.signal }
  await client.transport.send({ ...request, id: 'm' }, extra)
  const params = { requestId: 'l' }
  await client.transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
  gone.abort()
  wire.say({ jsonrpc: '2.0', id: 'l', result: {} })
  wire.say({ jsonrpc: '2.0', id: 'm', result: {} })
  vi.useFakeTimers()
  try {
    await transport.close()
  } finally {
    vi.useRealTimers()
  }
  expect(wire.got('notifications/cancelled')).toHaveLength(1)
  expect(client.got).toEqual([])
  expect(client.errors).toEqual([])
})

test.for([
  ['invalid', { inputSchema: { type: 'object', required: ['a'] } }, 'server_schema'],
  ['unusable', { inputSchema: { type: 'nonsense' } }, 'not_usable'],
  ['unknown', { name: 'other' }, 'not_declared'],
] as const)('what the server itself is against stands in the log: %s', async ([, more, code]) => {
  const { agent, payloads } = bench({ budget, tools: { read: mcpTool() } })
  const wire = new ScriptedTransport(() => ({ tools: [{ ...listed('read'), ...more }] }))
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(textOf(await client.call('read'))).toContain('tool read was not run: ')
  })
  expect(payloads('tool_denied')).toMatchObject([{ reason: 'invalid_input', issues: [{ path: [], code }] }])
})
