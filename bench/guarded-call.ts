import * as z from 'zod'
import { Agent, type CustomSink, defineTool, type Session } from '../src/index.js'
import { measure, report } from './harness.js'
import { NaiveLog, naiveCall } from './naive.js'

const schema = z.object({ orderId: z.number().int(), note: z.string() })
const input = { orderId: 4521, note: 'late delivery' }
const fn = async ({ orderId }: { orderId: number }): Promise<number> => orderId
const tool = defineTool({ inputSchema: schema, execute: fn })
const BATCH = 50

/** One guarded tool call, with its two records. */
export async function benchGuardedCall(): Promise<void> {
  // Keeps the last line alone: a benchmark that keeps them all measures the garbage collector.
  const agent = new Agent({
    identity: 'bench',
    budget: { toolCalls: 1e12 },
    tools: { tool },
    audit: forgetful(),
  })
  const audited = agent.open('alice')
  const naiveLog = new NaiveLog()
  const naiveSession = new AbortController().signal

  const measured = await measure([
    { name: 'bare await', operations: BATCH, run: repeat(() => fn(input)) },
    {
      name: 'floor: safeParse and await',
      operations: BATCH,
      run: repeat(async () => {
        const parsed = schema.safeParse(input)
        return parsed.success ? fn(parsed.data) : undefined
      }),
    },
    { name: 'writ, two records', operations: BATCH, run: repeat(() => call(audited)) },
    {
      name: 'naive, no audit',
      operations: BATCH,
      run: repeat(() => naiveCall(schema, fn, input, naiveSession)),
    },
    {
      name: 'naive, two records',
      operations: BATCH,
      run: repeat(() => naiveAudited(naiveLog, naiveSession)),
    },
  ])
  report('guarded tool call', measured, 'writ, two records', [
    { against: 'bare await', atMost: 35 },
    { against: 'naive, two records', atLeast: 13 },
  ])
  await agent.close()
}

type Tools = { readonly tool: typeof tool }

function call(session: Session<Tools>): Promise<number> {
  return session.callTool('tool', input)
}

async function naiveAudited(log: NaiveLog, session: AbortSignal): Promise<number> {
  log.lines.length = 0
  const identity = { session_id: 'x', agent_identity: 'bench', invoking_user: 'alice', principal: 'bench@x' }
  const budget = { usd: 0, tokens: 0, wall_ms: 5, tool_calls: 1, llm_calls: 0, depth: 0, denials: 0 }
  log.emit(
    'tool_call',
    identity,
    { call_id: crypto.randomUUID(), tool: 'tool', args: Object.keys(input) },
    budget,
  )
  const started = performance.now()
  const result = await naiveCall(schema, fn, input, session)
  log.emit('tool_result', identity, { ok: true, elapsed_ms: performance.now() - started }, budget)
  return result
}

function repeat(operation: () => Promise<unknown>): () => Promise<void> {
  return async () => {
    for (let i = 0; i < BATCH; i++) await operation()
  }
}

/** A memory sink of one line. */
export function forgetful(): CustomSink & { last: string } {
  return {
    name: 'memory',
    durable: false,
    last: '',
    open: () => undefined,
    append(record) {
      this.last = record.line
    },
    flush: () => undefined,
    flushSync: () => undefined,
    close: async () => undefined,
  }
}
