import { inspect } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { webhookSink } from '../../../src/sinks/webhook.js'
import { readWebhook } from '../../../src/sinks/webhook-options.js'

afterEach(() => vi.unstubAllGlobals())

const URL_OK = 'https://alerts.example.com/writ'

function errorOf(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new TypeError('expected an error')
}

test.each([
  'https://alerts.example.com/writ',
  'https://alerts.example.com:8443/writ?team=a',
  'https://10.0.0.1/',
  'http://localhost:3000/',
  'http://127.0.0.1/',
  'http://127.1/',
  'http://127.255.255.254:8080/',
  'http://[::1]:3000/',
  'HTTP://LOCALHOST/',
])('takes %s', (url) => {
  expect(readWebhook(url, {}).url).toBe(new URL(url).href)
  expect(readWebhook(new URL(url), {}).url).toBe(new URL(url).href)
})

test.each([
  'http://alerts.example.com/writ',
  'http://10.0.0.1/',
  'http://localhost.example.com/',
  'http://notlocalhost/',
  'http://127.0.0.1.example.com/',
  'http://x127.0.0.1/',
  'http://0.0.0.0/',
  'http://[::ffff:7f00:1]/',
  'http://[::2]/',
  'ftp://localhost/',
  'data:text/plain,x',
  'file:///tmp/canary',
  '/writ/canary',
  'canary',
  '',
  undefined,
  42,
])('refuses %s', (url) => {
  const error = errorOf(() => webhookSink(url as string))
  expect(error).toBeInstanceOf(TypeError)
  expect(inspect(error)).not.toContain('canary')
})

test.each([
  'https://canary:pw@alerts.example.com/',
  'https://canary@alerts.example.com/',
  'https://:canary@alerts.example.com/',
  'http://canary:pw@localhost/',
  'https://canary:pw@',
])('refuses %s for its credentials and does not print them', (url) => {
  const error = errorOf(() => webhookSink(url))
  expect(error).toBeInstanceOf(TypeError)
  expect(inspect(error)).not.toContain('canary')
})

test('is named after the host alone, or as it is told', () => {
  expect(webhookSink('https://alerts.example.com:8443/canary?canary=1#canary').name).toBe(
    'webhook:alerts.example.com:8443',
  )
  expect(webhookSink(URL_OK, { name: 'pager' }).name).toBe('pager')
})

test('has the documented defaults', () => {
  expect(readWebhook(URL_OK, {})).toEqual({
    url: URL_OK,
    name: 'webhook:alerts.example.com',
    headers: [],
    sign: undefined,
    timeoutMs: 10_000,
    maxAttempts: 5,
    backoffMs: 500,
    maxQueueBytes: 8_388_608,
    maxBatchRecords: 100,
    maxBatchBytes: 262_144,
    flushIntervalMs: 1_000,
    closeTimeoutMs: 5_000,
    clock: systemClock,
    fetch: globalThis.fetch,
  })
})

test('takes every option', () => {
  const fetch = vi.fn()
  const clock = { ...systemClock }
  const options = {
    name: 'pager',
    timeoutMs: 1,
    maxAttempts: 1,
    backoffMs: 0,
    maxQueueBytes: 1,
    maxBatchRecords: 1,
    maxBatchBytes: 1,
    flushIntervalMs: 0,
    closeTimeoutMs: 0,
    clock,
    fetch,
  }
  expect(readWebhook(URL_OK, { ...options, headers: { Authorization: 'Bearer x', 'X-Team': '' } })).toEqual({
    ...options,
    url: URL_OK,
    headers: [
      ['authorization', 'Bearer x'],
      ['x-team', ''],
    ],
    sign: undefined,
  })
  expect(readWebhook(URL_OK, { secret: Buffer.alloc(24).toString('base64') }).sign).toBeTypeOf('function')
})

