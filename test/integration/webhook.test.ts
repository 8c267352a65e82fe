import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AuditSink } from '../../src/audit/sink.js'
import { systemClock } from '../../src/core/clock.js'
import { webhookSink } from '../../src/sinks/webhook.js'
import type { WebhookSinkOptions } from '../../src/sinks/webhook-options.js'
import { ManualClock } from '../unit/sinks/manual-clock.js'
import { Host, record, records } from '../unit/sinks/records.js'
import { type Behaviour, Receiver } from './receiver.js'

const TIMEOUT_MS = 7_000
const CLOSE_MS = 4_000
const BACKOFF_MS = 3_000
const SECRET = `whsec_${Buffer.from('canary-secret-of-32-bytes-length').toString('base64')}`
const AUTHORIZATION = 'Bearer canary-token'

let clock: ManualClock
let host: Host
let receiver: Receiver
let sink: AuditSink

async function start(behaviours: Behaviour[], options: WebhookSinkOptions = {}): Promise<void> {
  receiver = await Receiver.start(...behaviours)
  sink = webhookSink(receiver.url, {
    clock,
    timeoutMs: TIMEOUT_MS,
    backoffMs: BACKOFF_MS,
    flushIntervalMs: 0,
    closeTimeoutMs: CLOSE_MS,
    secret: SECRET,
    headers: { authorization: AUTHORIZATION },
    ...options,
  })
  expect(sink.open(host)).toBeUndefined()
}

function append(count: number): string {
  const all = records(count)
  for (const each of all) sink.append(each)
  return all.map(({ line }) => `${line}\n`).join('')
}

const never = (): void => undefined

beforeEach(() => {
  // Receivers refuse timestamps that are more than five minutes off.
  clock = new ManualClock()
  host = new Host()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await receiver.stop()
})

test('a healthy receiver gets the exact bytes, signed as Standard Webhooks says', async () => {
  await start([], { maxBatchRecords: 10 })
  const expected = append(25)
  await sink.close()
  expect(receiver.text).toBe(expected)
  expect(receiver.received).toHaveLength(3)
  for (const { body, headers, method, path } of receiver.received) {
    expect({ method, path }).toEqual({ method: 'POST', path: '/writ?token=canary' })
    expect(headers).toMatchObject({ 'content-type': 'application/x-ndjson', authorization: AUTHORIZATION })
    expect(Number(headers['content-length'])).toBe(body.length)
    new Webhook(SECRET).verify(body, headers, { jsonParse: false })
    expect(() => new Webhook(SECRET).verify(`${body} `, headers, { jsonParse: false })).toThrow(
      WebhookVerificationError,
    )
    const other = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    expect(() => new Webhook(other).verify(body, headers, { jsonParse: false })).toThrow(
      WebhookVerificationError,
    )
  }
  expect(host.reports).toEqual([])
})

test('without a secret there is an id and a time, and no signature', async () => {
  await start([])
  sink = webhookSink(receiver.url, { clock })
  sink.open(host)
  append(1)
  await sink.close()
  const headers = receiver.received[0]?.headers ?? {}
  expect(headers['webhook-id']).toMatch(/^[0-9A-Z]{26}$/)
  expect(headers['webhook-timestamp']).toBe(String(Math.floor(clock.nowMs() / 1000)))
  expect(headers).not.toHaveProperty('webhook-signature')
})

/** The second attempt, after one that failed: the same batch, and the receiver can tell. */
async function expectRetry(expected: string): Promise<void> {
  await clock.timer(BACKOFF_MS / 2)
  clock.advance(BACKOFF_MS / 2)
  await sink.close()
  expect(receiver.requests).toBe(2)
  expect(receiver.received.at(-1)?.body.toString()).toBe(expected)
  expect(host.reports).toEqual([])
}

test('500, then healthy: the same batch under the same id, signed anew', async () => {
  await start([500])
  const expected = append(3)
  await receiver.count(1)
  await expectRetry(expected)
  const [first, second] = receiver.received
  expect(second?.body).toEqual(first?.body)
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
  expect(second?.headers['webhook-timestamp']).not.toBe(first?.headers['webhook-timestamp'])
  new Webhook(SECRET).verify(second?.body ?? '', second?.headers ?? {}, { jsonParse: false })
})

test('slow: an attempt ends after timeoutMs and is made again', async () => {
  await start([never])
  const expected = append(3)
  await receiver.count(1)
  clock.advance(TIMEOUT_MS)
  await expectRetry(expected)
})

test('closing the connection without an answer is tried again', async () => {
  await start([(response) => response.destroy()])
  await expectRetry(append(3))
})

