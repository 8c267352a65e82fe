import { access, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Agent, AuditSink, type Budget, defineTool } from 'writ'
import { fakeClock } from 'writ/testing'
import { anything, killOf } from '../../support/tools.js'

const options = () => ({ identity: 'bot', audit: AuditSink.memory(), clock: fakeClock() })

/** What an agent made of this environment leaves its sessions. */
function limitsOf(env: Record<string, string | undefined>, budget?: Budget): unknown {
  return Agent.fromEnv({ ...options(), ...(budget === undefined ? {} : { budget }) }, env).sessionSync(
    'alice',
    (s) => s.remaining(),
  )
}

afterEach(() => {
  vi.unstubAllEnvs()
})

/** Each variable of the budget: its limit, what it takes, and what it does not. */
const VARIABLES: [string, keyof Budget, [string, number][], string[]][] = [
  [
    'WRIT_BUDGET_USD',
    'usd',
    [
      ['5', 5],
      ['0', 0],
      ['0.000000001', 1e-9],
      ['12.50', 12.5],
      ['9007199', 9_007_199],
    ],
    [
      '',
      ' ',
      '5 ',
      '-1',
      '+5',
      '$5',
      '5,00',
      '1e3',
      '.5',
      '5.',
      '0x5',
      'NaN',
      'Infinity',
      '1.0000000001',
      '9007199.1',
      '9007200',
      '99999999999999999999',
      '5\n',
    ],
  ],
  ...(
    [
      ['WRIT_BUDGET_TOKENS', 'tokens'],
      ['WRIT_BUDGET_WALL_MS', 'wallMs'],
      ['WRIT_BUDGET_TOOL_CALLS', 'toolCalls'],
      ['WRIT_BUDGET_LLM_CALLS', 'llmCalls'],
      ['WRIT_BUDGET_DEPTH', 'depth'],
      ['WRIT_BUDGET_DENIALS', 'denials'],
    ] as const
  ).map(([variable, limit]): [string, keyof Budget, [string, number][], string[]] => [
    variable,
    limit,
    [
      ['0', 0],
      ['7', 7],
      ['9007199254740991', 2 ** 53 - 1],
    ],
    [
      '',
      ' ',
      '7 ',
      '-1',
      '+7',
      '1.5',
      '1e3',
      '1_000',
      '0x7',
      'seven',
      'NaN',
      'Infinity',
      '9007199254740992',
      '9007199254740993',
      '7\n',
    ],
  ]),
]

describe.each(VARIABLES)('%s', (variable, limit, good, bad) => {
  test.each(good)('takes %j', (text, value) => {
    if (limit === 'wallMs' && value === 0) {
      expect(() => limitsOf({ [variable]: text })).toThrow(expect.objectContaining({ limit, max: 0 }))
      return
    }
    expect(limitsOf({ [variable]: text })).toEqual({ [limit]: value })
  })

  test.each(bad)('refuses %j, and says where it stood', (text) => {
    expect(() => Agent.fromEnv(options(), { [variable]: text })).toThrow(RangeError)
    expect(() => Agent.fromEnv(options(), { [variable]: text })).toThrow(new RegExp(`^${variable}: `))
  })

  test('loses to the options, limit by limit', () => {
    const others = { WRIT_BUDGET_TOOL_CALLS: '11', WRIT_BUDGET_DENIALS: '12', [variable]: '1' }
    expect(limitsOf(others, { [limit]: 3 })).toMatchObject({ toolCalls: 11, denials: 12, [limit]: 3 })
  })

  test('wins over an option that is undefined', () => {
    const env = { WRIT_BUDGET_TOOL_CALLS: '11', [variable]: '100' }
    expect(limitsOf(env, { [limit]: undefined, tokens: 5 } as never)).toHaveProperty(limit)
  })
})

describe('WRIT_AGENT_IDENTITY', () => {
  const from = (identity: string, explicit?: string): Agent =>
    Agent.fromEnv(
      {
        audit: AuditSink.memory(),
        budget: { usd: 1 },
        ...(explicit === undefined ? {} : { identity: explicit }),
      },
      { WRIT_AGENT_IDENTITY: identity },
    )

  test('names the agent, unless the options do', () => {
    expect(from('support-bot/v1').identity).toBe('support-bot/v1')
    expect(from('support-bot/v1', 'other').identity).toBe('other')
  })

  test.each(['', 'Bot', 'bot\n', 'bot/v1/x', 'x'.repeat(129)])(
    'refuses %j, and says where it stood',
    (identity) => {
      expect(() => from(identity)).toThrow(RangeError)
      expect(() => from(identity)).toThrow(/^WRIT_AGENT_IDENTITY: /)
    },
  )
})

describe('WRIT_AUDIT_FILE', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'writ-env-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('is where the log goes', async () => {
    const path = join(folder, 'audit.jsonl')
    const agent = Agent.fromEnv({ identity: 'bot', budget: { usd: 1 } }, { WRIT_AUDIT_FILE: path })
    await agent.session('alice', () => undefined)
    await agent.close()
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).event)).toEqual([
      'log_open',
      'session_start',
      'session_end',
      'log_close',
    ])
  })

  test('loses to the options, and is then not touched', async () => {
    const path = join(folder, 'audit.jsonl')
    const sink = AuditSink.memory()
    const agent = Agent.fromEnv(
      { identity: 'bot', budget: { usd: 1 }, audit: sink },
      { WRIT_AUDIT_FILE: path },
    )
    await agent.close()
    expect(sink.lines.length).toBeGreaterThan(0)
    await expect(access(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('refuses an empty path, and says where it stood', () => {
    expect(() => Agent.fromEnv({ identity: 'bot', budget: { usd: 1 } }, { WRIT_AUDIT_FILE: '' })).toThrow(
      /^WRIT_AUDIT_FILE: /,
    )
  })
})

test('reads the environment of the process', async () => {
  vi.stubEnv('WRIT_AGENT_IDENTITY', 'from-env')
  vi.stubEnv('WRIT_BUDGET_TOOL_CALLS', '1')
  const sink = AuditSink.memory()
  const pay = defineTool({ inputSchema: anything, execute: () => 'paid' })
  const agent = Agent.fromEnv({ audit: sink, tools: { pay } })
  expect(agent.identity).toBe('from-env')
  const killed = await killOf(agent, async (s) => {
    expect(await s.callTool('pay', {})).toBe('paid')
    await s.callTool('pay', {})
  })
  expect(killed).toMatchObject({ limit: 'toolCalls', max: 1 })
})

test('a variable that is not known changes nothing', () => {
  expect(limitsOf({ WRIT_BUDGET_TOOLCALLS: '1', WRIT_BUDGET_USD: '2' })).toEqual({ usd: 2 })
})

test('what neither says is missing, as it is for the constructor', () => {
  expect(() => Agent.fromEnv({}, {})).toThrow(TypeError)
  expect(() => Agent.fromEnv(options(), {})).toThrow(/budget/)
  expect(() => Agent.fromEnv({ identity: 'bot', budget: { usd: 1 } }, {})).toThrow(/audit/)
})

test.each([null, 5, 'usd', [], { dollars: 1 }])(
  'a budget in the options that is none, %j, is not covered up',
  (budget) => {
    expect(() => Agent.fromEnv({ ...options(), budget: budget as never }, { WRIT_BUDGET_USD: '1' })).toThrow(
      TypeError,
    )
  },
)

test('an unknown option is refused', () => {
  expect(() => Agent.fromEnv({ ...options(), budgets: {} } as never, { WRIT_BUDGET_USD: '1' })).toThrow(
    /unknown option budgets/,
  )
})
