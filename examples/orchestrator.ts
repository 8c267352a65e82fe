// An orchestrator with three workers on one budget. One goes over and dies; the others finish.
// `npx tsx examples/orchestrator.ts`
import './support/temporary-folder.js'
import { Agent, AuditSink, BudgetExceeded, defineTool, type Session } from 'writ'
import * as z from 'zod'
import { provider } from './support/stand-in-provider.js'

const audit = AuditSink.file('./audit.jsonl', { durability: 'os' })

const fetch_page = defineTool({
  description: 'Read a page of the handbook.',
  inputSchema: z.object({ page: z.string() }),
  redact: ({ page }) => ({ page }),
  readOnly: true,
  execute: async ({ page }) => `all about ${page}`,
})

/** The orchestrator may read public pages. So whoever works for it may read no others. */
const fetch_public_page = defineTool({
  description: 'Read a public page of the handbook.',
  inputSchema: z.object({ page: z.string() }),
  when: ({ page }) => page.startsWith('public/'),
  readOnly: true,
  execute: async ({ page }) => `all about ${page}`,
})

const worker = new Agent({
  identity: 'researcher/v1',
  budget: { usd: 1, toolCalls: 20 },
  tools: { fetch_page },
  audit,
  loops: true, // the sixth time a worker makes the same call within a minute, it is denied
})

const orchestrator = new Agent({
  identity: 'orchestrator/v1',
  budget: { usd: 0.1, toolCalls: 20, depth: 1 },
  tools: { fetch_page: fetch_public_page },
  audit,
  limits: { perUser: { usd: 20, windowMs: 86_400_000 } }, // over all sessions of a user, in this process
})

/** Reads a page and asks the model about it, `turns` times. */
async function research(s: Session, page: string, turns: number): Promise<string> {
  const read = await s.dispatch({ name: 'fetch_page', input: { page } })
  if (!read.ok) return read.denial.message
  for (let turn = 0; turn < turns; turn++) {
    await s.callLlm(
      { model: 'claude-sonnet-4-5', maxTokens: 1_000, maxUsd: 0.015 },
      (signal) => provider.chat(`What is ${page} about?`, { signal }),
      (reply) => reply.usage,
    )
  }
  return `read ${page} in ${turns} turns`
}

function print(name: string, s: Session, outcome: string): void {
  const { usd, toolCalls, llmCalls } = s.usage()
  const spent = `$${usd.toFixed(3)}, ${llmCalls} model calls, ${toolCalls} tool calls`
  console.log(`${name.padEnd(13)}${spent.padEnd(40)}${outcome}`)
}

await orchestrator.session('alice', async (s) => {
  // #region delegate
  const work = [
    { page: 'public/prices', turns: 2 },
    { page: 'public/history', turns: 9 }, // more than its slice allows
    { page: 'payroll/salaries', turns: 1 }, // more than the orchestrator may
  ]
  await Promise.all(
    work.map(async ({ page, turns }, index) => {
      let worked: Session | undefined
      const outcome = await s
        .delegate(worker, { budget: { usd: 0.03, toolCalls: 2 }, task: `read ${page}` }, (child) => {
          worked = child
          return research(child, page, turns)
        })
        .catch((error: unknown) => {
          if (!(error instanceof BudgetExceeded)) throw error
          return `killed: ${error.limit}, ${error.used} of ${error.max} used`
        })
      if (worked !== undefined) print(`worker ${index + 1}`, worked, outcome)
    }),
  )
  // #endregion delegate
  print('orchestrator', s, `${s.state}, $${s.remaining().usd} left`)
})

await worker.close()
await orchestrator.close()
