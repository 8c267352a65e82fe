import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COVERAGE, govern } from 'writ/mcp'
import { bench } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport } from './wire.js'

test('the table in the document is the one in the code', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/mcp.md'), 'utf8')
  const rows = Array.from(text.matchAll(/^\| ([^|]+) \| \*\*(\w+)\*\* \|/gm), ([, part, governance]) => ({
    part,
    governance,
  }))
  expect(rows).toEqual(COVERAGE)
  expect(Object.isFrozen(COVERAGE) && Object.isFrozen(COVERAGE[0])).toBe(true)
})

const FROM_SERVER = new Set(['sampling/createMessage', 'elicitation/create', 'roots/list'])
const methods = COVERAGE.filter(({ part }) => part.includes('/') || part === 'ping' || part === 'initialize')

test.for(methods)('$part is $governance, in a session without any tool', async ({ part, governance }) => {
  const { agent } = bench({ budget: { toolCalls: 5 } })
  const wire = new ScriptedTransport(({ method }) =>
    method === undefined ? undefined : { tools: [listed('any')] },
  )
  const client = new BareClient(govern(wire, { server: 'fs' }))
  await agent.session('alice', async (session) => {
    if (FROM_SERVER.has(part)) {
      const own = new BareClient(govern(wire, { server: 'fs', session }))
      wire.say({ jsonrpc: '2.0', id: 'q', method: part, params: {} })
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(own.got.length).toBe(governance === 'passed' ? 1 : 0)
      return
    }
    const { result } = await client.ask(part, { name: 'any' })
    const isAnswered = result !== undefined && !(result as { isError?: true }).isError
    // A list comes, with nothing in it.
    expect(isAnswered).toBe(governance === 'passed' || part === 'tools/list')
    if (part === 'tools/list') expect(result).toMatchObject({ tools: [] })
    expect(wire.got(part).length > 0).toBe(isAnswered)
  })
})
