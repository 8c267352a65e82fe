import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { type ApprovalRequest, defineTool } from 'writ'
import { type ApprovalFetch, type WebhookApprovalOptions, webhookApproval } from 'writ/approvals'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { bench } from '../support/agents.js'

const SECRET = `whsec_${Buffer.from('k'.repeat(32)).toString('base64')}`
const URL_ = 'https://approvals.example.com/writ'

interface Asked {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: string
  readonly request: ApprovalRequest
  readonly id: string
}

/** How a request is answered: JSON to sign, a whole response, or an error. */
type Reply = (asked: Asked) => unknown

function sign(id: string, timestampS: number, body: string, secret = 'k'.repeat(32)): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestampS}.${body}`).digest('base64')}`
}

/** A signed answer. */
function signed(
  asked: Asked,
  clock: FakeClock,
  answer: unknown,
  change: Record<string, string> = {},
): Response {
  const body = typeof answer === 'string' ? answer : JSON.stringify(answer)
  const id = `answer_${asked.id}`
  const timestampS = Math.floor(clock.nowMs() / 1000)
  return new Response(body, {
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': sign(id, timestampS, body),
      ...change,
    },
  })
}

function desk(replies: readonly Reply[], options: Partial<WebhookApprovalOptions> = {}, more: object = {}) {
  const clock = fakeClock()
  const asked: Asked[] = []
  let request: ApprovalRequest | undefined
  const fetch: ApprovalFetch = async (url, init) => {
    if (init.method === 'POST') request = JSON.parse(String(init.body)).request
    const headers = new Headers(init.headers)
    const id = String(headers.get('webhook-id')).replace(/^poll_/, '')
    const one: Asked = {
      url,
      method: init.method,
      headers,
      body: init.body ?? '',
      request: request as never,
      id,
    }
    asked.push(one)
    const reply = await replies[Math.min(asked.length, replies.length) - 1]?.(one)
    return (reply instanceof Response ? reply : signed(one, clock, reply)) as never
  }
  const made = bench({
    budget: { toolCalls: 5, denials: 5 },
    clock,
    approve: webhookApproval(URL_, { secret: SECRET, clock, fetch, ...options }),
    tools: {
      refund: defineTool({
        inputSchema: z.object({ amount: z.number() }),
        approval: 'always',
        redact: (input) => input,
        execute: () => 'refunded',
      }),
    },
    ...more,
  })
  /** The outcome of a call, with time going by until there is one. */
  const run = async (): Promise<unknown> => {
    let result: unknown
    const done = made.agent
      .session('alice', (s) => s.dispatch({ name: 'refund', input: { amount: 5 } }))
      .then((value) => {
        result = value
      })
    for (let second = 0; second < 400 && result === undefined; second++) await clock.advance(1000)
    await done
    return result
  }
  return { ...made, clock, asked, run }
}

const yes = ({ request }: Asked): object => ({ approved: true, by: 'marta', digest: request.digest })

