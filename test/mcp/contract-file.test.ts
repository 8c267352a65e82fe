import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ContractInvalid, parseContract } from 'writ/mcp'
import { contractSchema } from '../../src/adapters/mcp/contract-file/contract-schema.js'

const ajv = new Ajv2020({ strict: false, validateFormats: false })
const isOfSchema = ajv.compile(contractSchema())

/** What is said of a contract that is refused. */
function faults(contract: unknown): readonly string[] {
  try {
    parseContract(typeof contract === 'string' ? contract : JSON.stringify(contract))
  } catch (error) {
    if (error instanceof ContractInvalid) {
      return error.problems.map(({ pointer, message }) => `${pointer}: ${message}`)
    }
    throw error
  }
  return []
}

const LEAST = { tools: {}, audit: 'audit.jsonl' } as const

/** Contracts as people write them. */
const EXAMPLES: readonly Readonly<Record<string, unknown>>[] = [
  LEAST,
  { tools: { read_text_file: { path: { under: './notes' } } }, audit: './audit.jsonl' },
  {
    $schema: './node_modules/writ/schema/writ.config.schema.json',
    server: 'filesystem',
    identity: 'desktop/1.0',
    user: 'marta',
    task: 'notes',
    budget: { toolCalls: 50, denials: null, wallMs: 3_600_000 },
    loops: true,
    tools: {
      read_text_file: {
        path: { under: ['./notes', '/srv/docs'] },
        head: { range: [1, 100], optional: true },
      },
      read_multiple_files: { paths: { each: { under: './notes' }, maxLength: 10 } },
      write_file: {
        path: { under: './notes' },
        content: { maxLength: 10_000 },
        $approval: 'always',
        $show: ['path'],
        $maxCalls: 3,
        $timeoutMs: 5000,
        $readOnly: false,
      },
      'Fetch.page/v2': { url: { glob: ['https://docs.example.com/**'] }, '*': true },
      search: { query: { pattern: '[a-z ]+' }, mode: { oneOf: ['fast', 'full'] }, dry: { equals: true } },
      deep: { options: { members: { name: true, '*': false } }, $$ref: true, $show: true },
      list_allowed_directories: {},
      move_file: false,
      get_file_info: true,
    },
    approvals: { webhook: 'https://approvals.example.com/writ', secretEnv: 'APPROVAL_SECRET', mode: 'retry' },
    audit: {
      file: './log/audit-{pid}.jsonl',
      durability: 'interval',
      signing: { key: './writ.key', origin: 'example.com/audit' },
      rotation: { maxBytes: 1_000_000, keepSegments: 5 },
    },
    pins: './writ.pins.json',
    maxMessageBytes: 1_048_576,
  },
  { ...LEAST, approvals: { folder: './approvals', timeoutMs: 60_000 } },
]

