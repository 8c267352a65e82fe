import { expect, test } from 'vitest'
import { govern, METHOD_TOOLS, mcpTool } from 'writ/mcp'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

const budget = { toolCalls: 20 }
const turn = () => new Promise((resolve) => setTimeout(resolve, 5))

/** A server with the tool `slow`, which answers a call when it is told to. */
const slowServer = () =>
  new ScriptedTransport(({ method }) => (method === 'tools/list' ? { tools: [listed('slow')] } : undefined))

test.for(['resources/read', 'resources/subscribe', 'prompts/get'])(
  '%s is refused, unless the session has the tool that stands for it',
  async (method) => {
    const name = METHOD_TOOLS[method as 'prompts/get']
    const allows = mcpTool({ inputSchema: z.looseObject({}), when: (input) => input['uri'] === 'a' })
    const { agent, payloads } = bench({ budget, tools: { [name]: allows } })
    const without = bench({ budget })
    const wire = new ScriptedTransport((message) =>
      message['method'] === method ? { contents: [] } : undefined,
    )
    const client = new BareClient(govern(wire, { server: 'fs' }))
    await without.agent.session('alice', async () => {
      expect(await client.ask(method, { uri: 'a' })).toMatchObject({
        error: { data: { reason: 'not_registered' } },
      })
    })
    await agent.session('alice', async () => {
      expect(await client.ask(method, { uri: 'a', _meta: { a: 1 } })).toHaveProperty('result')
      expect(await client.ask(method, { uri: 'b' })).toMatchObject({ error: { code: -32050 } })
    })
    expect(wire.got(method).map(({ params }) => params)).toEqual([{ uri: 'a', _meta: { a: 1 } }])
    expect(payloads('tool_call')).toMatchObject([{ tool: name }])
  },
)

test.for(['sampling/createMessage', 'elicitation/create'])(
  'the server may ask for %s only where the session has the tool that stands for it',
  async (method) => {
    const name = METHOD_TOOLS[method as 'elicitation/create']
    for (const [tools, isAsked] of [
      [{ slow: mcpTool() }, false],
      [{ slow: mcpTool(), [name]: mcpTool() }, true],
    ] as const) {
      const { agent } = bench({ budget, tools })
      const wire = slowServer()
      const client = new BareClient(govern(wire, { server: 'fs' }))
      await agent.session('alice', async () => {
        const call = client.call('slow')
        await turn()
        wire.say({ jsonrpc: '2.0', id: 'q', method, params: { message: 'your password?' } })
        await turn()
        expect(client.got.some((message) => message['method'] === method)).toBe(isAsked)
        if (isAsked) await client.transport.send({ jsonrpc: '2.0', id: 'q', result: { action: 'decline' } })
        await turn()
        const answer = wire.sent.find((message) => message['id'] === 'q')
        expect(answer).toHaveProperty(isAsked ? 'result' : 'error')
        wire.say({ jsonrpc: '2.0', id: wire.got('tools/call')[0]?.['id'], result: { content: [] } })
        await call
      })
    }
  },
)

test('what a server asks for while no session waits for it is refused', async () => {
  const wire = slowServer()
  new BareClient(govern(wire, { server: 'fs' }))
  wire.say({ jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: {} })
  await turn()
  expect(wire.sent).toMatchObject([{ id: 1, error: { data: { code: 'ERR_NO_SESSION' } } }])
})

test.for(['', 'fs:'])(
  'an answer that asks the client for input is one only where it may be asked for (prefix %j)',
  async (prefix) => {
    const inputRequests = { a: { method: 'elicitation/create', params: { message: 'who are you?' } } }
    const wire = new ScriptedTransport(({ method }) => {
      if (method === 'tools/list') return { tools: [listed('ask')] }
      return { resultType: 'input_required', inputRequests, requestState: 's' }
    })
    const client = new BareClient(govern(wire, { server: 'fs', prefix }))
    const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }
    const without = bench({ budget, tools: { [`${prefix}ask`]: mcpTool() } })
    await without.agent.session('alice', async () => {
      const { result } = await client.call('ask', {}, meta)
      expect(result).toMatchObject({ resultType: 'complete', isError: true })
    })
    const elicitation = { [`${prefix}mcp_elicitation_create`]: mcpTool() }
    const { agent } = bench({ budget, tools: { [`${prefix}ask`]: mcpTool(), ...elicitation } })
    await agent.session('alice', async () => {
      expect((await client.call('ask', {}, meta))['result']).toMatchObject({ resultType: 'input_required' })
      expect(await client.ask('prompts/list')).toHaveProperty('error')
    })
  },
)

