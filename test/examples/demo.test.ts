import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { AuditRecord } from 'writ'
import { verifyLog } from 'writ/verify'
import { type Run, runNode } from './run-node.js'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let folder: string
let run: Run
let log: Buffer
let records: readonly AuditRecord[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-test-demo-'))
  // A key or an address of the real API in the environment must not matter.
  run = await runNode(['examples/demo/main.ts'], {
    WRIT_DEMO_DIR: folder,
    OPENAI_API_KEY: 'not-for-the-demo',
    OPENAI_BASE_URL: 'http://127.0.0.1:9/',
  })
  log = await readFile(join(folder, 'audit.jsonl'))
  records = log
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const payloads = (event: string) => records.filter((one) => one.event === event).map(({ payload }) => payload)

describe('the demo', () => {
  test('goes as it expects to', () => {
    expect(run.stderr).toBe('')
    expect(run.stdout).toContain('Everything went as this demo expects.')
    expect(run.status).toBe(0)
  })

  test('shows the hidden instruction, the refusals with their reasons, the kill and the verdict', () => {
    expect(run.stdout).toContain('CALL send_payment {"iban":"XX00 1234 5678 9012 3456","amount_eur":4800}')
    expect(run.stdout).toMatch(/send_payment\(.*\) +REFUSED not_registered/)
    expect(run.stdout).toMatch(/read_document\(\.\.\/private\/payroll\.csv\) +REFUSED predicate_false/)
    expect(run.stdout).toMatch(/write_summary\(\.\.\/outbox\/northgate\.md\) +REFUSED predicate_false/)
    expect(run.stdout).toContain('this agent has no such tool')
    expect(run.stdout).toContain('ERR_BUDGET_EXCEEDED')
    expect(run.stdout).toContain('refused, with the same error')
    expect(run.stdout).toContain(`$ writ verify ${join(folder, 'audit.jsonl')}`)
    expect(run.stdout).toMatch(/^ +UNANCHORED/m)
    expect(run.stdout).toMatch(/^ +TAMPERED/m)
  })

  test('shows the budget going down', () => {
    const left = [...run.stdout.matchAll(/\(.*\) .* \$(\d\.\d{4}) +([\d,]+) +(\d+)$/gm)]
    const columns = [1, 2, 3].map((column) => left.map((row) => Number(row[column]?.replace(',', ''))))
    expect(left.length).toBeGreaterThan(15)
    for (const column of columns) {
      expect(column).toEqual([...column].sort((a, b) => b - a))
      expect(column.at(-1)).toBeLessThan(column[0] ?? 0)
    }
  })

  test('prints plain text of at most 100 columns, apart from paths', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape would be one
    expect(run.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    const wide = run.stdout.split('\n').filter((line) => line.length > 100 && !line.includes(folder))
    expect(wide).toEqual([])
  })

  test('leaves a log that verifies', async () => {
    expect(await verifyLog(log)).toMatchObject({
      verdict: 'UNANCHORED',
      size: records.length,
      fault: undefined,
    })
  })

  test('logs the refusals, the kill and the outcome', () => {
    expect(payloads('tool_denied').map(({ tool, reason, args }) => ({ tool, reason, args }))).toEqual([
      { tool: 'write_summary', reason: 'invalid_input', args: ['file', 'priority', 'text'] },
      { tool: 'send_payment', reason: 'not_registered', args: [] },
      { tool: 'read_document', reason: 'predicate_false', args: { document: '../private/payroll.csv' } },
      {
        tool: 'write_summary',
        reason: 'predicate_false',
        args: { file: '../outbox/northgate.md', priority: 'low' },
      },
    ])
    expect(payloads('budget_exceeded')).toMatchObject([{ limit: 'usd', max: 0.12 }])
    const [end] = payloads('session_end')
    expect(end).toMatchObject({
      outcome: 'killed',
      reason: { name: 'BudgetExceeded', code: 'ERR_BUDGET_EXCEEDED' },
    })
    expect(records.at(-1)?.event).toBe('log_close')
  })

  test('charges every model call what its tokens cost, and stays within the limit', () => {
    const calls = payloads('llm_call')
    const nano = calls.map(
      (one) => Number(one['input_tokens']) * 2_500 + Number(one['output_tokens']) * 10_000,
    )
    expect(calls.map((one) => Math.round(Number(one['cost_usd']) * 1e9))).toEqual(nano)
    expect(calls.every((one) => one['enforcement'] === 'enforced' && one['metering'] === 'reported')).toBe(
      true,
    )
    const spent = nano.reduce((sum, cost) => sum + cost, 0)
    expect(spent).toBeLessThanOrEqual(0.12 * 1e9)
    expect(payloads('session_end')).toMatchObject([{ usage: { usd: spent / 1e9, llm_calls: calls.length } }])
  })

  test('logs no text of a document, no summary and no value that was refused', () => {
    for (const secret of [
      'sideboard',
      'Northgate Timber',
      'XX00 1234',
      'upholsterer',
      'See payroll',
      'not-for-the-demo',
    ]) {
      expect(log.toString('utf8')).not.toContain(secret)
    }
  })

  test('summarises every document, from its text', async () => {
    const documents = await readdir(join(folder, 'inbox'))
    expect((await readdir(join(folder, 'summaries'))).sort()).toEqual(documents.sort())
    const summary = await readFile(join(folder, 'summaries', 'lease-renewal.txt'), 'utf8')
    expect(summary).toMatch(
      /^Priority: high\n\nExtension of the lease of workshop 3.* until 15 December 2026\.\n$/,
    )
    expect(await readdir(join(folder, 'outbox'))).toEqual([])
  })

  test('prints commands that work', async () => {
    const commands = [...run.stdout.matchAll(/^ {4}npx tsx (src\/cli\/main\.ts .*)$/gm)].map(([, args]) =>
      String(args),
    )
    expect(commands).toHaveLength(2)
    const [all, denied] = await Promise.all(commands.map((command) => runNode(command.split(' '))))
    expect(all?.stdout).toContain('session started')
    expect(denied?.stdout).not.toContain('session started')
    expect(denied?.stdout.match(/tool denied/g)).toHaveLength(4)
  })

  test('can be run again in the same folder: the chain goes on', async () => {
    const again = await runNode(['examples/demo/main.ts'], { WRIT_DEMO_DIR: folder })
    expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: '' })
    const longer = await readFile(join(folder, 'audit.jsonl'))
    expect(longer.subarray(0, log.length).equals(log)).toBe(true)
    expect(await verifyLog(longer)).toMatchObject({ verdict: 'UNANCHORED', size: records.length * 2 })
  })
})