describe('a contract file', () => {
  test('of one tool and a log has safe defaults', () => {
    const contract = parseContract(
      '\ufeff{ "tools": { "read_text_file": { "path": { "under": "./notes" } } }, "audit": "./audit.jsonl" }',
    )
    expect(contract).toMatchObject({
      server: 'server',
      identity: 'writ-mcp',
      user: 'local',
      budget: { toolCalls: 1000, denials: 100, wallMs: 86_400_000 },
      audit: { file: './audit.jsonl', durability: 'commit' },
      approvals: undefined,
      pins: undefined,
      maxMessageBytes: 4_194_304,
    })
    expect([...contract.tools.keys()]).toEqual(['read_text_file'])
    expect(contract.tools.get('read_text_file')?.arguments?.others).toBe(false)
  })

  test('keeps the default of a limit that it does not name, and lifts one that is null', () => {
    const { budget } = parseContract(JSON.stringify({ ...LEAST, budget: { toolCalls: 5, wallMs: null } }))
    expect(budget).toEqual({ toolCalls: 5, denials: 100 })
  })

  test('tells the tools that may be called from those that are refused', () => {
    const { tools, refused } = parseContract(
      JSON.stringify({ ...LEAST, tools: { a: true, b: false, c: {} } }),
    )
    expect([...tools.keys()]).toEqual(['a', 'c'])
    expect(refused).toEqual(['b'])
    expect(tools.get('a')?.arguments).toBeUndefined()
    expect(tools.get('c')?.arguments?.named.size).toBe(0)
  })

  test.each(EXAMPLES.map((example) => [JSON.stringify(example).slice(0, 60), example] as const))(
    'is read, and is of the published schema: %s',
    (_name, example) => {
      expect(faults(example)).toEqual([])
      isOfSchema(example)
      expect(isOfSchema.errors).toBeNull()
    },
  )

  test.each([
    [{ ...LEAST, audot: 1 }, '/audot: unknown. Did you mean audit?'],
    [
      { ...LEAST, tools: { a: { $aproval: 'always' } } },
      '/tools/a/$aproval: unknown. Did you mean $approval?',
    ],
    [{ ...LEAST, tools: { a: { p: { udner: '.' } } } }, '/tools/a/p/udner: unknown. Did you mean under?'],
    [{ ...LEAST, tools: { a: { $approval: 'alway' } } }, 'Did you mean always?'],
    [{ ...LEAST, tools: { a: 'yes' } }, '/tools/a: expected true or false or an object, got "yes"'],
    [{ ...LEAST, tools: { 'a b': true } }, '/tools/a b: "a b" is no name of a tool'],
    [{ ...LEAST, tools: { _a: true } }, '/tools/_a: begins with neither a letter nor a digit'],
    [
      { ...LEAST, tools: { 'A.b': true, a_b: true } },
      '/tools/a_b: would be a_b in the log, and so would A.b',
    ],
    [{ ...LEAST, tools: { a: { p: {} } } }, '/tools/a/p: says nothing'],
    [{ ...LEAST, tools: { a: { p: { optional: true } } } }, '/tools/a/p: says nothing'],
    [
      { ...LEAST, tools: { a: { p: { under: 5 } } } },
      '/tools/a/p/under: expected a text or a list of 1 to 256, got 5',
    ],
    [{ ...LEAST, tools: { a: { p: { under: [] } } } }, '/tools/a/p/under: expected a list of 1 to 256'],
    [{ ...LEAST, tools: { a: { p: { range: [2, 1] } } } }, '/tools/a/p/range: nothing is from 2 to 1'],
    [{ ...LEAST, tools: { a: { p: { range: [null, null] } } } }, '/tools/a/p/range: has no bound at all'],
    [{ ...LEAST, tools: { a: { p: { range: [1] } } } }, '/tools/a/p/range: expected a list of 2'],
    [
      { ...LEAST, tools: { a: { p: { pattern: '(?=x)' } } } },
      '/tools/a/p/pattern: is no regular expression of RE2',
    ],
    [
      { ...LEAST, tools: { a: { p: { pattern: '(a)\\1' } } } },
      '/tools/a/p/pattern: is no regular expression of RE2',
    ],
    [{ ...LEAST, tools: { a: { p: { glob: '{a,b}' } } } }, '/tools/a/p/glob: [ ] { } have no meaning'],
    [{ ...LEAST, tools: { a: { p: { glob: 'a***' } } } }, '/tools/a/p/glob: has more than two *'],
    [{ ...LEAST, tools: { a: { p: { glob: 'a/../b' } } } }, '/tools/a/p/glob: has a segment . or ..'],
    [{ ...LEAST, tools: { a: { p: { glob: 'a\\' } } } }, '/tools/a/p/glob: ends with a \\'],
    [
      { ...LEAST, tools: { a: { p: { glob: 'a', range: [1, 2] } } } },
      '/tools/a/p: no value can be text and number',
    ],
    [{ ...LEAST, tools: { a: { p: { each: false } } } }, '/tools/a/p/each: a list without elements'],
    [{ ...LEAST, budget: { usd: 1 } }, '/budget/usd: unknown. Known here: toolCalls, denials, wallMs'],
    [{ ...LEAST, budget: { toolCalls: -1 } }, '/budget/toolCalls: expected a whole number from 0'],
    [{ ...LEAST, budget: { toolCalls: 1.5 } }, '/budget/toolCalls: expected a whole number'],
    [{ ...LEAST, budget: { toolCalls: null, denials: null, wallMs: null } }, '/budget: no limit is left'],
    [{ ...LEAST, approvals: {} }, '/approvals: expected exactly one of folder and webhook'],
    [
      { ...LEAST, approvals: { webhook: 'https://a' } },
      '/approvals: expected webhook and secretEnv together',
    ],
    [
      { ...LEAST, approvals: { folder: 'a', secretEnv: 'A' } },
      '/approvals: expected webhook and secretEnv together',
    ],
    [{ ...LEAST, identity: 'Not One' }, '/identity: expected name or name/version'],
    [{ ...LEAST, user: 'a\nb' }, '/user: holds a control character'],
    [{ ...LEAST, user: '' }, '/user: expected 1 to 256 characters, got 0'],
    [{ ...LEAST, audit: { file: 'a', rotation: {} } }, '/audit/rotation: says nothing'],
    [{ ...LEAST, audit: { file: 'a', signing: {} } }, '/audit/signing: "key" is missing'],
    [{ ...LEAST, maxMessageBytes: 10 }, '/maxMessageBytes: expected a whole number from 1024'],
    [{ tools: {} }, ': "audit" is missing'],
    [{ audit: 'a' }, ': "tools" is missing'],
    [[], ': expected an object, got an array'],
    [null, ': expected an object, got null'],
    ['{"tools":{},"audit":"a",}', ': is no JSON'],
    ['// a comment\n{}', 'JSON has no comments.'],
    ['', ': is no JSON'],
    ['{"tools":{"a":true,"a":false},"audit":"a"}', '/tools/a: is there twice'],
    ['{"tools":{"__proto__":{"x":{"undr":1}}},"audit":"a"}', '/tools/__proto__/x/undr: unknown'],
    ['{"__proto__":{},"tools":{},"audit":"a"}', '/__proto__: unknown'],
    ['{"constructor":{},"tools":{},"audit":"a"}', '/constructor: unknown'],
    [`${'['.repeat(1_000_000)}`, 'nested deeper than 64 levels'],
    [' '.repeat(4 * 1024 * 1024 + 1), 'more than 4194304 characters'],
  ])('is refused: %.80s', (contract, fault) => {
    expect(faults(contract).join('\n')).toContain(fault)
  })

  test('says everything that is wrong, with the line it is on', () => {
    const text = `{
  "tols": {},
  "tools": {
    "read": {
      "path": { "undr": "." },
      "n": { "range": [1] }
    }
  },
  "audit": "a"
}`
    expect(() => parseContract(text)).toThrow(
      [
        '/tols (line 2): unknown. Did you mean tools?',
        '/tools/read/path/undr (line 5): unknown. Did you mean under?',
        '/tools/read/path (line 5): says nothing; expected one of',
      ].join('\n'),
    )
    expect(() => parseContract(text)).toThrow('/tools/read/n/range (line 6): expected a list of 2')
  })

  test('that is not a text is an error of the program', () => {
    expect(() => parseContract({} as unknown as string)).toThrow(TypeError)
    expect(() => parseContract({} as unknown as string)).not.toThrow(ContractInvalid)
  })
})

