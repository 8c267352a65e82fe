import { describe, expect, test } from 'vitest'
import {
  type ApprovalAnswer,
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
  defineTool,
} from 'writ'
import * as z from 'zod'
import { bench, rejection } from '../support/agents.js'
import { clean, gate, pollute, raise, thenable, turn } from '../support/tools.js'

const amount = z.object({ amount: z.number() })

/** A tool that needs an approval, an agent that asks `approve`, and what became of it all. */
function desk(approve: ApprovalHandler | undefined, more: object = {}, tool: object = {}) {
  const ran: unknown[] = []
  const made = bench({
    budget: { toolCalls: 3, denials: 5 },
    tools: {
      refund: defineTool({
        inputSchema: amount,
        approval: 'always',
        redact: (input) => ({ amount: input.amount }),
        execute: (input) => {
          ran.push(input)
          return `refunded ${input.amount}`
        },
        ...tool,
      }),
    },
    ...(approve === undefined ? {} : { approve }),
    ...more,
  })
  const events = (): string[] =>
    made
      .records()
      .map(({ event }) => event)
      .filter((event) => /^(tool|approval)_/.test(event))
  return { ...made, ran, events }
}

const yes: ApprovalAnswer = { approved: true, by: 'marta' }
const call = { name: 'refund', input: { amount: 5 } }

