import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { Client as ClientV2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyLog } from 'writ/verify'
import { ProxyBench, realServer, recordsIn } from './proxy-bench.js'

const bench = new ProxyBench()
beforeAll(async () => {
  await bench.build()
  mkdirSync(bench.at('notes'))
  writeFileSync(bench.at('notes/a.txt'), 'first note')
  writeFileSync(bench.at('secret.txt'), 'canary')
  symlinkSync(bench.at('secret.txt'), bench.at('notes/link.txt'))
  symlinkSync(bench.folder, bench.at('notes/up'))
}, 60_000)
afterAll(() => bench.remove())

interface Result {
  readonly content: readonly { readonly type: string; readonly text?: string }[]
  readonly isError?: boolean
}

/** What both lines of the SDK have in common. */
interface AnyClient {
  listTools(): Promise<{ tools: { name: string; description?: string }[] }>
  callTool(
    call: { name: string; arguments: Record<string, unknown> },
    ...rest: (object | undefined)[]
  ): Promise<unknown>
  close(): Promise<void>
}

const info = { name: 'test', version: '1' }
type Started = { readonly command: string; readonly args: string[]; readonly env: Record<string, string> }

const clients: Record<string, (started: Started) => Promise<AnyClient>> = {
  'the client of v1': async (started) => {
    const client = new ClientV1(info)
    await client.connect(new StdioV1({ ...started, stderr: 'ignore' }))
    return client as AnyClient
  },
  'the client of v2': async (started) => {
    const client = new ClientV2(info)
    await client.connect(new StdioV2({ ...started, stderr: 'ignore' }))
    return client as AnyClient
  },
  'the client of v2, which asks for the modern era': async (started) => {
    const client = new ClientV2(info, { versionNegotiation: { mode: 'auto' } })
    await client.connect(new StdioV2({ ...started, stderr: 'ignore' }))
    return client as AnyClient
  },
}

let count = 0
function proxied(contract: object, server: Parameters<typeof realServer>[0], args: readonly string[] = []) {
  count += 1
  const { config, log } = bench.contract(`real-${count}`, { server, ...contract })
  const started: Started = {
    command: process.execPath,
    args: [bench.program, 'mcp', '--config', config, '--', process.execPath, realServer(server), ...args],
    env: { PATH: process.env['PATH'] ?? '', MEMORY_FILE_PATH: bench.at(`memory-${count}.jsonl`) },
  }
  return { started, log }
}

const textOf = (result: unknown): string => (result as Result).content.map(({ text }) => text).join('')
const isDenied = (result: unknown): boolean => (result as Result).isError === true

describe.each(Object.entries(clients))('%s', (_, connect) => {
  test('server-filesystem, made read-only under one folder', async () => {
    const { started, log } = proxied(
      {
        tools: {
          read_text_file: { path: { under: './notes' } },
          list_directory: { path: { under: './notes' } },
        },
      },
      'filesystem',
      [bench.folder],
    )
    const client = await connect(started)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual(['list_directory', 'read_text_file'])
    const read = (path: string): Promise<unknown> =>
      client.callTool({ name: 'read_text_file', arguments: { path } })
    expect(textOf(await read(bench.at('notes/a.txt')))).toBe('first note')
    const escapes = [
      bench.at('secret.txt'),
      `${bench.at('notes')}/../secret.txt`,
      bench.at('notes/link.txt'),
      bench.at('notes/up/secret.txt'),
      `${bench.at('notes')}/%2e%2e/secret.txt`,
      `${bench.at('notes')}/..\\secret.txt`,
      `\\\\server\\share\\secret.txt`,
      `${bench.at('notes')}/a.txt\u0000.png`,
      `file://${bench.at('notes/a.txt')}`,
      'notes/a.txt',
      '~/secret.txt',
      '',
    ]
    for (const path of escapes) {
      const result = await read(path)
      if (!isDenied(result)) expect.fail(`${path} was read: ${textOf(result)}`)
      expect(textOf(result)).not.toContain('canary')
    }
    expect(
      isDenied(
        await client.callTool({
          name: 'write_file',
          arguments: { path: bench.at('notes/a.txt'), content: 'x' },
        }),
      ),
    ).toBe(true)
    await client.close()
    expect(readFileSync(bench.at('notes/a.txt'), 'utf8')).toBe('first note')
    const records = recordsIn(log)
    expect(records.filter(({ event }) => event === 'tool_call')).toHaveLength(1)
    const denied = records
      .filter(({ event }) => event === 'tool_denied')
      .map(({ payload }) => payload['tool'])
    expect(denied).toEqual([...escapes.map(() => 'read_text_file'), 'write_file'])
    expect(await verifyLog(readFileSync(log))).toMatchObject({ verdict: 'UNANCHORED' })
  })

  test('server-memory: what it is let do lasts, what it is not does nothing', async () => {
    const { started, log } = proxied({ tools: { create_entities: true, read_graph: true } }, 'memory')
    const client = await connect(started)
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['wrote notes'] }]
    await client.callTool({ name: 'create_entities', arguments: { entities } })
    expect(
      isDenied(await client.callTool({ name: 'delete_entities', arguments: { entityNames: ['Ada'] } })),
    ).toBe(true)
    expect(textOf(await client.callTool({ name: 'read_graph', arguments: {} }))).toContain('wrote notes')
    await client.close()
    expect(recordsIn(log).filter(({ event }) => event === 'tool_denied')).toHaveLength(1)
  })

  test('server-everything: progress arrives, and a call that is cancelled ends', async () => {
    const { started, log } = proxied(
      { tools: { echo: true, 'trigger-long-running-operation': true } },
      'everything',
    )
    const client = await connect(started)
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('Echo: hi')
    const progress: number[] = []
    const heard = { onprogress: (at: { progress: number }) => progress.push(at.progress) }
    const name = 'trigger-long-running-operation'
    const long = async (duration: number, options: object): Promise<unknown> => {
      const call = { name, arguments: { duration, steps: 3 } }
      return client instanceof ClientV1
        ? client.callTool(call, undefined, options)
        : client.callTool(call, options)
    }
    await long(0.3, heard)
    expect(progress.length).toBeGreaterThanOrEqual(2)
    const aborted = new AbortController()
    const cancelled = long(60, { signal: aborted.signal, ...heard })
    const expected = expect(cancelled).rejects.toThrow()
    while (recordsIn(log).filter(({ event }) => event === 'tool_call').length < 3) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    aborted.abort()
    await expected
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'on' } }))).toBe('Echo: on')
    await client.close()
    const records = recordsIn(log)
    const results = records.filter(
      ({ event, payload }) => event === 'tool_result' && payload['late'] !== true,
    )
    expect(results.map(({ payload }) => payload['ok'])).toEqual([true, true, false, true])
    expect(records.at(-1)?.event).toBe('log_close')
  })
})
