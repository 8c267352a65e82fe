import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, HttpBench, json, server, stream } from './http-bench.js'
import { faultOf, type Message, ProxyBench, type RawClient, realServer, recordsIn } from './proxy-bench.js'

const bench = new ProxyBench()
const ends: (() => void)[] = []
beforeAll(() => bench.build(), 60_000)
afterEach(() => {
  for (const end of ends.splice(0)) end()
})
afterAll(() => bench.remove())

interface Connected {
  readonly http: HttpBench
  readonly client: RawClient
  readonly log: string
}

let count = 0
async function connected(
  answer: Answer,
  options: { contract?: object; args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Connected> {
  const http = await HttpBench.start(answer)
  ends.push(() => http.stop())
  count += 1
  const { config, log } = bench.contract(`http-${count}`, {
    tools: { echo: true, slow: true },
    ...options.contract,
  })
  const client = bench.start(['--config', config, '--url', http.url, ...(options.args ?? [])], options.env)
  return { http, client, log }
}

const isCall = (message: Message | undefined): boolean => message?.method === 'tools/call'

describe('what goes out', () => {
  test('the session, the version and the headers that were asked for, on every request after the first', async () => {
    const { http, client } = await connected(
      server(() => undefined),
      {
        args: ['--header', `Authorization: Bearer $${'{TOKEN}'}`, '--header', 'X-Team: one'],
        env: { TOKEN: 't-1' },
      },
    )
    await client.hello()
    expect(await client.call(1, 'echo', { a: 1 })).toMatchObject({
      result: { content: [{ text: '{"a":1}' }] },
    })
    expect(await client.leave()).toBe(0)
    const [first, ...rest] = http.seen
    expect(first).toMatchObject({
      method: 'POST',
      headers: {
        authorization: 'Bearer t-1',
        'x-team': 'one',
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
    })
    expect(first?.headers).not.toHaveProperty('mcp-session-id')
    for (const { headers } of rest) {
      expect(headers).toMatchObject({
        authorization: 'Bearer t-1',
        'mcp-session-id': 'session-1',
        'mcp-protocol-version': '2025-06-18',
      })
    }
    // It says goodbye.
    expect(http.seen.at(-1)?.method).toBe('DELETE')
  })

  test('a notification arrives, and is answered, before what comes after it', async () => {
    let isTold = false
    let wasTold: boolean | undefined
    const { client } = await connected(
      server(({ message }, response) => {
        if (message?.method === 'tools/list') wasTold ??= isTold
        if (message?.method !== 'notifications/initialized') return false
        setTimeout(() => {
          isTold = true
          response.writeHead(202).end()
        }, 200)
        return true
      }),
    )
    await client.hello()
    await client.request(1, 'tools/list')
    expect(wasTold).toBe(true)
    await client.leave()
  })
})

describe('what comes back', () => {
  test('a stream: progress and the answer', async () => {
    const { client } = await connected(
      server(({ message }, response) => {
        if (!isCall(message)) return false
        const say = stream(response)
        const progressToken = message?.params?._meta?.progressToken
        say({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
        say({ id: message?.id, result: { content: [{ type: 'text', text: 'done' }] } })
        response.end()
        return true
      }),
    )
    await client.hello()
    const answer = await client.call(1, 'slow', {}, { progressToken: 'p' })
    expect(answer).toMatchObject({ result: { content: [{ text: 'done' }] } })
    expect(client.messages).toContainEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1 },
    })
    await client.leave()
  })

  test('a stream that breaks off goes on from its last event', async () => {
    let held: unknown
    const { http, client } = await connected(
      server(({ method, headers, message }, response) => {
        if (isCall(message)) {
          held = message?.id
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.write('retry: 10\nid: e-1\ndata:\n\n', () => response.destroy())
          return true
        }
        if (method !== 'GET' || headers['last-event-id'] !== 'e-1') return false
        stream(response)({ id: held, result: { content: [{ type: 'text', text: 'later' }] } }, 'e-2')
        response.end()
        return true
      }),
    )
    await client.hello()
    expect(await client.call(1, 'slow')).toMatchObject({ result: { content: [{ text: 'later' }] } })
    expect(http.seen.filter(({ message }) => isCall(message))).toHaveLength(1)
    await client.leave()
  })

  test('what the server says outside of requests, on a stream of its own', async () => {
    const { client } = await connected(
      server(({ method }, response) => {
        if (method !== 'GET') return false
        stream(response)({ method: 'notifications/tools/list_changed' })
        return true
      }),
    )
    await client.hello()
    await client.heard(({ method }) => method === 'notifications/tools/list_changed')
    expect(await client.leave()).toBe(0)
  })
})

describe('what is refused: the call is answered with an error and recorded', () => {
  const big = 'x'.repeat(10_000)
  test.each<
    [name: string, answer: (id: unknown, response: import('node:http').ServerResponse) => void, says: string]
  >([
    [
      'a redirect',
      (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end(),
      'redirects (307)',
    ],
    ['401', (_, response) => response.writeHead(401).end('who?'), 'status 401'],
    [
      'a page',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      'no message',
    ],
    ['nothing', (_, response) => response.writeHead(204).end(), 'nothing'],
    [
      'no JSON',
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
      'broke off',
    ],
    [
      'an answer to another request',
      (_, response) => json(response, { id: 'other', result: {} }),
      'broke off',
    ],
    ['a large answer', (id, response) => json(response, { id, result: { big } }), 'more than 8192 bytes'],
    [
      'a large event',
      (id, response) => {
        stream(response)({ id, result: { big } })
      },
      'more than 8192 bytes',
    ],
    [
      'an event without end',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`data: ${big}`)
      },
      'more than 8192 bytes',
    ],
    [
      'a stream without the answer',
      (_, response) => {
        stream(response)({ method: 'notifications/message', params: {} })
        response.end()
      },
      'broke off',
    ],
    ['a connection that is cut', (_, response) => response.destroy(), 'did not answer'],
  ])('%s', async (_, answer, says) => {
    const { http, client, log } = await connected(
      server(({ message }, response) => {
        if (!isCall(message) || message?.params?.name !== 'slow') return false
        answer(message?.id, response)
        return true
      }),
      { contract: { maxMessageBytes: 8192 } },
    )
    await client.hello()
    expect(faultOf(await client.call(1, 'slow'))).toContain(says)
    expect(http.seen.filter(({ message }) => isCall(message))).toHaveLength(1)
    // The connection is as good as before.
    expect(await client.call(2, 'echo', {})).toMatchObject({ result: { content: [{ text: '{}' }] } })
    expect(await client.leave()).toBe(0)
    const results = recordsIn(log).filter(({ event }) => event === 'tool_result')
    expect(results).toHaveLength(2)
  })

  test('a session that the server has ended ends the connection', async () => {
    const { client, log } = await connected(
      server(({ message }, response) => {
        if (!isCall(message)) return false
        response.writeHead(404).end()
        return true
      }),
    )
    await client.hello()
    expect(faultOf(await client.call(1, 'echo'))).toMatch(/ended the session|server is gone|has ended/)
    expect(await client.closed).toBe(69)
    expect(recordsIn(log).at(-1)?.event).toBe('log_close')
  })

  test('nobody there', async () => {
    const { http, client } = await connected(server(() => undefined))
    http.stop()
    const { error } = await client.hello()
    expect(error?.message).toContain('the server did not answer')
    await client.leave()
  })
})

test('the client leaves in the middle of a call: the stream is broken off, and the session ended on the server', async () => {
  let isCut = false
  const { http, client, log } = await connected(
    server(({ message }, response) => {
      if (!isCall(message)) return false
      stream(response)
      response.on('close', () => {
        isCut = true
      })
      return true
    }),
  )
  await client.hello()
  client.send({ id: 1, method: 'tools/call', params: { name: 'slow', arguments: {} } })
  await http.heard(({ message }) => isCall(message))
  expect(await client.leave()).toBe(0)
  expect(http.seen.at(-1)?.method).toBe('DELETE')
  expect(isCut).toBe(true)
  const inTime = recordsIn(log).filter(({ payload }) => payload['late'] !== true)
  expect(inTime.map(({ event }) => event).slice(-3)).toEqual(['tool_result', 'session_end', 'log_close'])
})

test('server-everything of npm, behind its URL', async () => {
  const port = await freePort()
  const child = spawn(process.execPath, [realServer('everything'), 'streamableHttp'], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  ends.push(() => child.kill())
  await new Promise<void>((resolve) => {
    const heard = (chunk: Buffer): void => {
      if (/listening/i.test(chunk.toString())) resolve()
    }
    child.stdout.on('data', heard)
    child.stderr.on('data', heard)
  })
  const { config, log } = bench.contract('everything', { tools: { echo: true } })
  const client = bench.start(['--config', config, '--url', `http://127.0.0.1:${port}/mcp`])
  expect(await client.hello()).toMatchObject({ result: { serverInfo: {} } })
  const { result } = await client.request(1, 'tools/list')
  expect(result?.tools?.map(({ name }) => name)).toEqual(['echo'])
  expect(await client.call(2, 'echo', { message: 'hi' })).toMatchObject({
    result: { content: [{ text: 'Echo: hi' }] },
  })
  expect(await client.call(3, 'get-env')).toMatchObject({ result: { isError: true } })
  expect(await client.leave()).toBe(0)
  expect(recordsIn(log).map(({ event }) => event)).toContain('tool_denied')
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as import('node:net').AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
