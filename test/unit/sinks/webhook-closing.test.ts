import { expect, test, vi } from 'vitest'
import { webhookSink } from '../../../src/sinks/webhook.js'
import { Host, record, records } from './records.js'
import {
  append,
  bodyOf,
  CLOSE_MS,
  clock,
  endpoint,
  host,
  INTERVAL_MS,
  open,
  settle,
  sink,
  TIMEOUT_MS,
} from './webhook-fixture.js'

test('drain sends at once what waits for company, batch after batch, and the sink goes on', async () => {
  open([], { maxBatchRecords: 2 })
  append(records(1))
  await sink.drain?.()
  expect(endpoint.bodies).toEqual([bodyOf(records(1))])
  append(records(5))
  await sink.drain?.()
  expect(endpoint.requests).toHaveLength(4)
  append(records(1))
  await settle()
  expect(endpoint.requests).toHaveLength(4)
  clock.advance(INTERVAL_MS)
  await endpoint.received(5)
})

test('drain has nothing to wait for when nothing is queued', async () => {
  open([])
  const drained = sink.drain?.()
  expect(clock.timers).toEqual([])
  await drained
})

test('drain keeps the process alive while it waits', async () => {
  open(['hang'])
  append(records(1))
  void sink.drain?.()
  expect((await clock.timer(CLOSE_MS)).background).toBe(false)
})

test('drain gives up after closeTimeoutMs: aborts the request and counts it and what is queued', async () => {
  open(['deaf'], { maxBatchRecords: 2 })
  append(records(5))
  const drained = sink.drain?.()
  await endpoint.received(1)
  clock.advance(CLOSE_MS)
  await drained
  expect(endpoint.requests[0]?.signal.aborted).toBe(true)
  expect(host.drops).toBe(5)
  expect(host.reports).toMatchObject([
    { count: 2, cause: { message: expect.stringContaining('no answer yet; no time left') } },
    { count: 3, cause: { message: expect.stringContaining('no time left') } },
  ])
  expect(clock.timers).toEqual([])
  append(records(2))
  await endpoint.received(2)
  await settle()
  expect(host.drops).toBe(5)
})

test('drain gives up during a backoff too', async () => {
  open([500], { backoffMs: 4 * CLOSE_MS })
  append(records(2))
  const drained = sink.drain?.()
  await clock.timer(2 * CLOSE_MS)
  clock.advance(CLOSE_MS)
  await drained
  expect(endpoint.requests).toHaveLength(1)
  expect(host.reports).toMatchObject([
    { count: 2, cause: { message: expect.stringContaining('answered 500') } },
  ])
  expect(clock.timers).toEqual([])
})

test('a request that is not yet signed when time is up is not sent', async () => {
  const sign = vi.spyOn(crypto.subtle, 'sign')
  open([], { secret: Buffer.alloc(24).toString('base64'), maxBatchRecords: 1 })
  append(records(1))
  await clock.timer(TIMEOUT_MS)
  const drained = sink.drain?.()
  clock.advance(CLOSE_MS)
  await drained
  await vi.waitFor(() => expect(sign).toHaveBeenCalledTimes(1))
  await sign.mock.results[0]?.value
  await settle()
  expect(endpoint.requests).toHaveLength(0)
  expect(host.drops).toBe(1)
})

test('records that a drop causes neither make drain endless nor start a second request', async () => {
  open(['hang', 'hang'], { maxBatchRecords: 1 })
  host.dropped = (count, cause) => {
    Host.prototype.dropped.call(host, count, cause)
    append(records(1))
  }
  append(records(2))
  const drained = sink.drain?.()
  await endpoint.received(1)
  clock.advance(CLOSE_MS)
  await drained
  await settle()
  expect(host.reports.map(({ count }) => count)).toEqual([1, 2])
  expect(endpoint.requests).toHaveLength(2)
})

test('close drains, takes nothing any more, and can be called again', async () => {
  open([])
  append(records(3))
  const closed = sink.close()
  expect(() => sink.append(record())).toThrow('not open')
  expect(() => sink.open(new Host())).toThrow('open already')
  expect(await Promise.all([closed, sink.close()])).toHaveLength(2)
  await sink.close()
  expect(endpoint.bodies).toEqual([bodyOf(records(3))])
  expect(host.reports).toEqual([])
  expect(clock.timers).toEqual([])
})

test('can be opened by one log at a time, and again after close', async () => {
  open([])
  expect(() => sink.open(new Host())).toThrow('open already')
  await sink.close()
  sink.open(host)
  append(records(1))
  await sink.close()
  expect(endpoint.bodies).toEqual([bodyOf(records(1))])
})

test('refuses records before open; close without open is harmless', async () => {
  const unopened = webhookSink('https://alerts.example.com/writ', { clock })
  expect(() => unopened.append(record())).toThrow('not open')
  await unopened.close()
})

test('a host that throws does not end the deliveries', async () => {
  open([404], { maxBatchRecords: 1 })
  host.dropped = () => {
    throw new RangeError('no')
  }
  append(records(2))
  await endpoint.received(2)
})

test.each(['setTimer', 'nowMs', 'monotonicMs'] as const)(
  'a clock whose %s fails loses nothing silently',
  async (method) => {
    open([], { maxBatchRecords: 2 })
    append(records(3))
    const broken = vi.spyOn(clock, method).mockImplementation(() => {
      throw new RangeError('no')
    })
    await settle()
    broken.mockRestore()
    await sink.close()
    const delivered = endpoint.bodies.join('').split('\n').length - 1
    expect(delivered + host.drops).toBe(3)
  },
)
