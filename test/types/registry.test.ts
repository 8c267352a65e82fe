/** What the compiler says of tools: checked by `npm run types`, never run. */
import { Agent, AuditSink, defineTool, type Session, type SyncSession } from 'writ'
import * as z from 'zod'
import { same } from './same.js'

const refund = defineTool({
  inputSchema: z.object({ orderId: z.number().int(), note: z.string().default('none') }),
  when: ({ orderId, note }) => orderId > 0 && note.length > 0,
  redact: ({ orderId }) => ({ orderId }),
  execute: async ({ orderId, note }) => `refunded ${orderId.toFixed()} ${note.trim()}`,
})
const count = defineTool({ inputSchema: z.object({}), execute: () => 7 })
const length = defineTool({
  inputSchema: z.object({ text: z.string().transform((text) => text.length) }),
  outputSchema: z.number().transform((value) => ({ value })),
  execute: ({ text }) => text + 1,
})

const agent = new Agent({
  identity: 'bot',
  budget: { usd: 1 },
  tools: { refund, count, length },
  audit: AuditSink.memory(),
})
const bare = new Agent({ identity: 'bot', budget: { usd: 1 }, audit: AuditSink.memory() })

type Tools = { readonly refund: typeof refund; readonly count: typeof count; readonly length: typeof length }
export async function calls(): Promise<void> {
  await agent.session('alice', async (s) => {
    const text = await s.callTool('refund', { orderId: 1 })
    const number = await s.callTool('count', {})
    const checked = await s.callTool('length', { text: 'seven' })
    same<[typeof text, typeof number, typeof checked], [string, number, { value: number }]>()

    // @ts-expect-error a tool outside the registry
    await s.callTool('remove', {})
    // @ts-expect-error a tool outside the registry, under a name that every object has
    await s.callTool('toString', {})
    // @ts-expect-error any text at all
    await s.callTool('count' as string, {})
    // @ts-expect-error an input of the wrong type
    await s.callTool('refund', { orderId: '1' })
    // @ts-expect-error an input with a member missing
    await s.callTool('refund', { note: 'x' })
    // @ts-expect-error an input with a member too many
    await s.callTool('refund', { orderId: 1, all: true })
    // @ts-expect-error the input of another tool
    await s.callTool('length', { orderId: 1 })
    // @ts-expect-error what the schema makes of the input, not what it takes
    await s.callTool('length', { text: 5 })
    // @ts-expect-error no input
    await s.callTool('refund')
    // @ts-expect-error an option that there is not
    await s.callTool('count', {}, { timeout: 5 })
    // @ts-expect-error a result of another type
    const wrong: number = await s.callTool('refund', { orderId: 1 })
    return wrong
  })
}

export async function proposedCalls(): Promise<void> {
  await agent.session('alice', async (s) => {
    // A model proposes any name and any input: what it may is decided when it runs.
    const result = await s.dispatch({ id: 'call_1', name: 'anything', input: '{}' })
    if (result.ok) {
      same<typeof result.output, unknown>()
      // @ts-expect-error there is no denial when it ran
      return result.denial
    }
    const decision = await s.authorize('anything', {})
    // @ts-expect-error a decision is a value to look at, not a boolean
    const allowed: boolean = decision
    // @ts-expect-error a reason only where it was denied
    const { reason } = decision
    return [result.denial.reason, decision.allowed ? decision.tool : decision.reason, allowed, reason]
  })
}

export function sessionOptions(): void {
  agent.open('alice', {
    tools: ['refund', 'count'],
    budget: { usd: 0.5 },
    task: 'x',
    signal: AbortSignal.abort(),
  })
  agent.open('alice', { tools: [] })
  // @ts-expect-error a tool that the agent has not
  agent.open('alice', { tools: ['remove'] })
  // @ts-expect-error any text at all
  agent.open('alice', { tools: ['refund' as string] })
  // @ts-expect-error an option that there is not
  agent.open('alice', { timeout: 5 })
  // @ts-expect-error a limit that there is not
  agent.open('alice', { budget: { dollars: 5 } })
  // @ts-expect-error a limit that is no number
  agent.open('alice', { budget: { usd: '5' } })
  // @ts-expect-error a user that is no text
  agent.open(5)
  // @ts-expect-error no tool at all
  bare.open('alice', { tools: ['refund'] })
  // @ts-expect-error no tool at all
  void bare.session('alice', (s) => s.callTool('refund', { orderId: 1 }))
}

export async function synchronousSessions(): Promise<void> {
  const total: number = agent.sessionSync('alice', (s) => {
    same<typeof s, SyncSession<Tools>>()
    // @ts-expect-error a tool outside the registry
    s.callTool('remove', {})
    // @ts-expect-error an input of the wrong type
    s.callTool('refund', { orderId: '1' })
    // @ts-expect-error a synchronous call cannot be aborted
    s.callTool('count', {}, { signal: AbortSignal.abort() })
    // @ts-expect-error there is nobody to wait for a model
    s.callLlm({ model: 'm' })
    // @ts-expect-error it ends with its callback
    s.close()
    const result = s.dispatch({ name: 'count', input: {} })
    const decision = s.authorize('count', {})
    return s.callTool('count', {}, { timeoutMs: 5 }) + (result.ok && decision.allowed ? 1 : 0)
  })
  // @ts-expect-error the value of the callback, not a promise
  const later: Promise<number> = agent.sessionSync('alice', () => total)
  await later
}

export async function sessions(): Promise<void> {
  const s = agent.open('alice')
  same<typeof s, Session<Tools>>()
  await using other = agent.open('alice')
  const text: string = await agent.session('alice', async () => other.principal)
  const user: string = await agent.session('alice', () => text)
  // @ts-expect-error what a session shows cannot be changed
  s.user = user
  // @ts-expect-error nor what it has consumed
  s.usage().usd = 0
  // @ts-expect-error nor what is left
  s.remaining().usd = 5
}
