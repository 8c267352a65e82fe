import { describe, expect, test, vi } from 'vitest'
import { defineTool, type StandardSchema } from 'writ'
import * as z from 'zod'
import { Registry } from '../../../src/contract/registry.js'
import { anything, schemaOf } from '../../support/tools.js'

const tool = defineTool({ inputSchema: anything, execute: () => 'ran' })

describe('names', () => {
  test.each(['a', '0', 'pay', 'orders.refund', 'a-b_c:d.e', 'constructor', 'x'.repeat(128)])(
    '%s is a name',
    (name) => {
      const registry = Registry.from('tools', { [name]: tool })
      expect(registry.names).toEqual([name])
      expect(registry.get(name)?.name).toBe(name)
    },
  )

  test.each([
    '',
    'Pay',
    'getWeather',
    'pay\n',
    ' pay',
    'pay ',
    '_pay',
    '-pay',
    '.pay',
    ':pay',
    'pay/refund',
    'p\u0430y',
    'pay\u200b',
    '\u202epay',
    '\uff50ay',
    'pay\0',
    'pa\u0301y',
    'toString',
    '__proto__',
    'x'.repeat(129),
  ])('%j is none', (name) => {
    expect(() => Registry.from('tools', { [name]: tool })).toThrow(TypeError)
    expect(() => Registry.from('tools', { [name]: tool })).toThrow(/^tools: .* no tool name/)
  })

  test('a name that is refused is shown with its hidden characters as escapes', () => {
    expect(() => Registry.from('tools', { 'pay\u202e\n': tool })).toThrow('"pay\\u202e\\n"')
  })

  test.each(['pay\n', 'PAY', 'p\u0430y', '__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])(
    'nothing is found under %j',
    (name) => {
      expect(Registry.from('tools', { pay: tool }).get(name)).toBeUndefined()
    },
  )
})

test.each([undefined, null, 5, 'pay', [tool], new Map([['pay', tool]]), () => tool])(
  '%s is no set of tools',
  (tools) => {
    expect(() => Registry.from('tools', tools)).toThrow(TypeError)
  },
)

test('a tool is named in what is wrong with it', () => {
  expect(() => Registry.from('tools', { pay: { inputSchema: anything } })).toThrow('tools.pay.execute')
  expect(() => Registry.from('tools', { pay: undefined })).toThrow('tools.pay')
  expect(() => Registry.from('tools', { pay: { ...tool, whem: () => false } })).toThrow(
    /tools\.pay: unknown option whem/,
  )
})

test('changing the set or the tool afterwards changes nothing', () => {
  const definition = { inputSchema: anything, when: () => false, execute: () => 'ran' }
  const tools: Record<string, unknown> = { pay: definition }
  const registry = Registry.from('tools', tools)
  definition.when = () => true
  definition.execute = () => 'something else'
  tools['rm'] = definition
  expect(registry.names).toEqual(['pay'])
  const held = registry.get('pay')
  expect(held?.when?.({}, {} as never)).toBe(false)
  expect(held?.execute({}, {} as never)).toBe('ran')
  expect(Object.isFrozen(held)).toBe(true)
  expect(Object.isFrozen(registry)).toBe(true)
  expect(() => Object.assign(held as object, { when: () => true })).toThrow(TypeError)
  ;(registry.names as string[]).push('rm')
  expect(registry.names).toEqual(['pay'])
})

test('the set is read once', () => {
  let reads = 0
  const tools = {
    get pay(): typeof tool {
      reads += 1
      return tool
    },
  }
  Registry.from('tools', tools)
  expect(reads).toBe(1)
})

test('the schema that was registered stays the one that validates', () => {
  const first = vi.fn((value: unknown) => ({ value }))
  const schema = schemaOf(first) as { '~standard': { validate: unknown } }
  const registry = Registry.from('tools', { pay: { inputSchema: schema, execute: () => 'ran' } })
  Object.assign(schema, { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: 'forged' }) } })
  expect(registry.get('pay')?.validate(1)).toEqual({ value: 1 })
  expect(first).toHaveBeenCalledWith(1)
})

