import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyLog } from 'writ/verify'
import { writ } from '../cli/test-io.js'
import {
  faultOf,
  type Message,
  ProxyBench,
  type RawClient,
  recordsIn,
  scriptedServer,
} from './proxy-bench.js'

const bench = new ProxyBench()
beforeAll(() => bench.build(), 60_000)
afterAll(() => bench.remove())

const TOOLS = { echo: true, hold: true, raw: true, die: true, env: true, stderr: true, big: true, ask: true }

let count = 0
function scripted(
  contract: object = {},
  env: Record<string, string> = {},
): { client: RawClient; log: string } {
  count += 1
  const { config, log } = bench.contract(`wire-${count}`, { tools: TOOLS, ...contract })
  return { client: bench.start(['--config', config, '--', process.execPath, scriptedServer], env), log }
}

const textOf = ({ result }: Message): string => result?.content?.[0]?.text ?? ''

describe('what a client sends that is no message', () => {
  test.each<[name: string, line: string, code: number, id: unknown]>([
    ['no JSON', '{"jsonrpc":', -32700, null],
    ['a number', '7', -32600, null],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, null],
    ['another version', '{"jsonrpc":"1.0","id":8,"method":"ping"}', -32600, 8],
    ['a method that is no text', '{"jsonrpc":"2.0","id":8,"method":1}', -32600, 8],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, null],
    ['an id of null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, null],
    ['an id that is a fraction', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, null],
    ['params that are a list', '{"jsonrpc":"2.0","id":8,"method":"ping","params":[]}', -32600, 8],
    ['a request and an answer', '{"jsonrpc":"2.0","id":8,"method":"ping","result":{}}', -32600, 8],
    ['neither', '{"jsonrpc":"2.0","id":8}', -32600, 8],
    ['a result and an error', '{"jsonrpc":"2.0","id":8,"result":{},"error":{}}', -32600, 8],
    ['an error without a code', '{"jsonrpc":"2.0","id":8,"error":{"message":"x"}}', -32600, 8],
    [
      'nested too deep',
      `{"jsonrpc":"2.0","id":8,"method":"ping","params":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`,
      -32600,
      8,
    ],
  ])('%s: an error, and the connection goes on', async (name, line, code, id) => {
    const { client, log } = scripted()
    await client.hello()
    client.write(`${line}\n`)
    const answer = await client.heard((message) => 'error' in message)
    expect(answer).toMatchObject({ id, error: { code } })
    expect(await client.call(1, 'echo', { a: 1 })).toMatchObject({
      result: { content: [{ text: '{"a":1}' }] },
    })
    expect(await client.leave()).toBe(0)
    expect(recordsIn(log).filter(({ event }) => event === 'tool_call')).toHaveLength(1)
    expect(client.stderr).toContain(`writ mcp: the client: ${name === 'a batch' ? 'a batch' : ''}`)
  })

  test('bytes that are no UTF-8', async () => {
    const { client } = scripted()
    await client.hello()
    client.write(Buffer.from([0x22, 0xff, 0x22, 0x0a]))
    expect(await client.heard((message) => 'error' in message)).toMatchObject({ error: { code: -32700 } })
    await client.leave()
  })

  test('a message that is larger than one may be ends the connection, and is said', async () => {
    const { client, log } = scripted({ maxMessageBytes: 2048 })
    await client.hello()
    expect(textOf(await client.call(1, 'echo', { a: 'x'.repeat(1000) }))).toContain('xxx')
    client.send({ id: 2, method: 'tools/call', params: { name: 'echo', arguments: { a: 'x'.repeat(4000) } } })
    await client.closed
    expect(client.messages.at(-1)).toMatchObject({ id: null, error: { code: -32700 } })
    expect(client.stderr).toContain('more than 2048 bytes')
    expect(recordsIn(log).filter(({ event }) => event === 'tool_call')).toHaveLength(1)
    expect(recordsIn(log).at(-1)?.event).toBe('log_close')
  })

  test('a client that stops reading ends the connection, before its answers fill the memory', async () => {
    const { client, log } = scripted({ maxMessageBytes: 65_536 })
    await client.hello()
    client.child.stdout.pause()
    for (let id = 0; id < 200; id++) {
      client.send({ id, method: 'tools/call', params: { name: 'big', arguments: { bytes: 50_000 } } })
    }
    await once(client.child, 'exit')
    expect(client.stderr).toContain('the client does not read what it is sent')
    expect(recordsIn(log).at(-1)?.event).toBe('log_close')
  })

  test('an id that is in use gets no second call', async () => {
    const { client, log } = scripted()
    await client.hello()
    client.send({ id: 5, method: 'tools/call', params: { name: 'hold', arguments: {} } })
    client.send({ id: 5, method: 'tools/call', params: { name: 'echo', arguments: {} } })
    expect(await client.heard((message) => 'error' in message)).toMatchObject({
      id: null,
      error: { code: -32600, message: expect.stringContaining('5') },
    })
    await client.call(6, 'ask')
    await client.leave()
    const called = recordsIn(log).filter(({ event }) => event === 'tool_call')
    expect(called.map(({ payload }) => payload['tool'])).toEqual(['hold', 'ask'])
  })
})

