import * as z from 'zod'
import { Agent, defineTool, type Session } from '../src/index.js'
import { forgetful } from './guarded-call.js'
import { measure, report } from './harness.js'
import { NaiveLog } from './naive.js'

const tool = defineTool({ inputSchema: z.object({ orderId: z.number() }), execute: ({ orderId }) => orderId })
const OPEN = 10_000
const BATCH = 20
const MAX_HELD_BYTES = 800

/** Opening and closing a session, and what ten thousand open ones hold. */
export async function benchSession(): Promise<void> {
  const agent = new Agent({
    identity: 'bench',
    budget: { usd: 5, tokens: 100_000, wallMs: 3_600_000, toolCalls: 10 },
    tools: { tool },
    audit: forgetful(),
  })
  const naiveLog = new NaiveLog()
  const measured = await measure([
    {
      name: 'floor: two ids',
      operations: BATCH,
      run: () => {
        for (let i = 0; i < BATCH; i++) {
          crypto.randomUUID()
          crypto.randomUUID()
        }
      },
    },
    {
      name: 'writ',
      operations: BATCH,
      run: async () => {
        for (let i = 0; i < BATCH; i++) await agent.open('alice').close()
      },
    },
    {
      name: 'naive',
      operations: BATCH,
      run: async () => {
        for (let i = 0; i < BATCH; i++) await naiveSession(naiveLog)
      },
    },
  ])
  report('session open and close, two records', measured, 'writ', [{ against: 'naive', atLeast: 30 }])
  await reportHeap(agent)
  await agent.close()
}

async function naiveSession(log: NaiveLog): Promise<void> {
  log.lines.length = 0
  const controller = new AbortController()
  const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(3_600_000)])
  const id = crypto.randomUUID()
  const identity = {
    session_id: id,
    agent_identity: 'bench',
    invoking_user: 'alice',
    principal: `bench@${id}`,
  }
  const budget = { usd: 0, tokens: 0, wall_ms: 0, tool_calls: 0, llm_calls: 0, depth: 0, denials: 0 }
  const tools = [{ name: 'tool', schema: z.toJSONSchema(tool.inputSchema) }]
  log.emit('session_start', identity, { limits: budget, tools, depth: 0 }, budget)
  await Promise.race([
    Promise.resolve(),
    new Promise((_resolve, reject) => signal.addEventListener('abort', reject, { once: true })),
  ])
  log.emit('session_end', identity, { outcome: 'completed', usage: budget }, budget)
}

async function reportHeap(agent: Agent<{ readonly tool: typeof tool }>): Promise<void> {
  const { gc } = globalThis
  if (gc === undefined) return
  gc()
  const before = process.memoryUsage().heapUsed
  const open: Session<{ readonly tool: typeof tool }>[] = []
  for (let i = 0; i < OPEN; i++) open.push(agent.open('alice'))
  gc()
  const each = (process.memoryUsage().heapUsed - before) / OPEN
  const reached = each <= MAX_HELD_BYTES ? 'reached' : 'missed'
  console.log(`  ${OPEN} open sessions hold ${(each / 1000).toFixed(2)} KB each, at most 0.8: ${reached}`)
  for (const session of open) await session.close()
}