describe('the endpoint', () => {
  test('is sent a signed request, and its signed answer counts', async () => {
    const made = desk([yes], { headers: { authorization: 'Bearer x' } })
    expect(await made.run()).toEqual({ ok: true, output: 'refunded' })
    const [one] = made.asked
    expect(one).toMatchObject({ url: URL_, method: 'POST' })
    expect(one?.headers.get('authorization')).toBe('Bearer x')
    const timestampS = Number(one?.headers.get('webhook-timestamp'))
    expect(one?.headers.get('webhook-signature')).toBe(sign(String(one?.id), timestampS, String(one?.body)))
    expect(one?.id).toMatch(/^[0-9A-Z]{26}_1$/)
    expect(JSON.parse(String(one?.body))).toMatchObject({
      type: 'approval.requested',
      request: { tool: 'refund', input: { amount: 5 }, user: 'alice', digest: one?.request.digest },
    })
    expect(made.payloads('approval_requested')).toMatchObject([{ handler: 'webhook' }])
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: 'approved', by: 'marta' }])
  })

  test.each<[string, (asked: Asked, clock: FakeClock) => unknown, string]>([
    ['a no', (asked) => ({ ...yes(asked), approved: false }), 'approval_denied'],
    ['no digest', () => ({ approved: true, by: 'marta' }), 'approval_mismatch'],
    [
      'the digest of another call',
      (asked) => ({ ...yes(asked), digest: 'f'.repeat(64) }),
      'approval_mismatch',
    ],
    ['the agent', (asked) => ({ ...yes(asked), by: 'test-bot/v1' }), 'approval_by_agent'],
    ['an expired yes', (asked) => ({ ...yes(asked), expiresAt: 5 }), 'approval_expired'],
    ['a member too many', (asked) => ({ ...yes(asked), id: 1 }), 'approval_error'],
    ['a text', () => 'yes', 'approval_error'],
    ['a list', () => [], 'approval_error'],
    ['nothing to poll', (asked) => ({ pending: true, digest: asked.request.digest }), 'approval_error'],
    [
      'no signature',
      (asked, clock) => signed(asked, clock, yes(asked), { 'webhook-signature': '' }),
      'approval_error',
    ],
    [
      'the signature of somebody else',
      (asked, clock) =>
        signed(asked, clock, yes(asked), {
          'webhook-signature': sign(
            `answer_${asked.id}`,
            Math.floor(clock.nowMs() / 1000),
            JSON.stringify(yes(asked)),
            'x'.repeat(32),
          ),
        }),
      'approval_error',
    ],
    [
      'an answer to another request',
      (asked, clock) => signed({ ...asked, id: 'other_1' }, clock, yes(asked)),
      'approval_mismatch',
    ],
    [
      'the request itself, sent back',
      (asked) =>
        new Response(asked.body, {
          headers: {
            'webhook-id': asked.id,
            'webhook-timestamp': String(asked.headers.get('webhook-timestamp')),
            'webhook-signature': String(asked.headers.get('webhook-signature')),
          },
        }),
      'approval_mismatch',
    ],
    [
      'the id of the answer left out',
      (asked, clock) => {
        const { headers } = asked
        void clock
        return new Response(JSON.stringify(yes(asked)), {
          headers: {
            'webhook-timestamp': String(headers.get('webhook-timestamp')),
            'webhook-signature': String(headers.get('webhook-signature')),
          },
        })
      },
      'approval_error',
    ],
    [
      'an answer signed too long ago',
      (asked, clock) => {
        const body = JSON.stringify(yes(asked))
        const timestampS = Math.floor(clock.nowMs() / 1000) - 301
        return signed(asked, clock, body, {
          'webhook-timestamp': String(timestampS),
          'webhook-signature': sign(`answer_${asked.id}`, timestampS, body),
        })
      },
      'approval_expired',
    ],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example.com' } }),
      'approval_error',
    ],
    ['a refusal', () => new Response(null, { status: 403 }), 'approval_error'],
    ['an answer without end', (asked) => ({ ...yes(asked), reason: 'x'.repeat(70_000) }), 'approval_error'],
    ['an error that lasts', () => new Response(null, { status: 503 }), 'approval_unavailable'],
    ['no connection', () => Promise.reject(new TypeError('fetch failed')), 'approval_unavailable'],
    ['no answer at all', () => new Promise(() => undefined), 'approval_unavailable'],
  ])('that answers with %s denies', async (_, reply, reason) => {
    const made: ReturnType<typeof desk> = desk([(asked) => reply(asked, made.clock)])
    expect(await made.run()).toMatchObject({ ok: false, denial: { reason } })
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: reason }])
    expect(made.clock.timers).toBe(0)
  })

  test('that fails for a moment is asked again, under the same id', async () => {
    const made = desk([
      () => new Response(null, { status: 503 }),
      () => Promise.reject(new TypeError('reset')),
      yes,
    ])
    expect(await made.run()).toMatchObject({ ok: true })
    expect(made.asked).toHaveLength(3)
    expect(new Set(made.asked.map(({ id }) => id)).size).toBe(1)
  })

  test('may sign with several keys, as Standard Webhooks has it', async () => {
    const made: ReturnType<typeof desk> = desk([
      (asked) => {
        const response = signed(asked, made.clock, yes(asked))
        response.headers.set('webhook-signature', `v1,b2xk ${response.headers.get('webhook-signature')}`)
        return response
      },
    ])
    expect(await made.run()).toMatchObject({ ok: true })
  })
})

