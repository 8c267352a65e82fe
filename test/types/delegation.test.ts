import { Agent, AuditSink, defineTool, type Session, type SyncSession } from 'writ'
import * as z from 'zod'
import { same } from './same.js'

const look = defineTool({ inputSchema: z.object({ orderId: z.number() }), execute: ({ orderId }) => orderId })
const audit = AuditSink.memory()
const boss = new Agent({ identity: 'boss', budget: { usd: 1 }, audit })
const clerk = new Agent({ identity: 'clerk', budget: { usd: 1 }, tools: { look }, audit })

export async function asynchronous(): Promise<void> {
  await boss.session('alice', async (s) => {
    const found = await s.delegate(clerk, { tools: ['look'] }, (child) => {
      same<typeof child, Session<{ readonly look: typeof look }>>()
      // @ts-expect-error the other agent has no such tool
      child.callTool('pay', {})
      return child.callTool('look', { orderId: 1 })
    })
    same<typeof found, number>()
    // @ts-expect-error a tool that the other agent does not have
    await s.delegate(clerk, { tools: ['pay'] }, () => undefined)
    // @ts-expect-error no agent
    await s.delegate({ identity: 'clerk' }, {}, () => undefined)
  })
}

export function synchronous(): void {
  boss.sessionSync('alice', (s) => {
    const found = s.delegate(clerk, {}, (child) => {
      same<typeof child, SyncSession<{ readonly look: typeof look }>>()
      return child.callTool('look', { orderId: 1 })
    })
    same<typeof found, number>()
  })
}
