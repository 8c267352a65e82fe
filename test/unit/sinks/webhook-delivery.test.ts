import { expect, test, vi } from 'vitest'
import { response } from './endpoint.js'
import { records } from './records.js'
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
  TIMEOUT_MS,
} from './webhook-fixture.js'

test.each([200, 201, 202, 204, 299])('%i accepts a batch', async (status) => {
  open([status])
  append(records(2))
  await sink.drain?.()
  expect(endpoint.requests).toHaveLength(1)
  expect(host.reports).toEqual([])
})

test.each([408, 425, 429, 500, 502, 503, 504, 599])(
  'after %i the same batch is sent again',
  async (status) => {
    open([status], { secret: Buffer.alloc(24).toString('base64') })
    append(records(2))
    clock.advance(INTERVAL_MS)
    await clock.timer(250)
    clock.advance(2_000)
    await endpoint.received(2)
    await settle()
    expect(endpoint.bodies[1]).toBe(endpoint.bodies[0])
    expect(endpoint.header(1, 'webhook-id')).toBe(endpoint.header(0, 'webhook-id'))
    expect(endpoint.header(1, 'webhook-timestamp')).toBe('1790000002')
    expect(endpoint.header(1, 'webhook-signature')).not.toBe(endpoint.header(0, 'webhook-signature'))
    expect(host.reports).toEqual([])
  },
)

test.each([0, 199, 300, 301, 302, 303, 304, 307, 308, 400, 401, 404, 409, 410, 413, 424, 600])(
  '%i refuses a batch: dropped at once, counted, and the next one is sent',
  async (status) => {
    open([status], { maxBatchRecords: 2 })
    append(records(4))
    await endpoint.received(2)
    await settle()
    expect(host.reports).toEqual([
      {
        count: 2,
        cause: expect.objectContaining({
          code: 'ERR_AUDIT_UNAVAILABLE',
          message: expect.stringContaining(`answered ${status}`),
        }),
      },
    ])
    expect(endpoint.bodies.join('')).toBe(bodyOf(records(4)))
    expect(clock.timers).toEqual([])
  },
)

test.each([
  [
    'as fetch reports it',
    new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }),
    ' ECONNREFUSED;',
  ],
  [
    'with a code of its own',
    Object.assign(new TypeError('canary'), { code: 'UND_ERR_SOCKET' }),
    ' UND_ERR_SOCKET;',
  ],
  [
    'that quotes the request',
    new TypeError('canary', { cause: { code: 'bearer canary' } }),
    'network error;',
  ],
  ['that is a string', 'canary', 'network error;'],
  ['that is nothing', undefined, 'network error;'],
])('a network error %s is tried again, and named without its message', async (_, failure, name) => {
  open([{ failure }, { failure }], { maxAttempts: 2 })
  append(records(2))
  clock.advance(INTERVAL_MS)
  await clock.timer(250)
  clock.advance(250)
  await settle()
  expect(endpoint.requests).toHaveLength(2)
  expect(host.reports).toMatchObject([{ count: 2 }])
  const { message } = host.reports[0]!.cause as Error
  expect(message).toContain(name)
  expect(message).toContain('gave up after 2 attempts')
  expect(message).not.toContain('canary')
})

test('a fetch that throws instead of rejecting is a network error', async () => {
  const fetch = vi.fn().mockResolvedValue(response(204))
  fetch.mockImplementationOnce(() => {
    throw new TypeError('no')
  })
  open([], { fetch })
  append(records(1))
  clock.advance(INTERVAL_MS)
  await clock.timer(250)
  clock.advance(250)
  await settle()
  expect(fetch).toHaveBeenCalledTimes(2)
  expect(host.reports).toEqual([])
})

test.each(['hang', 'deaf'] as const)(
  'an attempt ends after timeoutMs, even with a fetch that is %s',
  async (how) => {
    open([how])
    append(records(1))
    clock.advance(INTERVAL_MS)
    expect((await clock.timer(TIMEOUT_MS)).background).toBe(true)
    await endpoint.received(1)
    clock.advance(TIMEOUT_MS - 1)
    await settle()
    expect(endpoint.requests[0]?.signal.aborted).toBe(false)
    clock.advance(1)
    await clock.timer(250)
    expect(endpoint.requests[0]?.signal.aborted).toBe(true)
    clock.advance(250)
    await endpoint.received(2)
    await settle()
    expect(host.reports).toEqual([])
    expect(clock.timers).toEqual([])
  },
)

