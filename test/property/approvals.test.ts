/**
 * Whatever handlers answer, in whatever order, however late, and whatever becomes of calls meanwhile: no tool
 * runs without an answer for its very call that says yes, in time, still valid, used once, and by somebody
 * who is not the agent. Judged from the log and from what was answered, not by the code under test.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agent, type ApprovalAnswer, type ApprovalRequest, AuditSink, defineTool } from 'writ'
import { type FakeClock, fakeClock } from 'writ/testing'
import * as z from 'zod'
import { turn } from '../support/tools.js'

const TIMEOUT_MS = 100
const SECRET = 'a secret of at least thirty-two bytes, for tests'

/** One answer: what it says, when, and for which of the requests so far it was meant. */
interface Answer {
  readonly approved: unknown
  readonly by: unknown
  readonly expiresInMs: number | undefined
  readonly digestOf: 'none' | 'this' | 'first' | 'other'
  readonly afterMs: number
  readonly how: 'answer' | 'throw' | 'never'
}

const answer: fc.Arbitrary<Answer> = fc.record({
  approved: fc.oneof(
    { weight: 6, arbitrary: fc.constant(true) },
    fc.constantFrom<unknown>(false, 'true', 1, null),
  ),
  by: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<unknown>('marta', 'jo') },
    fc.constantFrom<unknown>('bot/v1', 'BOT/v1', 'principal', '', undefined, 7),
  ),
  expiresInMs: fc.oneof(fc.constant(undefined), fc.integer({ min: -5, max: 60 })),
  digestOf: fc.constantFrom('none', 'this', 'this', 'first', 'other'),
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 150 })),
  how: fc.oneof(
    { weight: 8, arbitrary: fc.constant('answer' as const) },
    fc.constantFrom('throw' as const, 'never' as const),
  ),
})

/** Was this a yes to that request, at that moment? A second reading of the rules. */
function isYes(given: Answer, request: ApprovalRequest, first: ApprovalRequest, waitedMs: number): boolean {
  const bound =
    given.digestOf === 'none' ||
    given.digestOf === 'this' ||
    (given.digestOf === 'first' && first === request)
  return (
    given.how === 'answer' &&
    given.approved === true &&
    (given.by === 'marta' || given.by === 'jo') &&
    bound &&
    waitedMs < TIMEOUT_MS &&
    (given.expiresInMs === undefined || given.expiresInMs > 0)
  )
}

function answerTo(
  given: Answer,
  request: ApprovalRequest,
  first: ApprovalRequest,
  clock: FakeClock,
): ApprovalAnswer {
  const digest = { none: undefined, this: request.digest, first: first.digest, other: '0'.repeat(64) }[
    given.digestOf
  ]
  return {
    approved: given.approved as boolean,
    by: (given.by === 'principal' ? request.principal : given.by) as string,
    ...(given.expiresInMs === undefined ? {} : { expiresAt: clock.nowMs() + given.expiresInMs }),
    ...(digest === undefined ? {} : { digest }),
  }
}

interface Played {
  readonly ran: readonly number[]
  readonly allowed: readonly number[]
  readonly lines: readonly string[]
}

const tool = (ran: number[]) =>
  defineTool({
    inputSchema: z.object({ n: z.int() }),
    approval: 'always',
    redact: ({ n }) => ({ n }),
    execute: ({ n }) => ran.push(n),
  })

function check({ ran, allowed, lines }: Played): void {
  expect([...ran].sort()).toEqual([...allowed].sort())
  const records = lines.map((line) => JSON.parse(line) as { event: string; payload: Record<string, unknown> })
  const decided = new Map<unknown, unknown>()
  for (const { event, payload } of records) {
    if (event === 'approval_decided') decided.set(payload['call_id'], payload['outcome'])
    if (event === 'tool_call') expect(decided.get(payload['call_id'])).toBe('approved')
    if (event === 'tool_denied' && decided.has(payload['call_id'])) {
      expect(payload['reason']).toBe(decided.get(payload['call_id']))
    }
  }
}

