import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { response } from './endpoint.js'
import { record, records } from './records.js'
import {
  append,
  bodyOf,
  clock,
  endpoint,
  host,
  INTERVAL_MS,
  laterAnswer,
  open,
  settle,
  sink,
} from './webhook-fixture.js'

test('posts the exact lines, with the headers of Standard Webhooks', async () => {
  open([], { headers: { Authorization: 'Bearer x' } })
  const all = records(3)
  append(all)
  clock.advance(INTERVAL_MS)
  await endpoint.received(1)
  expect(endpoint.requests[0]).toEqual({
    url: 'https://alerts.example.com/writ',
    method: 'POST',
    headers: [
      ['authorization', 'Bearer x'],
      ['content-type', 'application/x-ndjson'],
      ['webhook-id', expect.stringMatching(/^[0-9A-Z]{26}$/)],
      ['webhook-timestamp', '1790000000'],
    ],
    body: bodyOf(all),
    redirect: 'manual',
    signal: expect.any(AbortSignal),
  })
  await settle()
  expect(host.reports).toEqual([])
  expect(clock.timers).toEqual([])
  expect(sink.durable).toBe(false)
})

test('signs with the secret', async () => {
  const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
  open([], { secret })
  append(records(2))
  await sink.drain?.()
  const expected = new Webhook(secret).sign(
    endpoint.header(0, 'webhook-id') ?? '',
    new Date(1_790_000_000_000),
    bodyOf(records(2)),
  )
  expect(endpoint.header(0, 'webhook-signature')).toBe(expected)
})

test('nothing is sent inside append, not even when a batch is full', async () => {
  open([], { maxBatchRecords: 1 })
  append(records(1))
  expect(endpoint.requests).toHaveLength(0)
  await endpoint.received(1)
})

test('a record waits for company, but not longer than flushIntervalMs', async () => {
  open([])
  const [first, second] = records(2)
  sink.append(first!)
  expect(clock.timers).toMatchObject([{ delayMs: INTERVAL_MS, background: true }])
  clock.advance(INTERVAL_MS - 1)
  sink.append(second!)
  await settle()
  expect(endpoint.requests).toHaveLength(0)
  clock.advance(1)
  await endpoint.received(1)
  expect(endpoint.bodies).toEqual([bodyOf([first!, second!])])
})

test('a timer that fires too early is set again', async () => {
  open([])
  append(records(1))
  const [early] = clock.timers
  clock.advance(INTERVAL_MS - 1)
  clock.clearTimer(early)
  early?.callback()
  await settle()
  expect(endpoint.requests).toHaveLength(0)
  expect(clock.timers).toMatchObject([{ delayMs: 1 }])
  clock.advance(1)
  await endpoint.received(1)
})

test('the time that a request takes counts as waiting', async () => {
  const answer = laterAnswer()
  open([answer.promise], { maxBatchRecords: 2 })
  const all = records(3)
  append(all)
  await endpoint.received(1)
  clock.advance(INTERVAL_MS - 1)
  answer.give(response(200))
  await settle()
  expect(endpoint.requests).toHaveLength(1)
  expect(clock.timers).toMatchObject([{ delayMs: 1 }])
  clock.advance(1)
  await endpoint.received(2)
  expect(endpoint.bodies[1]).toBe(bodyOf([all[2]!]))
})

test.each([
  ['maxBatchRecords', { maxBatchRecords: 2 }],
  ['maxBatchBytes', { maxBatchBytes: 2 * (Buffer.byteLength(record().line) + 1) }],
])('a batch of %s is sent at once and never exceeded', async (_, options) => {
  open([], options)
  const all = records(5)
  append(all.slice(0, 1))
  await settle()
  expect(endpoint.requests).toHaveLength(0)
  append(all.slice(1))
  await endpoint.received(2)
  await settle()
  expect(endpoint.bodies).toEqual([bodyOf(all.slice(0, 2)), bodyOf(all.slice(2, 4))])
  clock.advance(INTERVAL_MS)
  await endpoint.received(3)
  expect(endpoint.bodies[2]).toBe(bodyOf(all.slice(4)))
})

test('one request is in flight at a time', async () => {
  const answer = laterAnswer()
  open([answer.promise], { maxBatchRecords: 1 })
  append(records(3))
  await settle()
  expect(endpoint.requests).toHaveLength(1)
  answer.give(response(200))
  await endpoint.received(3)
  expect(endpoint.bodies.join('')).toBe(bodyOf(records(3)))
})

test('every batch has an id of its own', async () => {
  open([], { maxBatchRecords: 1 })
  append(records(2))
  await endpoint.received(2)
  expect(endpoint.header(0, 'webhook-id')).not.toBe(endpoint.header(1, 'webhook-id'))
})

test('a full queue refuses records, the batch in flight included, and takes them again later', async () => {
  const answer = laterAnswer()
  const size = Buffer.byteLength(record().line) + 1
  open([answer.promise], { maxQueueBytes: 2 * size, maxBatchRecords: 1 })
  append(records(2))
  await endpoint.received(1)
  expect(() => sink.append(record())).toThrow(
    expect.objectContaining({
      code: 'ERR_AUDIT_UNAVAILABLE',
      message: expect.stringContaining('queue is full'),
    }),
  )
  answer.give(response(204))
  await endpoint.received(2)
  await settle()
  append(records(2))
  await endpoint.received(4)
  expect(host.reports).toEqual([])
})

test('flush and flushSync do not wait for the network', () => {
  open(['hang'])
  append(records(1))
  expect(sink.flush()).toBeUndefined()
  expect(sink.flushSync()).toBeUndefined()
})
