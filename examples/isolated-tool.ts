// A tool that never returns is ended at its deadline, while this process goes on. `npx tsx examples/isolated-tool.ts`
import './support/temporary-folder.js'
import { Agent, AuditSink, BudgetExceeded, defineTool, ToolTimeout } from 'writ'
import { isolated } from 'writ/isolated'
import * as z from 'zod'

// #region isolated
const searchLines = isolated<string[]>(new URL('./support/search-lines.mjs', import.meta.url), {
  name: 'searchLines', // the export of the module
  min: 1, // one worker is kept ready
})

const search = defineTool({
  description: 'The lines of a text that match a regular expression.',
  inputSchema: z.object({ pattern: z.string().max(200), text: z.string() }),
  readOnly: true,
  timeoutMs: 2_000,
  execute: searchLines,
})
// #endregion isolated

const agent = new Agent({
  identity: 'log-reader/v1',
  budget: { toolCalls: 10, wallMs: 5_000 },
  tools: { search },
  audit: AuditSink.file('./audit.jsonl', { durability: 'os' }),
})

const text = `error: disk full\nok\n${'a'.repeat(60)}!`
const runaway = { pattern: '^(a+)+$', text } // as a model might write it: backtracks for ages

let ticks = 0
const timer = setInterval(() => {
  ticks += 1
}, 10)

console.log('found:', await agent.session('alice', (s) => s.callTool('search', { pattern: '^error', text })))

await agent.session('alice', async (s) => {
  const before = ticks
  try {
    await s.callTool('search', runaway)
  } catch (error) {
    if (!(error instanceof ToolTimeout)) throw error
    console.log(
      `${error.code} after ${error.timeoutMs} ms; the timer of this process kept ticking:`,
      ticks > before,
    )
  }
  console.log('the next call:', await s.callTool('search', { pattern: 'ok', text }))
})
clearInterval(timer)

// In a synchronous session the call blocks, and is ended all the same.
try {
  agent.sessionSync('alice', (s) => s.callTool('search', runaway), { budget: { wallMs: 200 } })
} catch (error) {
  if (!(error instanceof BudgetExceeded)) throw error
  console.log(`without promises: ${error.code}, ${error.limit} is limited to ${error.max}`)
}

await searchLines.close()
await agent.close()
