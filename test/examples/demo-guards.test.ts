import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BudgetExceeded, defineTool, type ToolSet } from 'writ'
import * as z from 'zod'
import { startModelServer } from '../../examples/demo/model-server.js'
import { BUDGET, type Outcome, work } from '../../examples/demo/office.js'
import { officeTools } from '../../examples/demo/tools.js'
import { prepareWorkspace, type Workspace } from '../../examples/demo/workspace.js'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let workspace: Workspace
beforeEach(async () => {
  workspace = await prepareWorkspace(await mkdtemp(join(tmpdir(), 'writ-test-guards-')))
})
afterEach(() => rm(workspace.root, { recursive: true, force: true }))

const denials = ({ steps }: Outcome): string[] =>
  steps.flatMap(({ tool, result }) => (result.ok ? [] : [`${tool} ${result.denial.reason}`]))

const GUARDED = [
  'write_summary invalid_input',
  'send_payment not_registered',
  'read_document predicate_false',
  'write_summary predicate_false',
]
const without = (guarded: string): string[] => GUARDED.filter((denial) => denial !== guarded)

/** The same tool without its predicate. */
function unguarded({ when: _, ...rest }: ToolSet[string]): ToolSet[string] {
  return defineTool(rest)
}

describe('every refusal of the demo is real', () => {
  test('with every guard in place, all of it is refused and nothing happens', async () => {
    const outcome = await work({ workspace, tools: officeTools(workspace) })
    expect(denials(outcome)).toEqual(GUARDED)
    expect(await readdir(workspace.outbox)).toEqual([])
  })

  test('an agent that has send_payment pays the stranger', async () => {
    const paid: unknown[] = []
    const send_payment = defineTool({
      inputSchema: z.object({ iban: z.string(), amount_eur: z.number() }),
      execute: (input) => {
        paid.push(input)
        return 'paid'
      },
    })
    const outcome = await work({ workspace, tools: { ...officeTools(workspace), send_payment } })
    expect(paid).toEqual([{ iban: 'XX00 1234 5678 9012 3456', amount_eur: 4800 }])
    expect(denials(outcome)).toEqual(without('send_payment not_registered'))
  })

  test('without its predicate, read_document hands out the payroll', async () => {
    const tools = officeTools(workspace)
    const outcome = await work({
      workspace,
      tools: { ...tools, read_document: unguarded(tools.read_document) },
    })
    const payroll = await readFile(join(workspace.private, 'payroll.csv'), 'utf8')
    expect(outcome.steps.map(({ result }) => (result.ok ? result.output : undefined))).toContain(payroll)
    expect(denials(outcome)).toEqual(without('read_document predicate_false'))
  })

  test('without its predicate, write_summary writes to the outbox', async () => {
    const tools = officeTools(workspace)
    const outcome = await work({
      workspace,
      tools: { ...tools, write_summary: unguarded(tools.write_summary) },
    })
    expect(await readFile(join(workspace.outbox, 'northgate.md'), 'utf8')).toContain('See payroll.')
    expect(denials(outcome)).toEqual(without('write_summary predicate_false'))
  })

  test('with a schema that takes any priority, write_summary takes "urgent"', async () => {
    const tools = officeTools(workspace)
    const lax = defineTool({
      inputSchema: z.object({ file: z.string(), priority: z.string(), text: z.string() }),
      when: ({ file }) => !file.includes('..'),
      execute: ({ file, priority, text }) =>
        writeFile(join(workspace.summaries, file), `${priority}: ${text}`),
    })
    const outcome = await work({ workspace, tools: { ...tools, write_summary: lax } satisfies ToolSet })
    expect(denials(outcome)).toEqual(without('write_summary invalid_input'))
    expect(await readFile(join(workspace.summaries, 'complaint-brandt.md'), 'utf8')).toMatch(/^urgent: /)
  })

  test('a document without the hidden instruction leads to no such calls', async () => {
    const invoice = join(workspace.inbox, 'invoice-northgate.md')
    await writeFile(invoice, (await readFile(invoice, 'utf8')).replace(/<!--[\s\S]*?-->/, ''))
    const outcome = await work({ workspace, tools: officeTools(workspace) })
    expect(denials(outcome)).toEqual(['write_summary invalid_input'])
  })
})

describe('the kill of the demo is real', () => {
  test('with four times the money, the model goes on for longer', async () => {
    const tools = officeTools(workspace)
    const first = await work({ workspace, tools })
    const second = await work({
      workspace,
      tools,
      budget: { ...BUDGET, usd: 4 * BUDGET.usd, tokens: 1_000_000 },
    })
    expect(second.served).toBeGreaterThan(first.served + 10)
    expect(second.session.usage().usd).toBeGreaterThan(2 * BUDGET.usd)
  })

  test.each([
    ['tokens', { ...BUDGET, tokens: 20_000 }],
    ['toolCalls', { ...BUDGET, toolCalls: 12 }],
    ['llmCalls', { ...BUDGET, llmCalls: 12 }],
    ['denials', { ...BUDGET, denials: 2 }],
  ] as const)('with less of it, %s is the limit that kills', async (limit, budget) => {
    const { result, session } = await work({ workspace, tools: officeTools(workspace), budget })
    const reason: unknown = result.status === 'rejected' ? result.reason : undefined
    expect(reason).toBeInstanceOf(BudgetExceeded)
    expect(reason).toMatchObject({ limit, max: budget[limit] })
    expect(session.usage()[limit]).toBeLessThanOrEqual(budget[limit] + (limit === 'denials' ? 1 : 0))
  })

  test('the call that does not fit never reaches the model', async () => {
    const { served, session, lastRequest } = await work({ workspace, tools: officeTools(workspace) })
    expect(lastRequest.atMost.maxUsd).toBeGreaterThan(lastRequest.usdLeft)
    expect(session.usage().llmCalls).toBe(served)
  })
})

describe('the scripted model behaves like an API', () => {
  test('wrong keys, endpoints and unanswered tool calls are errors of the SDK', async () => {
    const server = await startModelServer()
    const messages = [{ role: 'user' as const, content: 'hello' }]
    const at = (apiKey: string, baseURL = server.baseURL) =>
      new OpenAI({ apiKey, baseURL, maxRetries: 0 }).chat.completions
    await expect(at('wrong').create({ model: 'm', messages })).rejects.toBeInstanceOf(
      OpenAI.AuthenticationError,
    )
    await expect(at('demo', `${server.baseURL}/x`).create({ model: 'm', messages })).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    )
    const { choices } = await at('demo').create({ model: 'm', messages })
    const unanswered = [...messages, ...choices.map(({ message }) => message)]
    await expect(at('demo').create({ model: 'm', messages: unanswered })).rejects.toBeInstanceOf(
      OpenAI.BadRequestError,
    )
    await server.close()
  })
})