describe('what a server sends that is no message', () => {
  test.each([
    'Listening on stdio…',
    '{"jsonrpc":"2.0","id":1',
    '[]',
    '{"jsonrpc":"2.0","id":77,"result":[]}',
    '{"jsonrpc":"2.0","id":77,"result":{"content":[]}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
    '{"jsonrpc":"2.0","id":"2","result":{"content":[{"type":"text","text":"not yours"}]}}',
  ])('%s reaches no client', async (line) => {
    const { client } = scripted()
    await client.hello()
    expect(textOf(await client.call(2, 'raw', { line }))).toBe('said')
    expect(textOf(await client.call(3, 'echo', {}))).toBe('{}')
    await client.leave()
    expect(client.messages.map(({ id }) => id)).toEqual(['hello', 2, 3])
  })

  test('standard output that is no protocol is named on standard error, and only so often', async () => {
    const { client } = scripted({ server: 'chatty' })
    await client.hello()
    await client.call(1, 'raw', { line: Array.from({ length: 200 }, () => 'debug').join('\n') })
    await client.leave()
    expect(client.stderr).toContain('writ mcp: the server chatty: no JSON')
    expect(client.stderr.match(/no JSON/g)?.length).toBe(50)
  })

  test('a message that is larger than one may be ends the connection: the call is answered and recorded', async () => {
    const { client, log } = scripted({ maxMessageBytes: 4096 })
    await client.hello()
    const answer = await client.call(1, 'big', { bytes: 10_000 })
    expect(faultOf(answer)).not.toBe('')
    expect(await client.closed).toBe(69)
    expect(client.stderr).toContain('more than 4096 bytes')
    expect(recordsIn(log).map(({ event }) => event)).toContain('tool_result')
    expect(recordsIn(log).at(-1)?.event).toBe('log_close')
  })
})

