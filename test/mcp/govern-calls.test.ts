import { expect, test } from 'vitest'
import { govern, mcpTool, type PinCheck, type PinVerdict } from 'writ/mcp'
import * as z from 'zod'
import { bench } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

const done = (text = 'done') => ({ content: [{ type: 'text', text }] })
const budget = { toolCalls: 20 }

/** A server of these tools, which answers each call with the arguments it got. */
const serverOf = (...pages: (readonly unknown[])[]) =>
  new ScriptedTransport(({ method, params }) => {
    if (method === 'tools/list') {
      const page = Number((params as { cursor?: string }).cursor ?? 0)
      return { tools: pages[page], ...(page + 1 < pages.length ? { nextCursor: String(page + 1) } : {}) }
    }
    if (method === 'tools/call') return done(JSON.stringify((params as { arguments: unknown }).arguments))
    return method === 'initialize' ? { serverInfo: { name: 'real', version: '1' } } : undefined
  })

const names = (answer: Record<string, unknown>) =>
  (answer['result'] as { tools: { name: string }[] }).tools.map(({ name }) => name)

test('what the session has not is neither listed nor called, and its denial is for the model to read', async () => {
  const { agent, payloads } = bench({ budget, tools: { read: mcpTool() } })
  const wire = serverOf([listed('read'), listed('write')])
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(names(await client.ask('tools/list'))).toEqual(['read'])
    expect(textOf(await client.call('read', { a: 1 }))).toBe('{"a":1}')
    const denied = await client.call('write', { a: 1 })
    expect(denied['result']).toMatchObject({ isError: true })
    expect(denied['result']).not.toHaveProperty('resultType')
  })
  expect(wire.got('tools/call')).toHaveLength(1)
  expect(payloads('tool_denied')).toMatchObject([{ tool: 'write', reason: 'not_registered' }])
})

test('every page of a listing is filtered, and a cursor is passed as it is', async () => {
  const { agent } = bench({ budget, tools: { a: mcpTool(), c: mcpTool() } })
  const wire = serverOf([listed('a'), listed('b')], [listed('c'), listed('d')])
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const first = await client.ask('tools/list')
    expect(first['result']).toMatchObject({ nextCursor: '1' })
    expect(names(first)).toEqual(['a'])
    expect(names(await client.ask('tools/list', { cursor: '1' }))).toEqual(['c'])
    expect(textOf(await client.call('c'))).toBe('{}')
  })
})

test('a list that says how long it may be kept may not: the next session can have others', async () => {
  const { agent } = bench({ budget, tools: { a: mcpTool() } })
  const wire = new ScriptedTransport(() => ({ tools: [listed('a')], ttlMs: 60_000, cacheScope: 'public' }))
  const client = new BareClient(govern(wire, { server: 'fs' }))
  const { result } = await agent.session('alice', () => client.ask('tools/list'))
  expect(result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
})

test.for([
  ['a type', { type: 'object', properties: { n: { type: 'number' } } }, { n: '1' }],
  ['a member too few', { type: 'object', required: ['n'] }, {}],
  ['a member too many', { type: 'object', additionalProperties: false }, { n: 1 }],
  ['a pattern', { type: 'object', properties: { n: { type: 'string', pattern: '^a+$' } } }, { n: 'b' }],
  ['no object', { type: 'object' }, 'text'],
] as const)(
  'arguments that the declared schema does not allow are not sent: %s',
  async ([, schema, given]) => {
    const { agent } = bench({ budget, tools: { read: mcpTool() } })
    const wire = serverOf([listed('read', schema)])
    const client = new BareClient(govern(wire, { server: 'fs' }))
    const answer = await agent.session('alice', () => client.call('read', given))
    expect(answer['result']).toMatchObject({ isError: true })
    expect(wire.got('tools/call')).toEqual([])
  },
)

const doubled = Object.fromEntries(
  Array.from({ length: 60 }, (_, i) => [
    `d${i}`,
    { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
  ]),
)

test.for([
  ['none at all', undefined],
  ['no object', true],
  ['a keyword that means nothing', { type: 'no such type' }],
  ['somewhere else', { $ref: 'https://example.com/schema' }],
  ['a dialect that is not known', { $schema: 'https://example.com/own' }],
  ['a pattern that is none', { type: 'object', properties: { a: { pattern: '(' } } }],
  ['as deep as it likes', JSON.parse(`${'{"not":'.repeat(100)}{}${'}'.repeat(100)}`)],
  ['work that doubles with every step', { $ref: '#/$defs/d0', $defs: { ...doubled, d60: {} } }],
] as const)('a tool whose schema is %s cannot be called', async ([, schema]) => {
  const { agent } = bench({ budget, tools: { read: mcpTool(), other: mcpTool() } })
  const wire = serverOf([
    { name: 'read', ...(schema === undefined ? {} : { inputSchema: schema }) },
    listed('other'),
  ])
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect((await client.call('read', { a: 'x' }))['result']).toMatchObject({ isError: true })
    expect(textOf(await client.call('other'))).toBe('{}')
  })
  expect(wire.got('tools/call')).toHaveLength(1)
})