test('closing the connection in the middle of the request is tried again', async () => {
  await start([{ before: (request) => request.destroy() }], {
    maxBatchRecords: 2_000,
    maxBatchBytes: 2 ** 20,
  })
  await expectRetry(append(2_000))
})

test('closing the connection in the middle of the answer is of no importance: the status is there', async () => {
  await start([
    (response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('x', () => response.destroy())
    },
  ])
  const expected = append(3)
  await sink.close()
  expect(receiver.text).toBe(expected)
  expect(host.reports).toEqual([])
})

test('an answer without an end is let go, not read', async () => {
  let answer: ServerResponse | undefined
  await start([
    (response) => {
      answer = response
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', more)
      }
      more()
    },
  ])
  append(1)
  await sink.close()
  if (answer !== undefined && !answer.closed) await once(answer, 'close')
  expect(answer?.destroyed).toBe(true)
  expect(host.reports).toEqual([])
})

test('down: tried maxAttempts times, then dropped and counted', async () => {
  await start([], { maxAttempts: 3 })
  await receiver.stop()
  append(3)
  for (const delayMs of [BACKOFF_MS / 2, BACKOFF_MS]) {
    await clock.timer(delayMs)
    clock.advance(delayMs)
  }
  await sink.close()
  expect(host.reports).toMatchObject([{ count: 3, cause: { code: 'ERR_AUDIT_UNAVAILABLE' } }])
  expect((host.reports[0]!.cause as Error).message).toContain(
    'network error ECONNREFUSED; gave up after 3 attempts',
  )
})

test.each([301, 302, 303, 307, 308])('a %i is never followed: dropped and counted', async (status) => {
  await start([(response) => response.writeHead(status, { location: '/elsewhere' }).end()], {
    maxBatchRecords: 2,
  })
  append(4)
  await sink.close()
  expect(receiver.received.map(({ path }) => path)).toEqual(['/writ?token=canary', '/writ?token=canary'])
  expect(host.reports).toMatchObject([{ count: 2 }])
  expect((host.reports[0]!.cause as Error).message).toContain(`answered ${status}`)
})

test('429 is tried again when its Retry-After is over', async () => {
  await start([(response) => response.writeHead(429, { 'retry-after': '11' }).end()])
  const expected = append(3)
  const timer = await clock.timer(11_000)
  expect(timer.background).toBe(true)
  clock.advance(10_999)
  expect(clock.timers).toContain(timer)
  clock.advance(1)
  await receiver.count(2)
  await sink.close()
  expect(receiver.received[1]?.body.toString()).toBe(expected)
  expect(host.reports).toEqual([])
})

test('a full queue refuses the record, and keeps what it has', async () => {
  const size = Buffer.byteLength(record().line) + 1
  await start([never], { maxQueueBytes: 3 * size })
  const expected = append(3)
  expect(() => sink.append(record())).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  await receiver.count(1)
  expect(() => sink.append(record())).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
  clock.advance(TIMEOUT_MS)
  await expectRetry(expected)
})

test('close ends after closeTimeoutMs although the receiver hangs, and counts what it had', async () => {
  await start([never], { maxBatchRecords: 2 })
  append(5)
  await receiver.count(1)
  const closed = sink.close()
  clock.advance(CLOSE_MS)
  await closed
  expect(host.drops).toBe(5)
  expect(receiver.requests).toBe(1)
  expect(clock.timers).toEqual([])
})

test('the same with the clock of the machine', async () => {
  await start([never], { clock: systemClock, closeTimeoutMs: 20 })
  append(5)
  await sink.close()
  expect(host.drops).toBe(5)
})

test('nothing secret is in a name, an error or a report', async () => {
  const said: unknown[] = []
  for (const behaviours of [
    [404],
    [500],
    [(response: ServerResponse) => response.destroy()],
    [never],
  ] as Behaviour[][]) {
    await start(behaviours, { maxAttempts: 1, maxQueueBytes: 2_000 })
    said.push(
      sink,
      sink.name,
      attempt(() => sink.open(host)),
      attempt(() => append(9)),
    )
    const closed = sink.close()
    await receiver.count(1)
    clock.advance(CLOSE_MS)
    await closed
    said.push(attempt(() => append(1)))
    await receiver.stop()
  }
  await start([])
  await receiver.stop()
  append(1)
  await clock.timer(BACKOFF_MS / 2)
  const closed = sink.close()
  clock.advance(CLOSE_MS)
  await closed
  expect(host.reports).toHaveLength(5)
  expect(said.filter((each) => each instanceof Error)).toHaveLength(12)
  const printed = inspect([said, host.reports], { depth: 20, showHidden: true })
  expect(printed).toContain('webhook:127.0.0.1:')
  expect(printed).not.toContain('canary')
  expect(printed).not.toContain(SECRET.slice(6))
})

function attempt(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
