import { describe, expect, test } from 'vitest'
import { govern, mcpTool } from 'writ/mcp'
import { bench } from '../support/agents.js'
import { BareClient, listed, ScriptedTransport, textOf } from './wire.js'

/** What a call of a tool with a declared schema is answered with. */
async function call(inputSchema: unknown, args: unknown): Promise<string> {
  const { agent } = bench({ budget: { toolCalls: 1 }, tools: { echo: mcpTool() } })
  const wire = new ScriptedTransport(({ method, params }) => {
    // As over a wire: what is not JSON does not get there.
    if (method === 'tools/list') return JSON.parse(JSON.stringify({ tools: [listed('echo', inputSchema)] }))
    return { content: [{ text: JSON.stringify((params as { arguments: unknown }).arguments) }] }
  })
  const client = new BareClient(govern(wire, { server: 'srv' }))
  return agent.session('alice', async () => textOf(await client.call('echo', args)))
}

const object = (more: object): object => ({ type: 'object', ...more })
const nested = (depth: number): object => (depth === 0 ? {} : { properties: { a: nested(depth - 1) } })

describe('a schema that a server declares', () => {
  test.each<[string, object, unknown, string]>([
    ['requires', object({ required: ['a'] }), {}, "must have required property 'a'"],
    ['closes', object({ properties: {}, additionalProperties: false }), { a: 1 }, 'additional properties'],
    [
      'refers',
      object({ properties: { a: { $ref: '#/$defs/n' } }, $defs: { n: { type: 'number' } } }),
      { a: 'x' },
      '/a must be number',
    ],
    [
      'has a format, which says nothing',
      object({ properties: { a: { type: 'string', format: 'email' } } }),
      { a: 'x' },
      '{"a":"x"}',
    ],
    [
      'has words of its own',
      object({ 'x-more': { deep: [1] }, properties: { a: { const: { $ref: 'x' } } } }),
      { a: { $ref: 'x' } },
      '{"a":{"$ref":"x"}}',
    ],
    [
      'has a member by the name of a word',
      object({ properties: { enum: { type: 'number' }, properties: { type: 'number' } } }),
      { enum: 'x' },
      '/enum must be number',
    ],
    [
      'is of draft 7',
      {
        ...object({ properties: { a: { type: 'array', items: [{ type: 'number' }] } } }),
        $schema: 'http://json-schema.org/draft-07/schema#',
      },
      { a: ['x'] },
      '/a/0 must be number',
    ],
    [
      'is of 2020-12',
      {
        ...object({ properties: { a: { prefixItems: [{ type: 'number' }] } } }),
        $schema: 'https://json-schema.org/draft/2020-12/schema',
      },
      { a: ['x'] },
      '/a/0 must be number',
    ],
    ['inherits nothing', object({ required: ['toString'] }), {}, 'required property'],
  ])('%s', async (_, schema, args, expected) => {
    expect(await call(schema, args)).toContain(expected)
  })

  test.each<[string, unknown]>([
    ['is of a kind that is not there', object({ properties: { a: { type: 'nonsense' } } })],
    ['refers to somewhere else', object({ properties: { a: { $ref: 'https://example.com/x.json' } } })],
    ['refers to nothing', object({ properties: { a: { $ref: '#/$defs/none' } } })],
    ['is of a dialect that nobody knows', { ...object({}), $schema: 'https://example.com/dialect' }],
    ['is checked elsewhere', { ...object({}), $async: true }],
    ['is nested too deep', object(nested(65))],
    ['is too long', object({ description: 'x'.repeat(256 * 1024) })],
    ['has a pattern that is none', object({ properties: { a: { type: 'string', pattern: '(' } } })],
    ['has a pattern that looks around', object({ properties: { a: { type: 'string', pattern: '(?=a)b' } } })],
  ])('that %s refuses its tool', async (_, schema) => {
    expect(await call(schema, { a: 'a' })).toContain('the schema that the server declares cannot be used')
  })

  test('keeps its patterns apart', async () => {
    const pattern = (text: string) => ({ type: 'string', pattern: text })
    const schema = object({ properties: { a: pattern('^a$'), b: pattern('^b$') } })
    expect(await call(schema, { a: 'a', b: 'b' })).toBe('{"a":"a","b":"b"}')
    expect(await call(schema, { a: 'a', b: 'a' })).toContain('/b must match pattern "^b$"')
  })

  test('that refers to itself is checked all the way down', async () => {
    const schema = object({ properties: { a: { $ref: '#' } }, additionalProperties: false })
    expect(await call(schema, { a: { a: {} } })).toBe('{"a":{"a":{}}}')
    expect(await call(schema, { a: { a: { b: 1 } } })).toContain('/a/a must NOT have additional properties')
  })

  test('matches patterns in time that is linear in the text', async () => {
    const schema = object({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } })
    const answer = await call(schema, { a: `${'a'.repeat(50_000)}!` })
    expect(answer.slice(0, 200)).toContain('must match pattern')
  })

  test.each<[string, object]>([
    [
      'at the same place',
      object({
        anyOf: [{ $ref: '#/$defs/0' }],
        $defs: Object.fromEntries(
          Array.from({ length: 50 }, (_, n) => {
            const next = n === 49 ? { type: 'string' } : { $ref: `#/$defs/${n + 1}` }
            return [n, { anyOf: [next, next] }]
          }),
        ),
      }),
    ],
    [
      'at each level of the input',
      object({
        $ref: '#/$defs/n',
        $defs: {
          n: {
            anyOf: [
              { properties: { a: { $ref: '#/$defs/n' } }, required: ['a'] },
              { properties: { a: { $ref: '#/$defs/n' } }, required: ['a'] },
            ],
          },
        },
      }),
    ],
    ['for ever', object({ allOf: [{ $ref: '#' }] })],
  ])('that asks for the same over and over %s is given up', async (_, schema) => {
    let args: object = {}
    for (let depth = 0; depth < 50; depth++) args = { a: args }
    expect(await call(schema, args)).toContain('could not be checked')
  })
})