test.each([
  ['timeoutMs', 1, 2 ** 31 - 1],
  ['maxAttempts', 1, 2 ** 53 - 1],
  ['backoffMs', 0, 2 ** 31 - 1],
  ['maxQueueBytes', 1, 2 ** 53 - 1],
  ['maxBatchRecords', 1, 2 ** 53 - 1],
  ['maxBatchBytes', 1, 2 ** 53 - 1],
  ['flushIntervalMs', 0, 2 ** 31 - 1],
  ['closeTimeoutMs', 0, 2 ** 31 - 1],
])('%s is an integer from %d to %d', (name, min, max) => {
  for (const value of [min, max]) expect(readWebhook(URL_OK, { [name]: value })).toHaveProperty(name, value)
  for (const value of [min - 1, max + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => webhookSink(URL_OK, { [name]: value })).toThrow(RangeError)
  }
  expect(() => webhookSink(URL_OK, { [name]: '5' })).toThrow(TypeError)
})

test('refuses options of the wrong kind', () => {
  expect(() => webhookSink(URL_OK, { retries: 3 } as never)).toThrow('unknown option retries')
  expect(() => webhookSink(URL_OK, { clock: {} } as never)).toThrow(TypeError)
  expect(() => webhookSink(URL_OK, { fetch: 'x' } as never)).toThrow(TypeError)
  expect(() => webhookSink(URL_OK, { name: '' })).toThrow(RangeError)
  for (const options of [null, [], 'whsec_canary']) {
    const error = errorOf(() => webhookSink(URL_OK, options as never))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).not.toContain('canary')
  }
})

test.each([
  'Content-Type',
  'content-length',
  'Content-Encoding',
  'HOST',
  'Webhook-Id',
  'webhook-signature',
  'webhook-anything',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
])('the header %s cannot be set', (name) => {
  const error = errorOf(() => webhookSink(URL_OK, { headers: { [name]: 'canary' } }))
  expect(error).toBeInstanceOf(TypeError)
  expect(error.message).toContain(name.toLowerCase())
  expect(error.message).not.toContain('canary')
})

test.each([
  ['a line break in a value', { authorization: 'canary\r\nx-evil: 1' }],
  ['a NUL in a value', { authorization: 'canary\0' }],
  ['a value beyond Latin-1', { authorization: 'canary 東' }],
  ['a value that is no string', { authorization: ['canary'] }],
  ['a value as its name', { 'Authorization: Bearer canary': '' }],
  ['an empty name', { '': 'canary' }],
  ['a name twice', { 'X-Token': 'canary', 'x-token': 'canary' }],
  ['pairs', [['authorization', 'canary']]],
  ['a string', 'authorization: canary'],
])('refuses headers with %s, without printing it', (_, headers) => {
  const error = errorOf(() => webhookSink(URL_OK, { headers } as never))
  expect(error).toBeInstanceOf(TypeError)
  expect(inspect(error)).not.toContain('canary')
})

test('a secret that is there but undefined is refused, not left out', () => {
  expect(() => webhookSink(URL_OK, { secret: undefined } as never)).toThrow('secret: expected a string')
  expect(readWebhook(URL_OK, { name: undefined, timeoutMs: undefined })).toEqual(readWebhook(URL_OK, {}))
})

test('later changes of what was passed change nothing', () => {
  const headers = { authorization: 'Bearer x' }
  const settings = readWebhook(URL_OK, { headers })
  headers.authorization = 'Bearer y'
  expect(settings.headers).toEqual([['authorization', 'Bearer x']])
})

test('shows nothing of its settings when it is printed', () => {
  const sink = webhookSink('https://alerts.example.com/canary', {
    headers: { authorization: 'canary' },
    secret: `whsec_${Buffer.from('canary'.repeat(4)).toString('base64')}`,
  })
  const printed = inspect(sink, { showHidden: true, depth: 9 }) + JSON.stringify(sink)
  expect(printed).not.toMatch(/canary|Y2FuYXJ5/)
})

test('says so where there is no fetch', () => {
  vi.stubGlobal('fetch', undefined)
  expect(() => webhookSink(URL_OK)).toThrow(expect.objectContaining({ code: 'ERR_RUNTIME_UNSUPPORTED' }))
  webhookSink(URL_OK, { fetch: vi.fn() })
})