test('an asynchronous session runs what was approved, and nothing else', async () => {
  let runs = 0
  let refusals = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(answer, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (answers, pauses) => {
        const clock = fakeClock()
        const sink = AuditSink.memory()
        const ran: number[] = []
        const allowed: number[] = []
        const requests: ApprovalRequest[] = []
        const agent = new Agent({
          identity: 'bot/v1',
          budget: { toolCalls: 20, wallMs: 100_000 },
          tools: { pay: tool(ran) },
          audit: sink,
          clock,
          approvalTimeoutMs: TIMEOUT_MS,
          approvalPausesWallMs: pauses,
          approve: (request) => {
            requests.push(request)
            const first = requests[0] as ApprovalRequest
            const { n } = request.input as { n: number }
            const given = answers[n] as Answer
            const startMs = clock.monotonicMs()
            return new Promise((resolve, reject) => {
              const settle = (): void => {
                if (given.how === 'throw') reject(new RangeError('no'))
                if (given.how !== 'answer') return
                if (isYes(given, request, first, clock.monotonicMs() - startMs)) allowed.push(n)
                resolve(answerTo(given, request, first, clock))
              }
              if (given.afterMs === 0) settle()
              else clock.setTimer(settle, given.afterMs, true)
            })
          },
        })
        await agent.session('alice', async (s) => {
          const calls = answers.map((_, n) => s.dispatch({ name: 'pay', input: { n } }))
          await clock.advance(200)
          await Promise.all(calls)
        })
        await clock.advance(200)
        await agent.close()
        check({ ran, allowed, lines: sink.lines })
        runs += ran.length
        refusals += answers.length - ran.length
      },
    ),
    { numRuns: 150 },
  )
  expect(runs).toBeGreaterThan(20)
  expect(refusals).toBeGreaterThan(20)
})

test('so does a synchronous one', () => {
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 6 }), (answers) => {
      const clock = fakeClock()
      const sink = AuditSink.memory()
      const ran: number[] = []
      const allowed: number[] = []
      const requests: ApprovalRequest[] = []
      const agent = new Agent({
        identity: 'bot/v1',
        budget: { toolCalls: 20 },
        tools: { pay: tool(ran) },
        audit: sink,
        clock,
        approvalTimeoutMs: TIMEOUT_MS,
        approve: (request) => {
          requests.push(request)
          const first = requests[0] as ApprovalRequest
          const { n } = request.input as { n: number }
          const given = answers[n] as Answer
          clock.block(given.afterMs)
          if (given.how === 'throw') throw new RangeError('no')
          if (given.how === 'never') return undefined as never
          if (isYes(given, request, first, given.afterMs)) allowed.push(n)
          return answerTo(given, request, first, clock)
        },
      })
      agent.sessionSync('alice', (s) => {
        for (const n of answers.keys()) s.dispatch({ name: 'pay', input: { n } })
      })
      check({ ran, allowed, lines: sink.lines })
    }),
    { numRuns: 300 },
  )
})

test('a suspended call runs at most once, whatever is decided how often and by whichever agent', async () => {
  const decision = fc.record({ answer, by: fc.constantFrom(0, 1), token: fc.constantFrom(0, 1) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(decision, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (decisions, atOnce) => {
        const clock = fakeClock()
        const ran: number[] = []
        const options = {
          identity: 'bot/v1',
          budget: { toolCalls: 20 },
          tools: { pay: tool(ran) },
          clock,
          approvalSecret: SECRET,
        }
        const agents = [0, 1].map(() => new Agent({ ...options, audit: AuditSink.memory() }))
        const tokens = await Promise.all(
          [0, 1].map(async (n) =>
            agents[0]?.session('alice', async (s) => {
              const result = await s.dispatch({ name: 'pay', input: { n } }, { onApproval: 'suspend' })
              return result.ok ? '' : String(result.pending)
            }),
          ),
        )
        const decided = new Set<number>()
        const allowed: number[] = []
        const waiting: Promise<unknown>[] = []
        const first = agents[0]?.pending(tokens[0] as string) as ApprovalRequest
        for (const { answer: given, by, token } of decisions) {
          const request = agents[0]?.pending(tokens[token] as string) as ApprovalRequest
          const isFirst = token === 0
          const isBound = given.digestOf === 'this' || (given.digestOf === 'first' && isFirst)
          const isBy = typeof given.by === 'string' && given.by !== ''
          const isDecision =
            isBound &&
            isBy &&
            (given.approved === false ||
              isYes({ ...given, how: 'answer', digestOf: 'this' }, request, request, 0))
          if (isDecision && !decided.has(token)) {
            decided.add(token)
            if (given.approved === true) allowed.push(token)
          }
          const resumed = agents[by]?.resume(tokens[token] as string, answerTo(given, request, first, clock))
          waiting.push(Promise.resolve(resumed))
          if (!atOnce) await resumed
        }
        await Promise.all(waiting)
        await turn()
        expect(ran.length).toBe(new Set(ran).size)
        expect([...ran].sort()).toEqual([...allowed].sort())
      },
    ),
    { numRuns: 150 },
  )
})