test('the published schema is the one that the parser uses', async () => {
  await expect(`${JSON.stringify(contractSchema(), undefined, 2)}\n`).toMatchFileSnapshot(
    '../../schema/writ.config.schema.json',
  )
})

/** What the schema cannot say: the parser alone refuses these. */
const SEMANTIC =
  /is there twice|in the log, and so would|begins with neither|regular expression|have no meaning|ends with a|more than two|has a segment|nothing is from|has no bound|no value can be|without elements|no limit is left/

const junk = fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' })

/** A contract with one thing in it changed: a member renamed, added, removed, or another value. */
const changed = fc
  .record({
    example: fc.constantFrom(...EXAMPLES),
    step: fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
    how: fc.constantFrom('rename', 'add', 'remove', 'replace'),
    value: junk,
    name: fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('*', '$x', 'optional', 'path'),
    ),
  })
  .map(({ example, step, how, value, name }) => {
    const contract = structuredClone(example) as Record<string, unknown>
    let holder = contract
    let member = ''
    for (const [index, nth] of step.entries()) {
      const names = Object.keys(holder)
      if (names.length === 0) break
      member = names[nth % names.length] as string
      const inner = holder[member]
      if (index === step.length - 1 || typeof inner !== 'object' || inner === null) break
      holder = inner as Record<string, unknown>
    }
    if (member === '') return contract
    if (how === 'add') holder[name] = value
    else if (how === 'replace') holder[member] = value
    else {
      if (how === 'rename' && !Array.isArray(holder)) holder[`${member}x`] = holder[member]
      if (Array.isArray(holder)) holder.splice(0, 1)
      else delete holder[member]
    }
    return contract
  })

test('the parser and the schema agree on whatever is done to a contract', () => {
  fc.assert(
    fc.property(changed, (contract) => {
      const json = JSON.parse(JSON.stringify(contract)) as unknown
      const found = faults(json)
      const parserAccepts = found.every((fault) => SEMANTIC.test(fault))
      expect(isOfSchema(json), `${JSON.stringify(json)}\n${found.join('\n')}`).toBe(parserAccepts)
    }),
    { numRuns: 1000 },
  )
})