describe.each(['async', 'sync'] as const)('in a session that is %s', (kind) => {
  /** What a dispatch comes to in a session of this kind. */
  const run = async (made: ReturnType<typeof desk>, request: { name: string; input: unknown } = call) =>
    kind === 'async'
      ? made.agent.session('alice', (s) => s.dispatch(request), { task: 'refund' })
      : made.agent.sessionSync('alice', (s) => s.dispatch(request), { task: 'refund' })

  test('a call runs once somebody approved it', async () => {
    const seen: ApprovalRequest[] = []
    const made = desk((request) => {
      seen.push(request)
      return { ...yes, reason: 'a good customer' }
    })
    expect(await run(made)).toEqual({ ok: true, output: 'refunded 5' })
    const [start] = made.records().filter(({ event }) => event === 'session_start')
    const id = `${start?.session_id}.1`
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/)
    expect(seen).toEqual([
      {
        id,
        tool: 'refund',
        input: { amount: 5 },
        user: 'alice',
        task: 'refund',
        sessionId: start?.session_id,
        agent: 'test-bot/v1',
        principal: start?.principal,
        digest,
        requestedAt: made.clock.nowMs(),
        expiresAt: made.clock.nowMs() + 300_000,
      },
    ])
    expect(Object.isFrozen(seen[0]) && Object.isFrozen(seen[0]?.input)).toBe(true)
    expect(made.events()).toEqual(['approval_requested', 'approval_decided', 'tool_call', 'tool_result'])
    expect(made.payloads('approval_requested')).toEqual([
      {
        call_id: id,
        tool: 'refund',
        digest: seen[0]?.digest,
        handler: 'callback',
        expires_at: '2026-01-01T00:05:00.000Z',
        args: { amount: 5 },
      },
    ])
    expect(made.payloads('approval_decided')).toEqual([
      {
        call_id: id,
        digest: seen[0]?.digest,
        outcome: 'approved',
        by: 'marta',
        reason: 'a good customer',
        waited_ms: 0,
        excluded_ms: 0,
      },
    ])
  })

  const junk: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['a text', 'yes'],
    ['an empty object', {}],
    ['a yes that is a text', { approved: 'yes', by: 'marta' }],
    ['a yes that is a number', { approved: 1, by: 'marta' }],
    ['a yes by nobody', { approved: true }],
    ['a yes by an empty name', { approved: true, by: '' }],
    ['a yes by a number', { approved: true, by: 7 }],
    ['a yes by a name with a line break', { approved: true, by: 'mar\nta' }],
    ['a member that is not known', { ...yes, aproved: true }],
    ['a reason that is no text', { ...yes, reason: 5 }],
    ['an expiry that is no number', { ...yes, expiresAt: 'tomorrow' }],
    ['an expiry that is NaN', { ...yes, expiresAt: Number.NaN }],
    ['a digest that is no text', { ...yes, digest: 5 }],
    [
      'an instance of a class',
      new (class Answer {
        approved = true
        by = 'marta'
      })(),
    ],
    ['an inherited answer', Object.create(yes)],
    [
      'a getter that throws',
      Object.defineProperty({ by: 'marta' }, 'approved', {
        enumerable: true,
        get: () => {
          throw new TypeError('no')
        },
      }),
    ],
  ]
  test.each(junk)('%s is no answer', async (_, answer) => {
    const made = desk(() => answer as never)
    expect(await run(made)).toMatchObject({ ok: false, denial: { reason: 'approval_error' } })
    expect(made.ran).toEqual([])
    expect(made.events()).toEqual(['approval_requested', 'approval_decided', 'tool_denied'])
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: 'approval_error' }])
  })

  test.each<[string, unknown, string]>([
    ['a no', { approved: false, by: 'marta' }, 'approval_denied'],
    ['another digest', { ...yes, digest: '0'.repeat(64) }, 'approval_mismatch'],
    ['an expiry in the past', { ...yes, expiresAt: 1 }, 'approval_expired'],
    ['the agent', { approved: true, by: 'test-bot/v1' }, 'approval_by_agent'],
    ['the agent in capitals', { approved: true, by: ' Test-Bot/V1 ' }, 'approval_by_agent'],
    ['the agent as another principal', { approved: true, by: 'test-bot/v1@01ABC' }, 'approval_by_agent'],
  ])('%s denies by name', async (_, answer, reason) => {
    const made = desk(() => answer as never)
    expect(await run(made)).toMatchObject({ ok: false, denial: { reason } })
    expect(made.ran).toEqual([])
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: reason }])
    expect(made.payloads('tool_denied')).toMatchObject([{ reason, args: { amount: 5 } }])
    expect(made.records().at(-1)?.budget).toMatchObject({ tool_calls: 0, denials: 1 })
  })

  test('what a polluted prototype answers does not count', async () => {
    const made = desk(() => ({}) as never)
    const lent = { approved: true, by: 'marta' }
    pollute(lent)
    try {
      expect(await run(made)).toMatchObject({ ok: false, denial: { reason: 'approval_error' } })
    } finally {
      clean(lent)
    }
    expect(made.ran).toEqual([])
  })

  test('the principal of the session cannot approve, nor can the agent of a session around it', async () => {
    const own = desk((request) => ({ approved: true, by: request.principal }))
    expect(await run(own)).toMatchObject({ denial: { reason: 'approval_by_agent' } })
    const inner = desk(() => ({ approved: true, by: 'boss/v1' }), {})
    const outer = bench({ identity: 'boss/v1', budget: { toolCalls: 1 } })
    expect(await outer.agent.session('alice', () => run(inner))).toMatchObject({
      denial: { reason: 'approval_by_agent' },
    })
  })

  test.each<[string, () => never, string]>([
    [
      'an error',
      () => {
        throw new RangeError('boom')
      },
      'approval_error',
    ],
    [
      'undefined',
      () => {
        raise(undefined)
      },
      'approval_error',
    ],
    [
      'that nobody is there',
      () => {
        throw new ApprovalFailure('approval_unavailable', 'no')
      },
      'approval_unavailable',
    ],
    [
      'a reason that is none',
      () => {
        throw new ApprovalFailure('approval_fine' as never, 'no')
      },
      'approval_error',
    ],
  ])('a handler that throws %s denies', async (_, approve, reason) => {
    const made = desk(approve)
    expect(await run(made)).toMatchObject({ ok: false, denial: { reason } })
    expect(made.ran).toEqual([])
  })

  test('without a handler the call is denied, and nobody is said to have been asked', async () => {
    const made = desk(undefined)
    expect(await run(made)).toMatchObject({ denial: { reason: 'approval_unavailable' } })
    expect(made.events()).toEqual(['tool_denied'])
  })

  test('a handler that blocks past its time is too late', async () => {
    const made: ReturnType<typeof desk> = desk(
      () => {
        made.clock.block(100)
        return yes
      },
      { approvalTimeoutMs: 100 },
    )
    expect(await run(made)).toMatchObject({ denial: { reason: 'approval_timeout' } })
    expect(made.ran).toEqual([])
  })

  test('the time of an approval that runs out while its intent is written has run out', async () => {
    const made: ReturnType<typeof desk> = desk(
      () => ({ ...yes, expiresAt: made.clock.nowMs() + 10 }),
      {},
      {
        redact: (input: { amount: number }) => input,
      },
    )
    const log = made.agent
    void log
    const original = made.clock.monotonicMs
    // The clock moves while the intent goes to the log.
    let asked = 0
    const sink = made.lines
    Object.defineProperty(made.clock, 'monotonicMs', {
      value: () => {
        if (sink().some((line) => line.includes('"event":"tool_call"')) && asked++ === 0) made.clock.block(10)
        return original()
      },
    })
    expect(await run(made)).toMatchObject({ denial: { reason: 'approval_expired' } })
    expect(made.ran).toEqual([])
    expect(made.events()).toEqual([
      'approval_requested',
      'approval_decided',
      'tool_call',
      'tool_result',
      'tool_denied',
    ])
    expect(made.payloads('tool_result')).toMatchObject([
      { ok: false, effect: 'none', error: { name: 'ToolNotPermitted', code: 'ERR_TOOL_NOT_PERMITTED' } },
    ])
  })

  test('a rule asks only where it says so; `when` comes first', async () => {
    const order: string[] = []
    const made = desk(
      () => {
        order.push('asked')
        return yes
      },
      {},
      {
        when: (input: { amount: number }) => {
          order.push('when')
          return input.amount > 0
        },
        approval: (input: { amount: number }) => {
          order.push('rule')
          return input.amount > 3
        },
      },
    )
    expect(await run(made, { name: 'refund', input: { amount: 1 } })).toMatchObject({ ok: true })
    expect(await run(made, { name: 'refund', input: { amount: 5 } })).toMatchObject({ ok: true })
    expect(await run(made, { name: 'refund', input: { amount: 0 } })).toMatchObject({
      denial: { reason: 'predicate_false' },
    })
    expect(order).toEqual(['when', 'rule', 'when', 'rule', 'asked', 'when'])
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new RangeError('boom')
      },
    ],
    ['says nothing', () => undefined],
    ['says null', () => null],
    ['says 0', () => 0],
    ['says a text', () => 'no'],
  ])('a rule that %s denies', async (_, approval) => {
    const made = desk(() => yes, {}, { approval })
    expect(await run(made)).toMatchObject({ denial: { reason: 'approval_error' } })
    expect(made.ran).toEqual([])
    expect(made.events()).toEqual(['tool_denied'])
  })

  test('what the person was shown is what the log shows, although redact changes its mind', async () => {
    let shown = 0
    const seen: unknown[] = []
    const made = desk(
      (request) => {
        seen.push(request.input)
        return yes
      },
      {},
      { redact: () => ({ shown: ++shown }) },
    )
    await run(made)
    expect(seen).toEqual([{ shown: 1 }])
    expect(made.payloads('approval_requested')).toMatchObject([{ args: { shown: 1 } }])
    expect(made.payloads('tool_call')).toMatchObject([{ args: { shown: 1 } }])
  })

  test('a name that is no member is withheld from the person as from the log', async () => {
    const seen: unknown[] = []
    const made = desk(
      (request) => {
        seen.push(request.input)
        return yes
      },
      {},
      { redact: undefined, inputSchema: z.looseObject({ amount: z.number() }) },
    )
    await run(made, { name: 'refund', input: { amount: 5, secret: 1 } })
    expect(seen).toEqual([['amount']])
    expect(made.payloads('approval_requested')).toMatchObject([{ args: ['amount'], args_withheld: 1 }])
  })

  test('nobody is asked about a call that maxCalls refuses', async () => {
    let asked = 0
    const made = desk(
      () => {
        asked += 1
        return yes
      },
      {},
      { maxCalls: 0 },
    )
    expect(await run(made)).toMatchObject({ denial: { reason: 'max_calls' } })
    expect(asked).toBe(0)
  })

  test('a session that the handler lets die runs nothing', async () => {
    const made = desk(() => yes)
    const stop = new AbortController()
    const inside = desk(() => {
      stop.abort(new RangeError('enough'))
      return yes
    })
    const open = { signal: stop.signal }
    const failure = await rejection(
      (async () =>
        kind === 'async'
          ? inside.agent.session('alice', (s) => s.dispatch(call), open)
          : inside.agent.sessionSync('alice', (s) => s.dispatch(call), open))(),
    )
    expect(failure).toBeInstanceOf(RangeError)
    expect(inside.ran).toEqual([])
    expect(inside.events()).toEqual(['approval_requested', 'approval_decided', 'tool_denied'])
    expect(inside.payloads('approval_decided')).toMatchObject([{ outcome: 'aborted' }])
    void made
  })

  test('authorize says that an approval is needed, and asks nobody', async () => {
    let asked = 0
    const made = desk(() => {
      asked += 1
      return yes
    })
    const decision =
      kind === 'async'
        ? await made.agent.session('alice', (s) => s.authorize('refund', call.input))
        : made.agent.sessionSync('alice', (s) => s.authorize('refund', call.input))
    expect(decision).toEqual({ allowed: true, tool: 'refund', needsApproval: true })
    expect(asked).toBe(0)
    expect(made.events()).toEqual([])
  })
})