test('an attempt that was answered leaves no timer and is not aborted', async () => {
  open([])
  append(records(1))
  clock.advance(INTERVAL_MS)
  await endpoint.received(1)
  await settle()
  expect(clock.timers).toEqual([])
  clock.advance(TIMEOUT_MS)
  expect(endpoint.requests[0]?.signal.aborted).toBe(false)
})

test('gives up after maxAttempts, counts the batch, and sends the next one', async () => {
  open([500, 500, 500], { maxAttempts: 3, maxBatchRecords: 2 })
  append(records(4))
  for (const delayMs of [250, 500]) {
    await clock.timer(delayMs)
    clock.advance(delayMs)
  }
  await endpoint.received(4)
  await settle()
  expect(host.reports).toMatchObject([{ count: 2 }])
  expect(endpoint.bodies).toEqual([...Array(3).fill(bodyOf(records(2))), bodyOf(records(4).slice(2))])
})

test('waits a random share of a backoff that doubles up to 30 seconds, in the background', async () => {
  open(Array(10).fill(500), { maxAttempts: 10, timeoutMs: 1_234 })
  append(records(1))
  clock.advance(INTERVAL_MS)
  const delays: number[] = []
  for (let attempt = 1; attempt < 10; attempt++) {
    await endpoint.received(attempt)
    await settle()
    const [timer] = clock.timers
    expect(timer?.background).toBe(true)
    delays.push(timer?.delayMs ?? -1)
    clock.advance(timer?.delayMs ?? 0)
  }
  expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
})

test.each([0, 0.999])('the share can be %d', async (share) => {
  vi.mocked(Math.random).mockReturnValue(share)
  open([500])
  append(records(1))
  clock.advance(INTERVAL_MS)
  await clock.timer(share * 500)
})

test.each([
  ['in seconds', '12', 12_000],
  ['as a date', new Date(1_790_000_020_000).toUTCString(), 20_000 - 999],
  ['shorter than the backoff', '0', 250],
  ['beyond five minutes', '86400', 300_000],
  ['beyond every number', '9'.repeat(400), 300_000],
  ['a date beyond five minutes', 'Fri, 31 Dec 2999 23:59:59 GMT', 300_000],
  ['a date in another form', '2999-12-31', 250],
  ['a date in the past', 'Fri, 31 Dec 1999 23:59:59 GMT', 250],
  ['a date that is none', 'Xxx, 99 Xxx 1999 23:59:59 GMT', 250],
  ['negative', '-5', 250],
  ['a fraction', '1.5', 250],
  ['no header at all', undefined, 250],
])('a retry-after %s', async (_, header, delayMs) => {
  open([response(429, header === undefined ? {} : { 'retry-after': header })])
  append(records(1))
  clock.advance(INTERVAL_MS)
  expect((await clock.timer(delayMs)).background).toBe(true)
  clock.advance(delayMs)
  await endpoint.received(2)
})

test('the body of every answer is cancelled and never read, whatever comes of that', async () => {
  const cancel = vi.fn().mockRejectedValueOnce(new TypeError('no')).mockResolvedValue(undefined)
  const body = new Proxy(
    { cancel },
    {
      get: (target, key) => {
        if (key !== 'cancel') throw new TypeError(`read ${String(key)}`)
        return target.cancel
      },
    },
  )
  open(
    [
      { ...response(200), body },
      { ...response(404), body },
      { ...response(200), body: {} as never },
    ],
    { maxBatchRecords: 1 },
  )
  append(records(4))
  await endpoint.received(4)
  await settle()
  expect(cancel).toHaveBeenCalledTimes(2)
  expect(host.drops).toBe(1)
})

test('the body of an answer that comes too late is cancelled, and the answer is not counted', async () => {
  const answer = laterAnswer()
  open([answer.promise], { maxAttempts: 1 })
  append(records(1))
  clock.advance(INTERVAL_MS)
  await endpoint.received(1)
  clock.advance(TIMEOUT_MS)
  await settle()
  expect(host.drops).toBe(1)
  const cancel = vi.fn().mockResolvedValue(undefined)
  answer.give({ ...response(500), body: { cancel } })
  await settle()
  expect(cancel).toHaveBeenCalledTimes(1)
  expect(host.drops).toBe(1)
})
