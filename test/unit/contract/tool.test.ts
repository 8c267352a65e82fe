import { expect, test, vi } from 'vitest'
import { defineTool, type ToolDefinition } from 'writ'
import * as z from 'zod'
import { anything } from '../../support/tools.js'

const execute = (): string => 'ran'

/** What is wrong with a definition. */
function fault(definition: unknown): unknown {
  try {
    defineTool(definition as ToolDefinition<never, never, never>)
    return 'defined'
  } catch (error) {
    return error
  }
}

test('a tool is what was defined, frozen, with what is absent left out', () => {
  const minimal = defineTool({ inputSchema: anything, execute })
  expect(minimal).toEqual({ inputSchema: anything, readOnly: false, execute })
  expect(Object.isFrozen(minimal)).toBe(true)
  const full = {
    description: 'Pays.',
    inputSchema: anything,
    outputSchema: z.string(),
    when: () => true,
    redact: () => 'x',
    readOnly: true,
    timeoutMs: 0,
    maxCalls: 0,
    execute,
  }
  expect(defineTool(full)).toEqual(full)
})

test('undefined members count as absent', () => {
  const tool = defineTool({ inputSchema: anything, when: undefined, timeoutMs: undefined, execute } as never)
  expect(Object.keys(tool).sort()).toEqual(['execute', 'inputSchema', 'readOnly'])
})

test('changing the definition afterwards changes nothing', () => {
  const definition = { inputSchema: anything, when: () => false, execute }
  const tool = defineTool(definition)
  definition.when = () => true
  expect(tool.when?.({}, {} as never)).toBe(false)
  expect(() => Object.assign(tool, { when: () => true })).toThrow(TypeError)
})

test('each member is read once', () => {
  const get = vi.fn(() => anything)
  defineTool(Object.defineProperty({ execute } as never, 'inputSchema', { get, enumerable: true }))
  expect(get).toHaveBeenCalledTimes(1)
})

test.each([undefined, null, 5, 'tool', [], () => 1, new (class Tool {})()])(
  '%s is no definition',
  (definition) => {
    expect(fault(definition)).toBeInstanceOf(TypeError)
  },
)

test.each([
  ['whem', { whem: () => false }],
  ['approve', { approve: () => true }],
  ['name', { name: 'pay' }],
  ['Symbol(when)', { [Symbol('when')]: () => false }],
])('an unknown member, %s, is refused by name', (name, members) => {
  const error = fault({ inputSchema: anything, execute, ...members })
  expect(error).toBeInstanceOf(TypeError)
  expect(String(error)).toContain(`unknown option ${name}`)
})

test('an inherited member does not count', () => {
  const inherited = Object.assign(Object.create({ execute }), { inputSchema: anything })
  expect(fault(inherited)).toBeInstanceOf(TypeError)
})

const validate = (value: unknown): unknown => ({ value })

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a JSON Schema', { type: 'object' }],
  ['a function', () => true],
  ['null', null],
  ['another version', { '~standard': { version: 2, vendor: 'x', validate } }],
  ['no validate', { '~standard': { version: 1, vendor: 'x' } }],
  ['a validate that is none', { '~standard': { version: 1, vendor: 'x', validate: 'yes' } }],
  ['a text for a standard', { '~standard': 'v1' }],
])('%s is no schema', (_label, schema) => {
  const input = fault({ inputSchema: schema, execute })
  expect(input).toBeInstanceOf(TypeError)
  expect(String(input)).toContain('inputSchema')
  if (schema !== undefined) {
    const output = fault({ inputSchema: anything, outputSchema: schema, execute })
    expect(output).toBeInstanceOf(TypeError)
    expect(String(output)).toContain('outputSchema')
  }
})

test('a schema may be a function, as arktype makes them', () => {
  const callable = Object.assign(() => true, anything)
  expect(fault({ inputSchema: callable, execute })).toBe('defined')
})

test.each([
  ['execute', undefined],
  ['execute', 'run'],
  ['execute', {}],
  ['when', true],
  ['when', null],
  ['redact', 'names'],
  ['description', 5],
  ['description', null],
  ['readOnly', 'yes'],
  ['readOnly', 1],
  ['timeoutMs', '50'],
  ['maxCalls', null],
])('%s cannot be %j', (member, value) => {
  const error = fault({ inputSchema: anything, execute, [member]: value })
  expect(error).toBeInstanceOf(TypeError)
  expect(String(error)).toContain(member)
})

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('a limit cannot be %d', (value) => {
  for (const member of ['timeoutMs', 'maxCalls']) {
    const error = fault({ inputSchema: anything, execute, [member]: value })
    expect(error).toBeInstanceOf(RangeError)
    expect(String(error)).toContain(member)
  }
})