describe('an asynchronous session', () => {
  test('waits for an answer and takes the first one', async () => {
    const answer = gate<ApprovalAnswer>()
    const made = desk(() => answer.promise)
    const done = made.agent.session('alice', (s) => s.callTool('refund', { amount: 5 }))
    await made.clock.advance(1000)
    expect(made.ran).toEqual([])
    answer.open(yes)
    expect(await done).toBe('refunded 5')
    expect(made.payloads('approval_decided')).toMatchObject([{ waited_ms: 1000, excluded_ms: 0 }])
    expect(made.clock.timers).toBe(0)
  })

  test('a thenable that answers twice answers once', async () => {
    const made = desk(() =>
      thenable<ApprovalAnswer>((resolve) => {
        resolve({ approved: false, by: 'marta' })
        resolve(yes)
      }),
    )
    const denial = await made.agent.session('alice', (s) => s.dispatch(call))
    expect(denial).toMatchObject({ denial: { reason: 'approval_denied' } })
  })

  test.each<[string, () => Promise<never>, string]>([
    ['rejects', () => Promise.reject(new RangeError('boom')), 'approval_error'],
    [
      'rejects by name',
      () => Promise.reject(new ApprovalFailure('approval_unavailable', 'x')),
      'approval_unavailable',
    ],
  ])('a handler that %s denies', async (_, approve, reason) => {
    const made = desk(approve)
    expect(await made.agent.session('alice', (s) => s.dispatch(call))).toMatchObject({ denial: { reason } })
  })

  test('a rule may be a promise', async () => {
    const made = desk(() => yes, {}, { approval: async () => true })
    expect(await made.agent.session('alice', (s) => s.dispatch(call))).toMatchObject({ ok: true })
    expect(made.events()[0]).toBe('approval_requested')
    const broken = desk(() => yes, {}, { approval: async () => Promise.reject(new RangeError('no')) })
    expect(await broken.agent.session('alice', (s) => s.dispatch(call))).toMatchObject({
      denial: { reason: 'approval_error' },
    })
  })

  test('nobody is asked on behalf of a session that died while its rule was thinking', async () => {
    const rule = gate<boolean>()
    let asked = 0
    const made = desk(
      () => {
        asked += 1
        return yes
      },
      { budget: { toolCalls: 1 } },
      { approval: (input: { amount: number }) => input.amount > 3 && rule.promise },
    )
    const small = { name: 'refund', input: { amount: 1 } }
    const done = made.agent.session('alice', async (s) => {
      const pending = s.dispatch(call)
      await s.dispatch(small)
      await rejection(s.dispatch(small))
      rule.open(true)
      return pending
    })
    expect(await rejection(done)).toMatchObject({ limit: 'toolCalls' })
    expect(asked).toBe(0)
    expect(made.payloads('approval_requested')).toEqual([])
  })

  test('nobody who answers too late is heard; the signal says so', async () => {
    const answer = gate<ApprovalAnswer>()
    let signal: AbortSignal | undefined
    const made = desk(
      (_, context) => {
        signal = context.signal
        return answer.promise
      },
      { approvalTimeoutMs: 50 },
    )
    await made.agent.session('alice', async (s) => {
      const pending = s.dispatch(call)
      await made.clock.advance(49)
      expect(signal?.aborted).toBe(false)
      await made.clock.advance(1)
      expect(await pending).toMatchObject({ denial: { reason: 'approval_timeout' } })
      expect(signal?.aborted).toBe(true)
      answer.open(yes)
      await turn()
    })
    expect(made.ran).toEqual([])
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: 'approval_timeout', waited_ms: 50 }])
  })

  test.each(['the session', 'the call'])(
    "is cancelled with %s, and a late rejection is nobody's",
    async (what) => {
      const answer = gate<ApprovalAnswer>()
      let signal: AbortSignal | undefined
      const made = desk((_, context) => {
        signal = context.signal
        return answer.promise
      })
      const stop = new AbortController()
      const reason = new RangeError('gone')
      const done =
        what === 'the session'
          ? made.agent.session('alice', (s) => s.dispatch(call), { signal: stop.signal })
          : made.agent.session('alice', (s) => s.dispatch(call, { signal: stop.signal }))
      await turn()
      stop.abort(reason)
      expect(await rejection(done)).toBe(reason)
      expect(signal?.reason).toBe(reason)
      answer.fail(new RangeError('too late'))
      await turn()
      expect(made.ran).toEqual([])
      expect(made.events()).toEqual(['approval_requested', 'approval_decided', 'tool_denied'])
      expect(made.payloads('tool_denied')).toMatchObject([{ reason: 'aborted', args: { amount: 5 } }])
      expect(made.clock.timers).toBe(0)
    },
  )

  test('the clock of the session runs while it waits', async () => {
    const made = desk(() => new Promise(() => undefined), { budget: { wallMs: 100 } })
    const done = made.agent.session('alice', (s) => s.dispatch(call))
    const failed = rejection(done)
    await made.clock.advance(100)
    expect(await failed).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
    expect(made.payloads('approval_decided')).toMatchObject([{ outcome: 'aborted' }])
  })

  test('waiting calls take nothing of the budget, and approved ones no more than there is', async () => {
    const answers: ((answer: ApprovalAnswer) => void)[] = []
    const made = desk(() => new Promise((resolve) => answers.push(resolve)), { budget: { toolCalls: 1 } })
    const done = made.agent.session('alice', async (s) => {
      const calls = [s.dispatch(call), s.dispatch(call)]
      await turn()
      for (const answer of answers) answer(yes)
      return Promise.allSettled(calls)
    })
    expect(await rejection(done)).toMatchObject({ limit: 'toolCalls' })
    expect(made.ran).toHaveLength(1)
  })

  test('a handler that answers one call with the answer to another is refused', async () => {
    const asked: ApprovalRequest[] = []
    const made = desk((request) => {
      asked.push(request)
      return { ...yes, digest: asked[0]?.digest ?? '' }
    })
    await made.agent.session('alice', async (s) => {
      expect(await s.dispatch(call)).toMatchObject({ ok: true })
      expect(await s.dispatch(call)).toMatchObject({ denial: { reason: 'approval_mismatch' } })
    })
    expect(made.ran).toHaveLength(1)
  })
})

