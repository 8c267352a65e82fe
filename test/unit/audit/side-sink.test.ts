import { expect, test } from 'vitest'
import { Agent, AuditSink, type CustomSink, type SinkHost } from 'writ'

test('a sink beside the primary that refuses to open is not closed by the log that it refused', async () => {
  let closed = 0
  const busy: CustomSink = {
    name: 'busy',
    durable: false,
    open: () => {
      throw new TypeError('open under another log')
    },
    append: () => undefined,
    flush: () => undefined,
    flushSync: () => undefined,
    close: async () => {
      closed += 1
    },
  }
  const audit = AuditSink.composite(AuditSink.memory(), busy)
  await new Agent({ identity: 'side', budget: { usd: 1 }, audit }).close()
  expect(closed).toBe(0)
})

test('a primary that loses records while it is drained fails the close', async () => {
  let host: SinkHost | undefined
  const queue: CustomSink = {
    name: 'queue',
    durable: false,
    open: (given) => {
      host = given
      return undefined
    },
    append: () => undefined,
    flush: () => undefined,
    flushSync: () => undefined,
    drain: async () => host?.dropped(2),
    close: async () => undefined,
  }
  const agent = new Agent({ identity: 'primary', budget: { usd: 1 }, audit: queue })
  await expect(agent.close()).rejects.toMatchObject({ code: 'ERR_AUDIT_UNAVAILABLE' })
})