test('two tools of one name, or of names that are one here, are neither listed nor called', async () => {
  const { agent } = bench({ budget, tools: { twice: mcpTool(), a_b: mcpTool(), one: mcpTool() } })
  const wire = serverOf([listed('twice'), listed('a.b')], [listed('A/b'), listed('twice', {}), listed('one')])
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    expect(names(await client.ask('tools/list'))).toEqual([])
    expect(names(await client.ask('tools/list', { cursor: '1' }))).toEqual(['one'])
    expect(textOf(await client.call('twice'))).toContain('declares it twice')
    expect(textOf(await client.call('a.b'))).toContain('one name here')
    expect(textOf(await client.call('A/b'))).toContain('one name here')
    expect(textOf(await client.call('a_b'))).toContain('declares no tool of this name')
  })
  expect(wire.got('tools/call')).toEqual([])
})

test('names are mapped, and have the prefix of their server', async () => {
  const { agent, payloads } = bench({ budget, tools: { 'fs:files_read': mcpTool() } })
  const wire = serverOf([listed('Files.Read')])
  const client = new BareClient(govern(wire, { server: 'fs', prefix: 'fs:' }))
  await agent.session('alice', async () => {
    expect(names(await client.ask('tools/list'))).toEqual(['Files.Read'])
    await client.call('Files.Read')
  })
  expect(wire.got('tools/call')[0]).toMatchObject({ params: { name: 'Files.Read' } })
  expect(payloads('tool_call')).toMatchObject([{ tool: 'fs:files_read' }])
})

const pinsOf = (verdicts: readonly PinVerdict[] | (() => never)): PinCheck => ({
  check: () => (typeof verdicts === 'function' ? verdicts() : verdicts),
})

test('a definition that is not as it was accepted is neither listed nor called', async () => {
  const tools = { same: mcpTool(), changed: mcpTool(), unknown: mcpTool() }
  const { agent } = bench({ budget, tools })
  const wire = serverOf(Object.keys(tools).map((name) => listed(name)))
  const pins = pinsOf([
    { name: 'same', verdict: 'same' },
    { name: 'changed', verdict: 'changed', why: '/description' },
  ])
  const client = new BareClient(govern(wire, { server: 'fs', pins }))
  await agent.session('alice', async () => {
    expect(names(await client.ask('tools/list'))).toEqual(['same'])
    expect(textOf(await client.call('changed'))).toContain('its definition is changed: /description')
    expect(textOf(await client.call('unknown'))).toContain('nobody has accepted its definition')
  })
})

test('pins that cannot be read refuse every tool', async () => {
  const { agent } = bench({ budget, tools: { read: mcpTool() } })
  const wire = serverOf([listed('read')])
  const pins = pinsOf(() => {
    throw new TypeError('the pins are corrupt')
  })
  const client = new BareClient(govern(wire, { server: 'fs', pins }))
  await agent.session('alice', async () => {
    expect(await client.ask('tools/list')).toHaveProperty('error')
    expect((await client.call('read'))['result']).toMatchObject({ isError: true })
  })
  expect(wire.got('tools/call')).toEqual([])
})

test('pins are told who the server says it is', async () => {
  const { agent } = bench({ budget, tools: { read: mcpTool() } })
  const seen: unknown[] = []
  const pins: PinCheck = {
    check: (server) => {
      seen.push(server)
      return []
    },
  }
  const client = new BareClient(govern(serverOf([listed('read')]), { server: 'fs', pins }))
  await client.ask('initialize')
  await agent.session('alice', () => client.ask('tools/list'))
  expect(seen).toEqual([{ server: 'fs', name: 'real', version: '1' }])
})

test('a definition that drifts from one listing to the next is compared again', async () => {
  const { agent } = bench({ budget, tools: { read: mcpTool() } })
  const definition = { ...listed('read'), description: 'reads' }
  const wire = serverOf([definition])
  const pins: PinCheck = {
    check: (_, tools) =>
      tools.map((tool) => ({
        name: String(tool['name']),
        verdict: tool['description'] === 'reads' ? 'same' : 'changed',
      })),
  }
  const client = new BareClient(govern(wire, { server: 'fs', pins }))
  await agent.session('alice', async () => {
    expect(names(await client.ask('tools/list'))).toEqual(['read'])
    definition.description = 'reads, and sends it to somebody'
    expect(names(await client.ask('tools/list'))).toEqual([])
    expect(textOf(await client.call('read'))).toContain('its definition is changed')
    definition.description = 'reads'
    wire.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    expect(textOf(await client.call('read'))).toBe('{}')
  })
})

test('what is handed on is what was checked, and what nobody looked at is left out', async () => {
  const { agent } = bench({
    budget,
    tools: {
      read: mcpTool({ inputSchema: z.looseObject({ path: z.string() }), when: ({ path }) => path === 'a' }),
    },
  })
  const wire = serverOf([listed('read')])
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    await client.call('read', { path: 'a' }, { _meta: { progressToken: 1 }, requestState: 's', else: 'x' })
    expect((await client.call('read', { path: 'b' }))['result']).toMatchObject({ isError: true })
    expect(textOf(await client.call('read', { path: 'a' }, { task: {} }))).toContain('as a task')
  })
  expect(wire.got('tools/call').map(({ params }) => params)).toEqual([
    { name: 'read', arguments: { path: 'a' }, _meta: { progressToken: 1 }, requestState: 's' },
  ])
})

test('a tool of a server cannot be called past its transport', async () => {
  const { agent } = bench({ budget, tools: { read: mcpTool() } })
  const result = await agent.session('alice', (session) => session.dispatch({ name: 'read', input: {} }))
  expect(result).toMatchObject({ ok: false, denial: { reason: 'predicate_false' } })
})
