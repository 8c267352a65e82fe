import { expect, test } from 'vitest'
import { Agent, AuditSink, type ChainHead, type CustomSink, type SinkHost } from 'writ'
import { fakeClock } from 'writ/testing'
import { agentOn } from '../../support/audit-logs.js'
import { ScriptedSink } from '../../support/scripted-sink.js'

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

const HASH = 'ab'.repeat(32)

test.each<[name: string, primary: ChainHead | undefined, side: ChainHead | undefined, taken: number]>([
  ['both are empty', undefined, undefined, 2],
  ['it is empty, and the primary is not', { size: 3, hash: HASH }, undefined, 2],
  ['both end alike', { size: 3, hash: HASH }, { size: 3, hash: HASH }, 2],
  ['it is shorter', { size: 3, hash: HASH }, { size: 2, hash: HASH }, 0],
  ['it has another hash', { size: 3, hash: HASH }, { size: 3, hash: 'cd'.repeat(32) }, 0],
  ['it is not empty, and the primary is', undefined, { size: 3, hash: HASH }, 0],
])('a sink beside the primary goes on with the same chain alone: %s', async (_, first, second, taken) => {
  const primary = new ScriptedSink({ durable: true, open: () => first })
  const side = new ScriptedSink({ name: 'side', open: () => second })
  const agent = agentOn(AuditSink.composite(primary, side))
  await agent.close()
  expect(side.lines).toHaveLength(taken)
  // One that holds another chain is given up again, and has nothing to deliver.
  expect(side.calls).toEqual(taken === 0 ? ['open', 'close'] : ['open', 'drain', 'close'])
  expect(primary.payloads('sink_dropped')).toHaveLength(taken === 0 ? 2 : 0)
})

test('what is lost is counted from the first loss on, sink by sink; losing nothing is none', async () => {
  const clock = fakeClock()
  const primary = new ScriptedSink({ durable: true })
  const [a, b] = ['a', 'b'].map((name) => new ScriptedSink({ name })) as [ScriptedSink, ScriptedSink]
  const agent = agentOn(AuditSink.composite(primary, a, b), undefined, { clock })
  for (const sink of [a, b]) sink.host?.dropped(0)
  await agent.session('alice', () => 1)
  expect(primary.payloads('sink_dropped')).toEqual([])
  a.host?.dropped(1)
  await clock.advance(500)
  a.host?.dropped(2)
  await agent.session('alice', () => 1)
  const since = '2026-01-01T00:00:00.000Z'
  expect(primary.payloads('sink_dropped')).toEqual([{ sink: 'a', count: 3, since }])
  await agent.close()
  expect(primary.payloads('sink_dropped')).toHaveLength(1)
})