describe('polling', () => {
  const later =
    (poll: string): Reply =>
    ({ request }) => ({ pending: true, poll, digest: request.digest })

  test('goes on until there is an answer', async () => {
    const poll = 'https://approvals.example.com/writ/1'
    const made = desk(
      [
        later(poll),
        ({ request }) => ({ pending: true, digest: request.digest }),
        () => new Response(null, { status: 502 }),
        yes,
      ],
      {
        headers: { authorization: 'Bearer x' },
      },
    )
    expect(await made.run()).toMatchObject({ ok: true })
    expect(made.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST ${URL_}`,
      `GET ${poll}`,
      `GET ${poll}`,
      `GET ${poll}`,
    ])
    const [, one] = made.asked
    expect(one?.headers.get('authorization')).toBe('Bearer x')
    expect(one?.headers.get('webhook-id')).toBe(`poll_${one?.id}`)
    expect(one?.headers.get('webhook-signature')).toBe(
      sign(`poll_${one?.id}`, Number(one?.headers.get('webhook-timestamp')), ''),
    )
  })

  test('ends when nobody waits any more', async () => {
    const made = desk([later(URL_)], {}, { approvalTimeoutMs: 30_000 })
    expect(await made.run()).toMatchObject({ denial: { reason: 'approval_timeout' } })
    const { length } = made.asked
    await made.clock.advance(60_000)
    expect(made.asked).toHaveLength(length)
    expect(made.clock.timers).toBe(0)
  })

  test.each([
    'https://evil.example.com/writ',
    'http://approvals.example.com/writ',
    'https://approvals.example.com:444/writ',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    '/writ/1',
    '',
    'https://user:password@approvals.example.com/writ',
  ])('never goes to %s', async (poll) => {
    const made = desk([later(poll), yes])
    expect(await made.run()).toMatchObject({ denial: { reason: 'approval_error' } })
    expect(made.asked).toHaveLength(1)
  })

  test('goes to another origin where that is allowed, without the headers for the first', async () => {
    const poll = 'https://other.example.com/1'
    const made = desk([later(poll), yes], {
      pollOrigins: ['https://other.example.com'],
      headers: { authorization: 'Bearer x' },
    })
    expect(await made.run()).toMatchObject({ ok: true })
    expect(made.asked[1]?.headers.get('authorization')).toBe(null)
  })
})

test('over a real connection, with the library of Standard Webhooks on the other side', async () => {
  const webhook = new Webhook(SECRET)
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const asked = webhook.verify(body, request.headers as Record<string, string>) as {
      request: ApprovalRequest
    }
    const answer = JSON.stringify({ approved: true, by: 'marta', digest: asked.request.digest })
    const id = `answer_${request.headers['webhook-id']}`
    const now = new Date()
    response
      .writeHead(200, {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': webhook.sign(id, now, answer),
      })
      .end(answer)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.writeHead(401).end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const ask = (secret: string) =>
      bench({
        budget: { toolCalls: 1 },
        approve: webhookApproval(`http://127.0.0.1:${port}/`, { secret }),
        tools: {
          refund: defineTool({ inputSchema: z.object({}), approval: 'always', execute: () => 'refunded' }),
        },
      }).agent.session('alice', (s) => s.dispatch({ name: 'refund', input: {} }))
    expect(await ask(SECRET)).toEqual({ ok: true, output: 'refunded' })
    expect(await ask(`whsec_${Buffer.from('x'.repeat(32)).toString('base64')}`)).toMatchObject({
      denial: { reason: 'approval_error' },
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test.each<[string, unknown, unknown, string]>([
  ['another scheme', 'http://approvals.example.com', { secret: SECRET }, 'https:'],
  ['credentials', 'https://a:b@approvals.example.com', { secret: SECRET }, 'credentials'],
  ['no options', URL_, undefined, 'options object'],
  ['the secret alone', URL_, SECRET, 'options object'],
  ['no secret', URL_, {}, 'secret'],
  ['a short secret', URL_, { secret: 'c2hvcnQ=' }, 'secret'],
  ['an unknown option', URL_, { secret: SECRET, retry: 1 }, 'unknown option retry'],
  ['a time of 0', URL_, { secret: SECRET, timeoutMs: 0 }, 'timeoutMs'],
  ['attempts of 0', URL_, { secret: SECRET, maxAttempts: 0 }, 'maxAttempts'],
  ['an origin that is none', URL_, { secret: SECRET, pollOrigins: ['x'] }, 'pollOrigins'],
  ['origins that are no list', URL_, { secret: SECRET, pollOrigins: 'https://x.example.com' }, 'pollOrigins'],
  ['a header that is reserved', URL_, { secret: SECRET, headers: { 'webhook-id': '1' } }, 'webhook-id'],
])('%s is refused, without showing the secret', (_, url, options, message) => {
  let error: unknown
  try {
    webhookApproval(url as string, options as never)
  } catch (thrown) {
    error = thrown
  }
  expect(String(error)).toContain(message)
  expect(String(error)).not.toContain(SECRET)
})
