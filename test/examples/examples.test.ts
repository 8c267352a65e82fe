import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { AuditRecord } from 'writ'
import { verifyLog } from 'writ/verify'
import { REPOSITORY, runNode } from './run-node.js'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'writ-test-examples-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

interface Example {
  readonly output: string
  readonly records: readonly AuditRecord[]
}

/** Runs an example in a folder of its own that is kept, and reads the log it leaves there. */
async function run(name: string): Promise<Example> {
  const folder = await mkdtemp(join(scratch, `${name}-`))
  const { status, stdout, stderr } = await runNode([`examples/${name}.ts`], { WRIT_EXAMPLE_DIR: folder })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const log = await readFile(join(folder, 'audit.jsonl'))
  expect(await verifyLog(log)).toMatchObject({ verdict: 'UNANCHORED', fault: undefined })
  const records = log.toString('utf8').trimEnd().split('\n')
  return { output: stdout, records: records.map((line) => JSON.parse(line) as AuditRecord) }
}

const payloads = ({ records }: Example, event: string) =>
  records.filter((record) => record.event === event).map(({ payload }) => payload)

test('the quickstart refunds the order and logs it', async () => {
  const example = await run('quickstart')
  expect(example.output).toMatch(/^refunded 4521\n\{"v":1,/)
  expect(example.records.map(({ event }) => event)).toEqual([
    'log_open',
    'session_start',
    'llm_call',
    'tool_call',
    'tool_result',
    'session_end',
    'log_close',
  ])
  expect(payloads(example, 'session_end')).toMatchObject([{ outcome: 'completed' }])
})

test('the budget kills what swallows errors and what hangs, and holds money for parallel calls', async () => {
  const example = await run('budget-kill')
  expect(example.output).toContain('ERR_BUDGET_EXCEEDED: usd, used 0.036 of 0.05')
  expect(example.output).not.toContain('all is well')
  expect(example.output).toContain('ERR_BUDGET_EXCEEDED: wallMs is limited to 100')
  expect(example.output).toContain('1 ran, 49 were refused')
  expect(payloads(example, 'session_end').map(({ outcome }) => outcome)).toEqual([
    'killed',
    'killed',
    'completed',
  ])
})

test('the injected payment is refused, and so is a payment that matches no invoice', async () => {
  const example = await run('prompt-injection')
  expect(example.output).toContain('payer: paid EUR 2699 for NT-2026-0417')
  expect(example.output).not.toContain('paid EUR 4800')
  expect(payloads(example, 'tool_denied')).toMatchObject([
    { tool: 'send_payment', reason: 'not_registered' },
    { tool: 'send_payment', reason: 'predicate_false', args: { amount: 4800 } },
  ])
  const [denied] = example.records.filter(({ event }) => event === 'tool_denied')
  expect(denied?.agent_identity).toBe('invoice-reader/v1')
  const [paid, ...more] = example.records.filter(({ event }) => event === 'tool_call')
  expect(paid).toMatchObject({ agent_identity: 'invoice-payer/v1', payload: { args: { amount: 2699 } } })
  expect(more).toEqual([])
})

test('the workers share one budget: one dies of its slice, one is denied, and the parent adds them up', async () => {
  const example = await run('orchestrator')
  expect(example.output).toMatch(
    /^worker 1 +\$0\.024, 2 model calls, 1 tool calls +read public\/prices in 2 turns$/m,
  )
  expect(example.output).toMatch(/^worker 2 +\$0\.024, .* killed: usd, 0\.024 of 0\.03 used$/m)
  expect(example.output).toMatch(/^worker 3 +\$0\.000, .* an agent that this one works for does not allow/m)
  expect(example.output).toMatch(
    /^orchestrator +\$0\.048, 4 model calls, 2 tool calls +open, \$0\.052 left$/m,
  )
  const ends = payloads(example, 'session_end')
  expect(ends.map(({ outcome }) => outcome).sort()).toEqual(['completed', 'completed', 'completed', 'killed'])
  expect(ends.at(-1)).toMatchObject({ usage: { usd: 0.048 }, nested: { usd: 0.048, tool_calls: 2 } })
  expect(payloads(example, 'tool_denied')).toMatchObject([
    { reason: 'not_granted', refused_by: { agent_identity: 'orchestrator/v1', reason: 'predicate_false' } },
  ])
})

test.each(['openai', 'bedrock', 'google'])(
  'the governed program (%s) is ten lines longer than it was, and is cut off in the middle of a stream',
  async (name) => {
    const source = await readFile(join(REPOSITORY, `examples/${name}.ts`), 'utf8')
    expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(10)
    const example = await run(name)
    expect(example.output).toContain('10 words')
    expect(example.output).toContain('stopped: ERR_BUDGET_EXCEEDED, usd')
    expect(payloads(example, 'llm_call').map(({ metering }) => metering)).toEqual([
      'reported',
      'reported',
      'reported',
      'estimated',
    ])
    expect(payloads(example, 'session_end')).toMatchObject([{ outcome: 'completed' }, { outcome: 'killed' }])
  },
)

test('Claude Code runs what the contract allows, and the program is ten lines longer', async () => {
  const source = await readFile(join(REPOSITORY, 'examples/claude-agent.ts'), 'utf8')
  expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(10)
  const example = await run('claude-agent')
  expect(example.output).toContain('denied bash: predicate_false')
  expect(example.output).toContain('nothing left behind')
  expect(payloads(example, 'tool_call')).toMatchObject([{ tool: 'bash' }])
})

test('the tool runner is ten lines longer than it was; it reads a denial, and a loop without end is ended', async () => {
  const source = await readFile(join(REPOSITORY, 'examples/anthropic.ts'), 'utf8')
  expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(10)
  const example = await run('anthropic')
  expect(example.output).toContain('paid back $30 for order 4521; I may not')
  expect(example.output).toContain('stopped: ERR_BUDGET_EXCEEDED, usd')
  expect(payloads(example, 'llm_call').map(({ cost_usd: usd }) => usd)).toEqual(
    Array.from({ length: 5 }, () => 0.0025),
  )
  expect(payloads(example, 'tool_denied')).toMatchObject([{ tool: 'refund', reason: 'predicate_false' }])
  expect(payloads(example, 'session_end')).toMatchObject([{ outcome: 'completed' }, { outcome: 'killed' }])
})

test.each(['openai-agents', 'ai-sdk'])(
  'the governed agents (%s) are at most ten lines longer, and a second refund is denied',
  async (name) => {
    const source = await readFile(join(REPOSITORY, `examples/${name}.ts`), 'utf8')
    expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(10)
    const example = await run(name)
    expect(example.output).toContain('1 paid, 1 refused')
    expect(payloads(example, 'llm_call').map(({ metering }) => metering)).toEqual([
      'reported',
      'reported',
      'reported',
    ])
    expect(payloads(example, 'tool_denied')).toMatchObject([{ tool: 'refund', reason: 'max_calls' }])
  },
)

test('the governed agent of LangChain is at most ten lines longer, and a second refund is denied', async () => {
  const source = await readFile(join(REPOSITORY, 'examples/langchain.ts'), 'utf8')
  expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(10)
  const example = await run('langchain')
  expect(example.output).toContain('1 paid, 1 refused')
  expect(payloads(example, 'llm_call').map(({ metering }) => metering)).toEqual([
    'reported',
    'reported',
    'reported',
  ])
  expect(payloads(example, 'tool_denied')).toMatchObject([{ tool: 'refund', reason: 'max_calls' }])
})

test('an MCP client is governed in seven lines, and a write never gets to the server', async () => {
  const source = await readFile(join(REPOSITORY, 'examples/mcp.ts'), 'utf8')
  expect(source.match(/ \/\/ \+$/gm)?.length).toBeLessThanOrEqual(7)
  const example = await run('mcp')
  expect(example.output).toContain('tools: read_text_file\n')
  expect(example.output).toContain('the note: buy milk')
  expect(payloads(example, 'tool_call')).toMatchObject([{ tool: 'read_text_file' }])
  expect(payloads(example, 'tool_denied')).toMatchObject([{ tool: 'write_file', reason: 'not_registered' }])
})

test('the synchronous session returns its total, and ends a loop', async () => {
  const example = await run('sync-session')
  expect(example.output).toContain('90 percent: predicate_false')
  expect(example.output).toContain('total in cents: 981800')
  expect(example.output).toContain('ERR_BUDGET_EXCEEDED, 3 of 3 toolCalls used')
  expect(payloads(example, 'session_end').map(({ outcome }) => outcome)).toEqual(['completed', 'killed'])
})

test('the isolated loop is ended at its deadline while the host goes on', async () => {
  const example = await run('isolated-tool')
  expect(example.output).toContain("found: [ 'error: disk full' ]")
  expect(example.output).toContain('the timer of this process kept ticking: true')
  expect(example.output).toContain("the next call: [ 'ok' ]")
  expect(example.output).toContain('without promises: ERR_BUDGET_EXCEEDED, wallMs is limited to 200')
  const killed = payloads(example, 'tool_result').filter(({ late }) => late === true)
  expect(killed).toMatchObject([{ error: { name: 'ToolKilled' } }, { error: { name: 'ToolKilled' } }])
})

test('the refund waits for a person, and runs once, for that person', async () => {
  const example = await run('approval')
  expect(example.output).toContain('5 euros: refunded 500 cents for order 4521')
  expect(example.output).toContain(
    '200 euros: tool refund was not run: it needs an approval, and there is nobody',
  )
  expect(example.output).toContain('300 euros: refunded 30000 cents for order 4522')
  expect(example.output).toContain('and again: tool refund was not run: its approval has been used')
  expect(payloads(example, 'approval_requested')).toMatchObject([
    { handler: 'console', args: { orderId: 4521, cents: 20_000 } },
    { handler: 'suspend', suspended: true },
  ])
  expect(payloads(example, 'approval_decided')).toMatchObject([{ outcome: 'approval_unavailable' }])
})

test('the streaming session ends when the client goes away', async () => {
  const example = await run('streaming-http')
  expect(example.output).toMatch(/alice read: Once upon a time .* stand again/)
  expect(example.output).toContain('alice: session completed')
  expect(example.output).toContain('bob: session cancelled')
  expect(payloads(example, 'llm_call')).toMatchObject([
    { metering: 'reported', cost_usd: 0.001 },
    { metering: 'estimated', cost_usd: 0.01 },
  ])
})

test('the service lets in the good credential, and no expired, replayed, widened or revoked one', async () => {
  const example = await run('principal-service')
  expect(example.output.trim().split('\n')).toEqual([
    'good:     200 done for alice by billing-clerk/v1',
    'replayed: 401 replayed',
    'widened:  401 bad_signature',
    'as it is: 401 tool_not_granted',
    'expired:  401 expired',
    expect.stringContaining('budget exceeded: toolCalls'),
    'killed:   401 revoked',
  ])
  const issued = payloads(example, 'credential_issued')
  expect(issued.length).toBeGreaterThan(5)
  expect(issued[0]).toMatchObject({ audience: 'billing', tools: ['refund'], bound: false })
})

test('a committed value is disclosed and then erased, and the chain holds', async () => {
  const example = await run('commitments')
  expect(example.output).toBe(
    [
      'in the log: /card /cents',
      'the card is in the log: false',
      '500 cents: true',
      '900 cents: false',
      "alice's key: undefined",
      'the log: UNANCHORED\n',
    ].join('\n'),
  )
  expect(JSON.stringify(example.records)).not.toContain('4111')
})

test('the signed log shows what was done to it', async () => {
  const example = await run('signed-log')
  expect(example.output.trim().split('\n')).toEqual([
    'as it is:            VALID (signed), 5 of 5 records',
    'the last record cut: TRUNCATED',
    'and its checkpoint:  UNANCHORED',
    'with the anchor:     TRUNCATED',
  ])
})

test('the custom sink passes the suite and continues its chain', async () => {
  const { status, stdout, stderr } = await runNode(['examples/custom-sink.ts'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.match(/^ {2}ok {2}/gm)?.length).toBeGreaterThan(8)
  expect(stdout).toContain('12 records, UNANCHORED')
})

describe('every example', async () => {
  const names = (await readdir(join(REPOSITORY, 'examples'))).filter((name) => name.endsWith('.ts'))

  test('is run by a test above', async () => {
    const tests = await readFile(new URL(import.meta.url), 'utf8')
    for (const name of names) expect(tests).toMatch(new RegExp(`('|examples/)${name.slice(0, -3)}\\b`))
  })

  test.each(names)('%s leaves nothing behind', async (name) => {
    const temporary = await mkdtemp(join(scratch, 'tmp-'))
    const { status } = await runNode([`examples/${name}`], { TMPDIR: temporary, WRIT_EXAMPLE_DIR: '' })
    expect(status).toBe(0)
    expect((await readdir(temporary)).filter((entry) => entry.startsWith('writ-'))).toEqual([])
  })
})
