import type Anthropic from '@anthropic-ai/sdk'
import { describe, expect, test } from 'vitest'
import { type Agent, defineTool, type Tool, type ToolSchemas, type ToolSet } from 'writ'
import * as z from 'zod'
import { anything, bench } from '../../support/tools.js'

const refund = defineTool({
  description: 'Issue a refund.',
  inputSchema: z.object({ orderId: z.number().int(), note: z.string().optional() }),
  execute: () => 'refunded',
})
const look = defineTool({ inputSchema: z.strictObject({}), execute: () => 'seen' })

const FORMATS = ['openai', 'anthropic', 'mcp'] as const satisfies readonly (keyof ToolSchemas)[]

const named = (name: string): Agent<ToolSet> => bench<ToolSet>({ [name]: look as unknown as Tool }).agent

describe('the formats', () => {
  const { agent } = bench({ refund, look })
  const parameters = {
    type: 'object',
    properties: { orderId: expect.objectContaining({ type: 'integer' }), note: { type: 'string' } },
    required: ['orderId'],
  }

  test('openai', () => {
    expect(agent.toolSchemas('openai')).toEqual([
      {
        type: 'function',
        function: {
          name: 'refund',
          description: 'Issue a refund.',
          parameters: expect.objectContaining(parameters),
        },
      },
      {
        type: 'function',
        function: { name: 'look', parameters: expect.objectContaining({ type: 'object' }) },
      },
    ])
  })

  test('anthropic', () => {
    expect(agent.toolSchemas('anthropic')).toEqual([
      { name: 'refund', description: 'Issue a refund.', input_schema: expect.objectContaining(parameters) },
      { name: 'look', input_schema: expect.objectContaining({ type: 'object' }) },
    ])
  })

  test('mcp', () => {
    expect(agent.toolSchemas('mcp')).toEqual([
      { name: 'refund', description: 'Issue a refund.', inputSchema: expect.objectContaining(parameters) },
      { name: 'look', inputSchema: expect.objectContaining({ type: 'object' }) },
    ])
  })

  test('anthropic wants an object as input, and its own types take what comes', () => {
    const list = defineTool({ inputSchema: z.array(z.string()), execute: () => 0 })
    expect(() => bench({ list }).agent.toolSchemas('anthropic')).toThrow(/object as input, .* list is not/)
    const tools: Anthropic.Tool[] = agent.toolSchemas('anthropic')
    expect(tools).toHaveLength(2)
  })

  test.each(FORMATS)('%s is JSON, and empty for an agent without tools', (format) => {
    const schemas = agent.toolSchemas(format)
    expect(JSON.parse(JSON.stringify(schemas))).toEqual(schemas)
    expect(bench({}).agent.toolSchemas(format)).toEqual([])
  })

  test.each(FORMATS)('%s shows the input that the schema takes, not what it makes of it', (format) => {
    const length = defineTool({
      inputSchema: z.object({ text: z.string().transform((text) => text.length) }),
      execute: () => 1,
    })
    expect(JSON.stringify(bench({ length }).agent.toolSchemas(format))).toContain('"text":{"type":"string"}')
  })
})

test.each(['gemini', 'OpenAI', '', '__proto__', 'constructor', 'toString', undefined, null, 5])(
  'there is no format %j',
  (format) => {
    expect(() => bench({ look }).agent.toolSchemas(format as never)).toThrow(RangeError)
  },
)

describe('names', () => {
  test.each([
    ['openai', 'orders.refund'],
    ['openai', 'orders:refund'],
    ['openai', 'x'.repeat(65)],
    ['anthropic', 'orders.refund'],
    ['anthropic', 'orders:refund'],
  ] as const)('%s does not allow %s, and says so by name', (format, name) => {
    expect(() => named(name).toolSchemas(format)).toThrow(RangeError)
    expect(() => named(name).toolSchemas(format)).toThrow(`${format} does not allow the tool name ${name}`)
  })

  test.each([
    ['openai', 'orders_refund-2'],
    ['openai', 'x'.repeat(64)],
    ['anthropic', 'x'.repeat(128)],
    ['mcp', 'orders.refund:v2'],
    ['mcp', 'x'.repeat(128)],
  ] as const)('%s allows %s', (format, name) => {
    expect(JSON.stringify(named(name).toolSchemas(format))).toContain(`"${name}"`)
  })
})

test.each<[string, unknown]>([
  ['without JSON Schema', anything],
  ['that JSON Schema cannot express', z.object({ at: z.date() })],
])(
  'a schema %s still validates, and is refused here by the name of its tool',
  async (_label, inputSchema) => {
    const odd = defineTool({ inputSchema: inputSchema as typeof anything, execute: () => 'ran' })
    const { agent } = bench({ look, odd })
    for (const format of FORMATS) {
      expect(() => agent.toolSchemas(format)).toThrow(RangeError)
      expect(() => agent.toolSchemas(format)).toThrow('inputSchema of odd cannot be expressed in JSON Schema')
    }
    await agent.session('alice', async (s) => expect(await s.callTool('look', {})).toBe('seen'))
  },
)

test.each(FORMATS)('what is handed out for %s can be changed without changing the next', (format) => {
  const { agent } = bench({ refund })
  const before = JSON.stringify(agent.toolSchemas(format))
  const [handed] = agent.toolSchemas(format) as unknown as Record<string, unknown>[]
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const member of Object.values(value)) walk(member)
    Object.assign(value, { injected: true })
  }
  walk(handed)
  expect(JSON.stringify(agent.toolSchemas(format))).toBe(before)
})