describe('beside the protocol', () => {
  test('standard error of the server is passed on under its name, in lines of bounded length that steer no terminal', async () => {
    const { client } = scripted({ server: 'chatty' })
    await client.hello()
    await client.call(1, 'stderr', { line: `\u001b[2J${'y'.repeat(10_000)}` })
    await client.call(2, 'stderr', { line: 'short' })
    await client.leave()
    const lines = client.stderr.split('\n')
    expect(lines).toContain('chatty| short')
    const long = lines.find((line) => line.includes('yyy')) as string
    expect(long).toMatch(/^chatty\| \\u001b\[2Jy+ … \d+ more characters$/)
    expect(long.length).toBeLessThan(5000)
  })

  test('the server gets the environment of the proxy, without what is for Writ', async () => {
    const { client } = scripted({}, { API_KEY: 'k-1', WRIT_APPROVAL_SECRET: 's-1' })
    await client.hello()
    expect(textOf(await client.call(1, 'env', { name: 'API_KEY' }))).toBe('k-1')
    expect(textOf(await client.call(2, 'env', { name: 'WRIT_APPROVAL_SECRET' }))).toBe('undefined')
    await client.leave()
  })

  test('ten thousand calls: each is answered once, and each is on record', async () => {
    const { client, log } = scripted({
      budget: { toolCalls: 20_000 },
      audit: { file: bench.at('flood.jsonl'), durability: 'os' },
    })
    await client.hello()
    for (let id = 0; id < 10_000; id++) {
      client.send({ id, method: 'tools/call', params: { name: 'echo', arguments: { id } } })
    }
    await client.until(() => client.messages.length === 10_001)
    expect(await client.leave()).toBe(0)
    const answers = new Map(client.messages.map((message) => [message.id, message]))
    for (let id = 0; id < 10_000; id++) {
      if (textOf(answers.get(id) ?? {}) !== `{"id":${id}}`)
        expect.fail(`${id}: ${JSON.stringify(answers.get(id))}`)
    }
    const path = bench.at('flood.jsonl')
    expect(log).not.toBe(path)
    expect(await verifyLog(readFileSync(path))).toMatchObject({ verdict: 'UNANCHORED', size: 20_004 })
  }, 120_000)
})

describe('a proxy that cannot begin says why to the client, and on standard error', () => {
  const begins = async (
    args: readonly string[],
  ): Promise<{ told: string; status: number | null; err: string }> => {
    const client = bench.start(args)
    const { error } = await client.hello()
    const status = await client.closed
    return { told: error?.message ?? '', status, err: client.stderr }
  }
  const server = ['--', process.execPath, scriptedServer]

  test('no contract', async () => {
    const { told, status, err } = await begins(['--config', bench.at('missing.json'), ...server])
    expect(told).toContain('missing.json: there is no such file')
    expect(told).toContain('writ mcp init')
    expect(err).toContain('missing.json: there is no such file')
    expect(status).toBe(78)
  })

  test('a contract with a typo', async () => {
    const { config } = bench.contract('typo', { tools: {}, budgit: {} })
    const { told, status } = await begins(['--config', config, ...server])
    expect(told).toContain('typo.json')
    expect(told).toContain('/budgit')
    expect(told).toContain('budget')
    expect(status).toBe(78)
  })

  test('approvals by trying again, which are not in this version', async () => {
    const approvals = { folder: bench.folder, mode: 'retry' }
    const { config } = bench.contract('retry', { tools: {}, approvals })
    const { told, status } = await begins(['--config', config, ...server])
    expect(told).toContain('/approvals/mode: "retry" is not in this version')
    expect(status).toBe(78)
  })

  test('a log that somebody else writes', async () => {
    const { client } = scripted()
    await client.hello()
    const { told, status } = await begins(['--config', bench.at(`wire-${count}.json`), ...server])
    expect(told).toContain('ERR_AUDIT_LOCKED')
    expect(status).toBe(78)
    expect(await client.leave()).toBe(0)
  })

  test('a log that does not hold together', async () => {
    const { config, log } = bench.contract('damaged', { tools: {} })
    writeFileSync(log, '{"v":1}\n')
    const { told, status } = await begins(['--config', config, ...server])
    expect(told).toContain('ERR_AUDIT_DAMAGED')
    expect(status).toBe(78)
  })

  test('a command that is not there', async () => {
    const { config, log } = bench.contract('nothing', { tools: {} })
    const { told, status } = await begins(['--config', config, '--', bench.at('no-such-program')])
    expect(told).toContain('the server cannot be started')
    expect(told).toContain('no-such-program')
    expect(status).toBe(69)
    expect(recordsIn(log).map(({ event }) => event)).toEqual([
      'log_open',
      'session_start',
      'session_end',
      'log_close',
    ])
  })
})

describe('the command line', () => {
  test.each<[args: string[], says: string]>([
    [[], 'which server?'],
    [['--'], 'which server?'],
    [['node', 'server.js'], 'goes after --: writ mcp -- "node"'],
    [['--confg', 'x', '--', 'node'], 'Did you mean --config?'],
    [['--url', 'https://a.example', '--', 'node'], 'not both'],
    [['--header', 'A: b', '--', 'node'], '--header goes with --url'],
    [['--url', 'nowhere'], 'is no URL'],
    [['--url', 'http://a.example/mcp'], 'expected https:, or http: on this machine'],
    [['--url', 'https://u:p@a.example/mcp'], 'credentials do not belong in a URL'],
    [['--url', 'https://a.example', '--header', 'nothing'], 'expected "Name: value"'],
    [['--url', 'https://a.example', '--header', 'Mcp-Session-Id: x'], 'not yours to set'],
    [['--url', 'https://a.example', '--header', `A: $${'{NOT_SET}'}`], 'NOT_SET is not set'],
    [['--url', 'https://a.example', '--header', 'A: b\nc'], 'a value that is no header'],
  ])('%j: %s', async (args, says) => {
    const ran = await writ(['mcp', ...args])
    expect(ran).toMatchObject({ status: 64, out: '' })
    expect(ran.err).toContain(says)
    expect(ran.err).toContain('writ mcp --help')
  })

  test('--help', async () => {
    const ran = await writ(['mcp', '--help'])
    expect(ran).toMatchObject({ status: 0, err: '' })
    expect(ran.out).toContain('writ mcp [--config FILE] -- <command>')
  })
})