const asked = { a: { method: 'sampling/createMessage', params: {} } }
test.for<[string, Record<string, unknown>]>([
  ['beside an error', { resultType: 'input_required', inputRequests: asked, isError: true, content: [] }],
  ['as a list', { resultType: 'input_required', inputRequests: [asked.a] }],
  ['beside a result', { resultType: 'complete', inputRequests: asked, content: [] }],
  ['beside a result of the older protocol', { inputRequests: asked, content: [] }],
  ['as nothing', { resultType: 'input_required', inputRequests: null }],
  ['as a number', { resultType: 'input_required', inputRequests: 7 }],
  ['in an answer of no known type', { resultType: 'task', content: [] }],
])('what a server asks for %s is not handed on unasked', async ([_, result]) => {
  const { agent } = bench({ budget, tools: { ask: mcpTool() } })
  const wire = new ScriptedTransport(({ method }) =>
    method === 'tools/list' ? { tools: [listed('ask')] } : result,
  )
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const answer = await client.call('ask')
    expect(answer['result']).toMatchObject({ isError: true, content: [{ type: 'text' }] })
    expect(textOf(answer)).toMatch(/no such tool|in no known form|of no known type/)
    expect(answer['result']).not.toHaveProperty('inputRequests')
    expect(answer['result']).not.toHaveProperty('resultType')
  })
})

test.for<[string, Record<string, unknown>]>([
  ['as such', { resultType: 'input_required', inputRequests: asked, prompts: [] }],
  ['beside a result', { resultType: 'complete', inputRequests: asked, prompts: [] }],
  ['beside a result of the older protocol', { inputRequests: asked, prompts: [] }],
  ['in an answer of no known type', { resultType: 'task', prompts: [] }],
])('what a server asks for %s, in answer to what nobody decides on, is refused', async ([_, result]) => {
  const wire = new ScriptedTransport(() => result)
  const client = new BareClient(govern(wire, { server: 'fs' }))
  const answer = await client.ask('prompts/list')
  expect(answer).toMatchObject({
    error: { message: expect.stringContaining('asks for input where it may not') },
  })
  expect(answer).not.toHaveProperty('result')
})

test.for(['tasks/get', 'tasks/list', 'tools/call ', 'own/method'])(
  'a method that is not known never gets to the server: %s',
  async (method) => {
    const wire = slowServer()
    const client = new BareClient(govern(wire, { server: 'fs' }))
    expect(await client.ask(method)).toMatchObject({ error: { code: -32601 } })
    await client.transport.send({ jsonrpc: '2.0', method: 'notifications/own' })
    expect(wire.sent).toEqual([])
    expect(client.errors).toEqual(['the client of fs sent a notification that is not known; it was dropped'])
  },
)

test.for([
  ['a batch', []],
  ['no object', 'text'],
  ['another version', { jsonrpc: '1.0', method: 'ping', id: 1 }],
  ['a method that is no string', { jsonrpc: '2.0', method: 1, id: 1 }],
  ['params that are no object', { jsonrpc: '2.0', method: 'ping', id: 1, params: [] }],
  ['an id that is null', { jsonrpc: '2.0', method: 'ping', id: null }],
  ['a fraction for an id', { jsonrpc: '2.0', method: 'ping', id: 1.5 }],
  ['a request and an answer', { jsonrpc: '2.0', method: 'ping', id: 1, result: {} }],
  ['a result and an error', { jsonrpc: '2.0', id: 1, result: {}, error: {} }],
  ['nothing of both', { jsonrpc: '2.0', id: 1 }],
  ['an answer to nothing', { jsonrpc: '2.0', id: 77, result: {} }],
  ['an error about nothing', { jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } }],
] as const)('dropped from either end, and reported: %s', async ([, message]) => {
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  wire.say(message)
  await turn()
  await client.transport.send(message as never)
  expect(wire.sent).toEqual([])
  expect(client.got).toEqual([])
  expect(client.errors).toHaveLength(2)
})

test('an answer that is none ends the call that waits for it', async () => {
  const { agent } = bench({ budget, tools: { slow: mcpTool() } })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const call = client.call('slow', {}, {})
    await turn()
    wire.say({ jsonrpc: '2.0', id: wire.got('tools/call')[0]?.['id'], result: 5 })
    expect((await call)['result']).toMatchObject({ isError: true })
  })
})

test('a request with the id of one that is open, or that was given up, is dropped', async () => {
  const { agent, payloads } = bench({ budget, tools: { slow: mcpTool() } })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    void client.ask('tools/call', { name: 'slow' }, 'x')
    await turn()
    void client.ask('tools/call', { name: 'slow' }, 'x')
    await client.transport.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'x' },
    })
    await turn()
    const again = client.ask('tools/call', { name: 'slow' }, 'x')
    expect(client.errors).toHaveLength(2)
    // What comes late was not asked for by the second; then the id is free.
    wire.say({ jsonrpc: '2.0', id: 'x', result: { content: [{ type: 'text', text: 'late' }] } })
    await turn()
    expect(client.got).toEqual([])
    void again
  })
  expect(wire.got('tools/call')).toHaveLength(1)
  expect(payloads('tool_call')).toHaveLength(1)
})

test('a call that is cancelled while it waits for approval is never handed on', async () => {
  const { agent } = bench({
    budget,
    tools: { slow: mcpTool({ approval: 'always' }) },
    approve: () => new Promise(() => undefined),
  })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    void client.ask('tools/call', { name: 'slow' }, 'x')
    await turn()
    await client.transport.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'x' },
    })
    await turn()
  })
  expect(wire.got('tools/call')).toEqual([])
  expect(wire.got('notifications/cancelled')).toEqual([])
  expect(client.got).toEqual([])
})