test('a synchronous session denies what it would have to wait for', async () => {
  let signal: AbortSignal | undefined
  const made = desk((_, context) => {
    signal = context.signal
    return Promise.reject(new RangeError('late'))
  })
  made.agent.sessionSync('alice', (s) => {
    expect(s.dispatch(call)).toMatchObject({ denial: { reason: 'approval_error' } })
  })
  await turn()
  expect(signal?.aborted).toBe(true)
  expect(made.ran).toEqual([])
})

test.each<[string, object]>([
  ['approve', { approve: 'yes' }],
  ['approvalTimeoutMs', { approvalTimeoutMs: 0 }],
  ['approvalTimeoutMs', { approvalTimeoutMs: Number.NaN }],
  ['approvalPausesWallMs', { approvalPausesWallMs: 'no' }],
  ['approvalSecret', { approvalSecret: 'short' }],
  ['approvalSecret', { approvalSecret: 5 }],
  ['approvalTokenTtlMs', { approvalTokenTtlMs: -1 }],
  ['approvalStore', { approvalStore: {} }],
  ['approve.kind', { approve: Object.assign(() => yes, { kind: 'a b' }) }],
])('an option %s that is not usable is refused by name', (name, options) => {
  expect(() => desk(undefined, options)).toThrow(name)
})

test('an approval that is neither a rule nor always is refused', () => {
  expect(() => defineTool({ inputSchema: amount, approval: 'never' as never, execute: () => 1 })).toThrow(
    "defineTool.approval: expected 'always' or a function",
  )
})
