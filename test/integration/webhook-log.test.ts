import { afterEach, expect, test } from 'vitest'
import { AuditLog } from '../../src/audit/log.js'
import { memorySink } from '../../src/sinks/memory.js'
import { webhookSink } from '../../src/sinks/webhook.js'
import { ManualClock } from '../unit/sinks/manual-clock.js'
import { Receiver } from './receiver.js'

const clock = new ManualClock()
let receiver: Receiver

afterEach(() => receiver.stop())

test('beside a primary: the receiver can append what it gets to a file, and has the log', async () => {
  receiver = await Receiver.start()
  const primary = memorySink()
  const log = AuditLog.of({ sinks: [primary, webhookSink(receiver.url, { clock })] }, clock)
  for (let call = 0; call < 250; call++) log.append('llm_call', `{"call":${call}}`)
  await log.release()
  expect(receiver.text).toBe(primary.text())
  expect(primary.records.map(({ event }) => event)).not.toContain('sink_dropped')
})

test('beside a primary: what the receiver did not get is counted in the primary', async () => {
  receiver = await Receiver.start(404)
  const primary = memorySink()
  const side = webhookSink(receiver.url, { clock, name: 'pager', flushIntervalMs: 0 })
  const log = AuditLog.of({ sinks: [primary, side] }, clock)
  log.append('llm_call', '{}')
  await receiver.count(1)
  await log.release()
  const reports = primary.records.filter(({ event }) => event === 'sink_dropped')
  expect(reports.map(({ payload }) => payload)).toMatchObject([{ sink: 'pager', count: 2 }])
  const missing = receiver.received.slice(1).map(({ body }) => body.toString())
  expect(primary.text().endsWith(missing.join(''))).toBe(true)
})