test('a call that is cancelled at the server is cancelled there, and its stream is closed', async () => {
  const { agent, payloads } = bench({ budget, tools: { slow: mcpTool() } })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  const mine = new AbortController()
  await agent.session('alice', async () => {
    const params = { name: 'slow', arguments: {} }
    const message = { jsonrpc: '2.0', id: 'x', method: 'tools/call', params }
    await client.transport.send(message, { requestSignal: mine.signal })
    await turn()
    expect(wire.got('tools/call')).toHaveLength(1)
    // As a client of the stateless protocol cancels over HTTP.
    mine.abort()
    await turn()
  })
  expect(wire.got('notifications/cancelled')).toMatchObject([{ params: { requestId: 'x' } }])
  const call = wire.sent.findIndex(({ method }) => method === 'tools/call')
  expect(wire.extras[call]).toMatchObject({ requestSignal: { aborted: true } })
  expect(client.got).toEqual([])
  // What it did before it was cancelled nobody knows.
  expect(payloads('tool_result')[0]).toMatchObject({ ok: false, effect: 'unknown' })
})

test('a kill in the middle of a call answers it, and cancels it at the server', async () => {
  const { agent, payloads } = bench({ budget: { usd: 1 }, tools: { slow: mcpTool() } })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  let call: Promise<Record<string, unknown>> | undefined
  let after: Promise<Record<string, unknown>> | undefined
  await rejection(
    agent.session('alice', async (session) => {
      call = client.call('slow')
      await turn()
      try {
        session.recordLlm({ model: 'm', inputTokens: 1, outputTokens: 1, costUsd: 2 })
      } finally {
        after = client.call('slow')
        await after
      }
    }),
  )
  expect(await call).toMatchObject({ error: { data: { code: 'ERR_BUDGET_EXCEEDED' } } })
  expect(await after).toMatchObject({ error: { data: { code: 'ERR_BUDGET_EXCEEDED' } } })
  expect(wire.got('tools/call')).toHaveLength(1)
  expect(wire.got('notifications/cancelled')).toHaveLength(1)
  expect(payloads('session_end')).toHaveLength(1)
})

test('a server that goes away answers what is under way, and its transport is closed', async () => {
  const { agent, payloads } = bench({ budget, tools: { slow: mcpTool() } })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const call = client.call('slow')
    const passed = client.ask('resources/list')
    await turn()
    await wire.close()
    expect(textOf(await call)).toBe('the connection has ended')
    expect(await passed).toMatchObject({ error: { message: 'the connection has ended' } })
    await turn()
    expect(client.isClosed).toBe(true)
  })
  expect(payloads('tool_result')[0]).toMatchObject({ ok: false })
})

test('closing does not wait for an approval that never comes', async () => {
  const { agent } = bench({
    budget,
    tools: { slow: mcpTool({ approval: 'always' }) },
    approve: () => new Promise(() => undefined),
  })
  const wire = slowServer()
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async () => {
    const call = client.call('slow')
    await turn()
    await client.transport.close()
    expect(textOf(await call)).toBe('the connection has ended')
  })
  expect(wire.got('tools/call')).toEqual([])
})

test('outside of every session a call is refused, or passes where that was asked for', async () => {
  const wire = new ScriptedTransport(() => ({ tools: [listed('a')], content: [] }))
  const client = new BareClient(govern(wire, { server: 'fs' }))
  expect(await client.call('a')).toMatchObject({ error: { data: { code: 'ERR_NO_SESSION' } } })
  expect(await client.ask('tools/list')).toMatchObject({ error: { data: { code: 'ERR_NO_SESSION' } } })
  expect(wire.sent).toEqual([])
  const observed = new BareClient(
    govern(new ScriptedTransport(() => ({ content: [] })), { server: 'fs', outside: 'observe' }),
  )
  expect(await observed.call('a')).toMatchObject({ result: { content: [] } })
  expect(await observed.ask('tasks/get')).toHaveProperty('error')
})

test('an owner that throws when it is told of an error ends nothing', async () => {
  const wire = slowServer()
  const governed = govern(wire, { server: 'fs' })
  governed.onerror = () => {
    throw new TypeError('not now')
  }
  wire.say('nonsense')
  await turn()
  expect(wire.sent).toEqual([])
})

test.for([
  [{ server: '' }, RangeError],
  [{ server: 'x'.repeat(65) }, RangeError],
  [{ server: 1 }, TypeError],
  [{ server: 'fs', side: 'both' }, RangeError],
  [{ server: 'fs', outside: 'allow' }, RangeError],
  [{ server: 'fs', pins: {} }, TypeError],
  [{ server: 'fs', session: 'alice' }, TypeError],
  [{ server: 'fs', prefix: 1 }, TypeError],
  [{ server: 'fs', pinz: {} }, TypeError],
] as const)('options that are not usable are refused: %j', ([options, error]) => {
  expect(() => govern(slowServer(), options as never)).toThrow(error)
})