describe('narrow', () => {
  const registry = Registry.from('tools', { pay: tool, look: tool, list: tool })

  test('keeps what is named, and nothing else', () => {
    const narrowed = registry.narrow('tools', ['look', 'pay', 'look'])
    expect([...narrowed.names].sort()).toEqual(['look', 'pay'])
    expect(narrowed.get('list')).toBeUndefined()
    expect(narrowed.get('pay')).toBe(registry.get('pay'))
    expect(registry.names).toEqual(['pay', 'look', 'list'])
    expect(registry.narrow('tools', []).names).toEqual([])
  })

  test('cannot bring back what was narrowed away', () => {
    expect(() => registry.narrow('tools', ['look']).narrow('tools', ['pay'])).toThrow('no tool "pay"')
  })

  test.each<[unknown]>([
    [['rm']],
    [['__proto__']],
    [['pay\n']],
    [[5]],
    [[null]],
    ['pay'],
    [{ 0: 'pay', length: 1 }],
    [undefined],
    [new Set(['pay'])],
  ])('%j cannot be narrowed to', (names) => {
    expect(() => registry.narrow('tools', names)).toThrow(TypeError)
  })
})

describe('what the log may say of a tool', () => {
  const declared = (inputSchema: unknown): string[] => {
    const registry = Registry.from('tools', { pay: { inputSchema, execute: () => 'ran' } })
    return [...(registry.get('pay')?.declaredNames.keys() ?? [])].sort()
  }

  test('the names that its schema declares, at every depth', () => {
    const deep = z.object({
      order: z.object({ lines: z.array(z.object({ sku: z.string() })) }),
      how: z.union([z.object({ card: z.string() }), z.object({ cash: z.boolean() })]).optional(),
      labels: z.record(z.string(), z.object({ tag: z.string() })),
    })
    expect(declared(deep)).toEqual(['card', 'cash', 'how', 'labels', 'lines', 'order', 'sku', 'tag'])
    expect(declared(z.object({ node: z.object({}).meta({ id: 'reused' }) }))).toEqual(['node'])
  })

  test('a member that is called properties is a name, and its members are too', () => {
    const names = declared(z.object({ properties: z.object({ inner: z.string() }) }))
    expect(names).toEqual(expect.arrayContaining(['inner', 'properties']))
  })

  test('nothing, where the schema cannot say', () => {
    expect(declared(anything)).toEqual([])
    expect(declared(z.object({ at: z.date() }))).toEqual([])
    expect(
      declared({
        '~standard': {
          version: 1,
          vendor: 'x',
          validate: () => 1,
          jsonSchema: {
            input: () => {
              throw new RangeError('boom')
            },
          },
        },
      }),
    ).toEqual([])
  })

  test('a digest that changes with the name, the description and the schema, and with nothing else', () => {
    const digest = (
      name: string,
      description: string,
      inputSchema: StandardSchema,
      execute = (): string => 'ran',
    ) => Registry.from('tools', { [name]: { description, inputSchema, execute } }).get(name)?.digest
    const schema = z.object({ a: z.string() })
    const base = digest('pay', 'Pays.', schema)
    expect(base).toMatch(/^[0-9a-f]{64}$/)
    expect(digest('pay', 'Pays.', z.object({ a: z.string() }), () => 'else')).toBe(base)
    expect(digest('pai', 'Pays.', schema)).not.toBe(base)
    expect(digest('pay', 'Pays!', schema)).not.toBe(base)
    expect(digest('pay', 'Pays.', z.object({ a: z.number() }))).not.toBe(base)
  })

  test('the summary lists names and digests in the order of registration', () => {
    const registry = Registry.from('tools', { pay: tool, look: tool })
    expect(JSON.parse(registry.summary)).toEqual(
      ['pay', 'look'].map((name) => ({ name, digest: registry.get(name)?.digest })),
    )
  })
})
