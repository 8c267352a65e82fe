import { describe, expect, test } from 'vitest'
import { BudgetExceeded, BudgetReserved, defineTool, type LlmUsage, type Session, UnpricedModel } from 'writ'
import * as z from 'zod'
import { bench, rejection, thrown } from '../support/agents.js'
import { type Gate, gate, turn } from '../support/tools.js'

function usage(costUsd: number, tokens = 0): LlmUsage {
  return { model: 'm', inputTokens: tokens, outputTokens: 0, costUsd }
}

describe('50 parallel model calls of $1 under a $1 limit', () => {
  /** Starts 50 calls at once; the first to run waits for its gate and then costs $0.40. */
  async function rush(s: Session): Promise<{ runs: Gate<string>[]; calls: Promise<string>[] }> {
    const runs: Gate<string>[] = []
    const calls = Array.from({ length: 50 }, () =>
      s.callLlm(
        { model: 'm', maxUsd: 1 },
        () => {
          const run = gate<string>()
          runs.push(run)
          return run.promise
        },
        () => usage(0.4),
      ),
    )
    for (const call of calls) call.catch(() => undefined)
    await turn()
    return { runs, calls }
  }

  test('are one that runs and 49 that are refused without a kill', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', async (s) => {
      const { runs, calls } = await rush(s)
      expect(runs).toHaveLength(1)
      expect(s.state).toBe('open')
      expect(s.signal.aborted).toBe(false)
      expect(s.usage().usd).toBe(0)
      expect(s.remaining().usd).toBe(0)
      runs[0]?.open('answer')
      const settled = await Promise.allSettled(calls)
      expect(settled[0]).toEqual({ status: 'fulfilled', value: 'answer' })
      const refusals = settled
        .slice(1)
        .map((result) => (result.status === 'rejected' ? result.reason : result))
      expect(refusals).toHaveLength(49)
      for (const refusal of refusals) {
        expect(refusal).toBeInstanceOf(BudgetReserved)
        expect(refusal).toMatchObject({
          code: 'ERR_BUDGET_RESERVED',
          limit: 'usd',
          asked: 1,
          left: 0,
          held: 1,
        })
      }
    })
  })

  test('leave room for another of $0.60, and no more, once the one has settled at $0.40', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1 } })
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        const { runs, calls } = await rush(s)
        runs[0]?.open('answer')
        await calls[0]
        expect(s.usage().usd).toBe(0.4)
        expect(s.remaining().usd).toBe(0.6)
        const second = await s.callLlm(
          { model: 'm', maxUsd: 0.6 },
          () => 'again',
          () => usage(0.6),
        )
        expect(second).toBe('again')
        expect(s.state).toBe('open')
        expect(s.usage().usd).toBe(1)
        s.reserve({ usd: 0.000_000_001 })
      }),
    )
    expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd', used: 1, max: 1 })
    expect(payloads('llm_call').map((call) => call['cost_usd'])).toEqual([0.4, 0.6])
  })
})

test('50 parallel model calls of 1,000 tokens under 1,000 tokens: one runs, 49 are refused without a kill', async () => {
  const { agent } = bench({ budget: { tokens: 1000 } })
  await agent.session('alice', async (s) => {
    const run = gate<string>()
    let ran = 0
    const calls = Array.from({ length: 50 }, () =>
      s.callLlm(
        { model: 'm', maxTokens: 1000 },
        () => {
          ran += 1
          return run.promise
        },
        () => usage(0, 400),
      ),
    )
    run.open('answer')
    const settled = await Promise.allSettled(calls)
    expect(ran).toBe(1)
    const refusals = settled
      .filter((result) => result.status === 'rejected')
      .map(({ reason }) => reason as unknown)
    expect(refusals).toHaveLength(49)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        code: 'ERR_BUDGET_RESERVED',
        limit: 'tokens',
        asked: 1000,
        left: 0,
        held: 1000,
      })
    }
    expect(s.usage().tokens).toBe(400)
    s.reserve({ tokens: 600 }).release()
    expect(s.state).toBe('open')
  })
})

describe('what does not fit', () => {
  test('only because of what others hold is refused without a kill, and fits when they let go', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', (s) => {
      s.recordLlm(usage(0.25, 25))
      const held = s.reserve({ usd: 0.5, tokens: 50 })
      const refusal = thrown(() => s.reserve({ usd: 0.75 }))
      expect(refusal).toBeInstanceOf(BudgetReserved)
      expect(refusal).toMatchObject({ limit: 'usd', asked: 0.75, left: 0.25, held: 0.5 })
      expect(thrown(() => s.reserve({ tokens: 26 }))).toMatchObject({
        limit: 'tokens',
        asked: 26,
        left: 25,
        held: 50,
      })
      expect(s.remaining()).toMatchObject({ usd: 0.25, tokens: 25 })
      held.release()
      s.reserve({ usd: 0.75, tokens: 75 }).release()
      expect(s.state).toBe('open')
    })
    expect(payloads('budget_exceeded')).toEqual([])
  })

  test.each([
    ['usd', { usd: 0.750_000_001 }, { used: 0.25, max: 1 }],
    ['tokens', { tokens: 76 }, { used: 25, max: 100 }],
  ] as const)('in what is left of %s itself kills', async (limit, request, fields) => {
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        s.recordLlm(usage(0.25, 25))
        // Held besides: what kills is that it would not fit even when this is given back.
        s.reserve({ usd: 0.5, tokens: 50 })
        thrown(() => s.reserve(request))
      }),
    )
    expect(outcome).toBeInstanceOf(BudgetExceeded)
    expect(outcome).toMatchObject({ limit, ...fields })
  })

  test('leaves nothing held: neither the part that did fit nor anything above', async () => {
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', (s) => {
      const held = s.reserve({ tokens: 100 })
      expect(thrown(() => s.reserve({ usd: 1, tokens: 1 }))).toMatchObject({ limit: 'tokens' })
      expect(s.remaining().usd).toBe(1)
      held.release()
      expect(s.remaining()).toMatchObject({ usd: 1, tokens: 100 })
    })
  })

  test('of model calls is refused before the model is called', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const outcome = await rejection(
      agent.session('alice', (s) =>
        s.callLlm(
          { model: 'm', maxUsd: 1.5 },
          () => expect.fail('it was called'),
          () => usage(0),
        ),
      ),
    )
    expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd' })
  })
})

describe('what a model call may cost', () => {
  const prices = { m: { inputUsdPerMTok: 1, outputUsdPerMTok: 4 } }

  test('is the dearest price of maxTokens, when it does not say', async () => {
    const { agent } = bench({ budget: { usd: 1 }, prices })
    await agent.session('alice', (s) => {
      const call = s.reserve({ model: 'm', maxTokens: 100_000 })
      expect(s.remaining().usd).toBe(0.6)
      call.settle({ model: 'm', inputTokens: 90_000, outputTokens: 10_000 })
      expect(s.usage()).toMatchObject({ usd: 0.13, tokens: 100_000, llmCalls: 1 })
      expect(s.remaining().usd).toBe(0.87)
    })
  })

  test('is everything that is left, when nobody says, so that no two such calls run at once', async () => {
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', (s) => {
      const call = s.reserve({ model: 'm' })
      expect(s.remaining()).toMatchObject({ usd: 0, tokens: 0 })
      expect(thrown(() => s.reserve({ model: 'm' }))).toBeInstanceOf(BudgetReserved)
      call.settle(usage(0.1, 10))
      expect(s.remaining()).toMatchObject({ usd: 0.9, tokens: 90 })
    })
  })

  test.each([{ usd: 1 }, { tokens: 100 }])(
    'is more than nothing, when nobody says and nothing is left of %o',
    async (budget) => {
      const { agent } = bench({ budget })
      const outcome = await rejection(
        agent.session('alice', (s) => {
          s.recordLlm(usage(1, 100))
          s.reserve({ model: 'm' })
        }),
      )
      expect(outcome).toBeInstanceOf(BudgetExceeded)
    },
  )

  test('counts as a model call when it is held, and no more than llmCalls run at once', async () => {
    const { agent } = bench({ budget: { llmCalls: 2, usd: 1 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        const first = s.reserve({ model: 'm', maxUsd: 0.1 })
        const second = s.reserve({ model: 'm', maxUsd: 0.1 })
        expect(s.usage().llmCalls).toBe(2)
        expect(thrown(() => s.reserve({ model: 'm', maxUsd: 0.1 }))).toMatchObject({
          limit: 'llmCalls',
          used: 2,
          max: 2,
        })
        first.settle(usage(0.1))
        second.release()
        expect(s.usage()).toMatchObject({ llmCalls: 2, usd: 0.1 })
        // The call that was one too many holds nothing.
        expect(s.remaining().usd).toBe(0.9)
      }),
    )
    expect(outcome).toMatchObject({ limit: 'llmCalls' })
  })
})

describe('what a provider reports beyond the reservation', () => {
  test('is charged in full, and does not kill while it fits', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1 } })
    await agent.session('alice', async (s) => {
      await s.callLlm(
        { model: 'm', maxUsd: 0.1 },
        () => 'answer',
        () => usage(0.7),
      )
      expect(s.usage().usd).toBe(0.7)
      expect(s.remaining().usd).toBe(0.3)
    })
    expect(payloads('llm_call')).toMatchObject([{ cost_usd: 0.7, enforcement: 'enforced' }])
  })

  test.each([
    ['usd', { usd: 1 }, { model: 'm', maxUsd: 0.1 }, usage(1.5), { used: 1.5, max: 1 }],
    ['tokens', { tokens: 100 }, { model: 'm', maxTokens: 10 }, usage(0, 150), { used: 150, max: 100 }],
  ] as const)(
    'is charged in full, and then kills when it is beyond the limit on %s',
    async (limit, budget, request, reported, fields) => {
      const { agent, payloads } = bench({ budget })
      let session!: Session
      let delivered: unknown
      const outcome = await rejection(
        agent.session('alice', async (s) => {
          session = s
          delivered = await rejection(
            s.callLlm(
              request,
              () => 'answer',
              () => reported,
            ),
          )
        }),
      )
      await turn()
      expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit, ...fields })
      expect(delivered).toBe(outcome)
      expect(session.usage()[limit]).toBe(fields.used)
      expect(payloads('llm_call')).toHaveLength(1)
      expect(payloads('llm_call')).toMatchObject([
        { cost_usd: reported.costUsd, input_tokens: reported.inputTokens },
      ])
      const [end] = payloads('session_end')
      expect(end).toMatchObject({ outcome: 'killed', usage: { [limit]: fields.used } })
    },
  )

  test('kills when it takes what another call holds, and that call is charged all it held', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1 } })
    const run = gate<never>()
    let other!: Promise<unknown>
    let session!: Session
    const outcome = await rejection(
      agent.session('alice', async (s) => {
        session = s
        other = rejection(
          s.callLlm(
            { model: 'm', maxUsd: 0.5 },
            () => run.promise,
            () => usage(0),
          ),
        )
        s.reserve({ usd: 0.5 }).settle({ usd: 0.6 })
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', used: 0.6, max: 1 })
    expect(await other).toBe(outcome)
    expect(session.usage().usd).toBe(1.1)
    expect(payloads('llm_call')).toMatchObject([
      { cost_usd: 0.5, metering: 'estimated', priced_by: 'reservation' },
    ])
  })

  test('kills although it was reported through recordLlm, which holds nothing before', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const outcome = await rejection(
      agent.session('alice', (s) => {
        s.recordLlm(usage(1))
        expect(s.state).toBe('open')
        s.recordLlm(usage(0.000_000_001))
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', used: 1.000_000_001, max: 1 })
  })
})

describe('a reservation is settled exactly once:', () => {
  interface Held {
    readonly settle: () => void
    readonly release: () => void
  }
  const KINDS: Readonly<Record<string, (s: Session) => Held>> = {
    'an amount': (s) => {
      const held = s.reserve({ usd: 0.5, tokens: 50 })
      return { settle: () => held.settle({ usd: 0.2, tokens: 20 }), release: () => held.release() }
    },
    'a model call': (s) => {
      const held = s.reserve({ model: 'm', maxUsd: 0.5, maxTokens: 50 })
      return { settle: () => held.settle(usage(0.2, 20)), release: () => held.release() }
    },
  }

  test.each(Object.entries(KINDS))('%s, by the first settle', async (_name, hold) => {
    const { agent, records } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', (s) => {
      const held = hold(s)
      expect(s.remaining()).toMatchObject({ usd: 0.5, tokens: 50 })
      held.settle()
      held.settle()
      held.release()
      expect(s.usage()).toMatchObject({ usd: 0.2, tokens: 20 })
      expect(s.remaining()).toMatchObject({ usd: 0.8, tokens: 80 })
    })
    expect(records().filter(({ event }) => event === 'charge' || event === 'llm_call')).toHaveLength(1)
  })

  test.each(Object.entries(KINDS))(
    '%s, by a release, which a later settle does not undo',
    async (_name, hold) => {
      const { agent, records } = bench({ budget: { usd: 1, tokens: 100 } })
      await agent.session('alice', (s) => {
        const held = hold(s)
        held.release()
        held.settle()
        held.release()
        expect(s.usage()).toMatchObject({ usd: 0, tokens: 0 })
        expect(s.remaining()).toMatchObject({ usd: 1, tokens: 100 })
      })
      expect(records().filter(({ event }) => event === 'charge' || event === 'llm_call')).toEqual([])
    },
  )

  test.each(Object.entries(KINDS))('%s, in full by a kill', async (_name, hold) => {
    const { agent, clock, payloads } = bench({ budget: { usd: 1, tokens: 100, wallMs: 1000 } })
    const s = agent.open('alice')
    const held = hold(s)
    await clock.advance(1000)
    expect(s.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
    held.settle()
    held.release()
    expect(s.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
    const charges = [...payloads('charge'), ...payloads('llm_call')]
    expect(charges).toHaveLength(1)
    expect(charges).toMatchObject([{ metering: 'estimated', tokens: 50 }])
    expect(payloads('session_end')).toMatchObject([{ usage: { usd: 0.5, tokens: 50 } }])
  })

  test.each(Object.entries(KINDS))(
    '%s, in full by the end of the session when its stream was abandoned',
    async (_name, hold) => {
      const { agent, records } = bench({ budget: { usd: 1, tokens: 100 } })
      let held!: Held
      let session!: Session
      await agent.session('alice', (s) => {
        session = s
        held = hold(s)
      })
      expect(session.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
      held.settle()
      held.release()
      expect(session.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
      const events = records().map(({ event }) => event)
      expect(events.slice(-2)).toEqual([expect.stringMatching(/^(charge|llm_call)$/), 'session_end'])
    },
  )

  test.each(Object.entries(KINDS))('%s, in full when the caller cancels', async (_name, hold) => {
    const { agent, payloads } = bench({ budget: { usd: 1, tokens: 100 } })
    const controller = new AbortController()
    const s = agent.open('alice', { signal: controller.signal })
    const held = hold(s)
    controller.abort()
    held.release()
    expect(s.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
    expect(payloads('session_end')).toMatchObject([{ outcome: 'cancelled', usage: { usd: 0.5, tokens: 50 } }])
  })

  test.each(Object.entries(KINDS))(
    '%s, by its owner after a kill by a count, which lets it finish',
    async (_name, hold) => {
      const { agent } = bench({ budget: { usd: 1, tokens: 100, denials: 0 } })
      let session!: Session
      await rejection(
        agent.session('alice', async (s) => {
          session = s
          const held = hold(s)
          await rejection(s.dispatch({ name: 'unheard-of', input: {} }))
          held.settle()
        }),
      )
      expect(session.usage()).toMatchObject({ usd: 0.2, tokens: 20 })
    },
  )

  test.each([
    ['null', null],
    ['nothing', undefined],
    ['text', '0.1'],
    ['an array', []],
    ['an unknown member', { usd: 0.1, cents: 5 }],
  ])('an amount, in full when it is settled with %s', async (_what, spent) => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', (s) => {
      const held = s.reserve({ usd: 0.5 })
      thrown(() => held.settle(spent as { usd: number }))
      expect(s.usage().usd).toBe(0.5)
      expect(s.remaining().usd).toBe(0.5)
      held.release()
      expect(s.remaining().usd).toBe(0.5)
    })
  })
})

describe('a model call that fails', () => {
  const request = { model: 'm', maxUsd: 0.5, maxTokens: 50 } as const
  const refused = new RangeError('of the provider')

  test.each(['throws', 'rejects'])(
    'and %s is charged all it held, because nobody can say what it spent',
    async (how) => {
      const { agent, payloads } = bench({ budget: { usd: 1, tokens: 100 } })
      await agent.session('alice', async (s) => {
        const call = s.callLlm(
          request,
          () => {
            if (how === 'throws') throw refused
            return Promise.reject(refused)
          },
          () => expect.fail('there is no reply'),
        )
        expect(await rejection(call)).toBe(refused)
        expect(s.usage()).toMatchObject({ usd: 0.5, tokens: 50, llmCalls: 1 })
        expect(s.remaining()).toMatchObject({ usd: 0.5, tokens: 50 })
      })
      expect(payloads('llm_call')).toMatchObject([
        {
          cost_usd: 0.5,
          tokens: 50,
          metering: 'estimated',
          priced_by: 'reservation',
          error: { name: 'RangeError' },
        },
      ])
    },
  )

  test('is charged what usageOfError says, when it says', async () => {
    const { agent, payloads } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', async (s) => {
      const call = s.callLlm(
        {
          ...request,
          usageOfError: (error) => {
            expect(error).toBe(refused)
            return usage(0.125, 5)
          },
        },
        () => Promise.reject(refused),
        () => expect.fail('there is no reply'),
      )
      expect(await rejection(call)).toBe(refused)
      expect(s.usage()).toMatchObject({ usd: 0.125, tokens: 5 })
      expect(s.remaining()).toMatchObject({ usd: 0.875, tokens: 95 })
    })
    expect(payloads('llm_call')).toMatchObject([{ cost_usd: 0.125, metering: 'reported' }])
  })

  test.each([
    [
      'throws',
      (): LlmUsage => {
        throw new RangeError('of usageOfError')
      },
    ],
    ['returns nonsense', () => usage(Number.NaN)],
  ])('is charged all it held when usageOfError %s', async (_how, usageOfError) => {
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', async (s) => {
      const call = s.callLlm(
        { ...request, usageOfError },
        () => Promise.reject(refused),
        () => usage(0),
      )
      await rejection(call)
      expect(s.usage().usd).toBe(0.5)
      expect(s.remaining().usd).toBe(0.5)
    })
  })

  test('to have its usage read is charged all it held', async () => {
    const unreadable = new TypeError('no usage in the reply')
    const { agent } = bench({ budget: { usd: 1, tokens: 100 } })
    await agent.session('alice', async (s) => {
      const call = s.callLlm(
        request,
        () => 'answer',
        () => {
          throw unreadable
        },
      )
      expect(await rejection(call)).toBe(unreadable)
      expect(s.usage()).toMatchObject({ usd: 0.5, tokens: 50 })
    })
  })

  test('to say what it cost, without a price and under a limit in US dollars, is charged all it held', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', async (s) => {
      const call = s.callLlm(
        { model: 'm', maxUsd: 0.5 },
        () => 'answer',
        () => ({ model: 'm', inputTokens: 1, outputTokens: 1 }),
      )
      expect(await rejection(call)).toBeInstanceOf(UnpricedModel)
      expect(s.usage().usd).toBe(0.5)
    })
  })

  test('to end by the deadline is charged all it held, once, whatever it answers later', async () => {
    const { agent, clock, payloads } = bench({ budget: { usd: 1, wallMs: 1000 } })
    const run = gate<string>()
    let session!: Session
    const outcome = rejection(
      agent.session('alice', (s) => {
        session = s
        return s.callLlm(
          { model: 'm', maxUsd: 0.5, usageOfError: () => expect.fail('nobody knows') },
          () => run.promise,
          () => expect.fail('the reply is too late'),
        )
      }),
    )
    await clock.advance(1000)
    expect(await outcome).toMatchObject({ limit: 'wallMs' })
    run.open('too late')
    await turn()
    expect(session.usage().usd).toBe(0.5)
    expect(payloads('llm_call')).toMatchObject([{ cost_usd: 0.5, metering: 'estimated' }])
  })
})

describe('of nested sessions', () => {
  test('a reservation holds on every one around it, and settling it charges every one', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', (root) =>
      agent.session('bob', (middle) =>
        agent.session('carol', (leaf) => {
          const held = leaf.reserve({ usd: 0.75 })
          expect([root, middle, leaf].map((s) => s.remaining().usd)).toEqual([0.25, 0.25, 0.25])
          expect(thrown(() => root.reserve({ usd: 0.5 }))).toBeInstanceOf(BudgetReserved)
          expect(thrown(() => middle.reserve({ usd: 0.5 }))).toBeInstanceOf(BudgetReserved)
          held.settle({ usd: 0.25 })
          expect([root, middle, leaf].map((s) => s.usage().usd)).toEqual([0.25, 0.25, 0.25])
          expect([root, middle, leaf].map((s) => s.remaining().usd)).toEqual([0.75, 0.75, 0.75])
          expect([root, middle, leaf].map((s) => s.state)).toEqual(['open', 'open', 'open'])
        }),
      ),
    )
  })

  test('a reservation that one of them refuses is held by none', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', async (root) => {
      const held = root.reserve({ usd: 0.75 })
      await agent.session(
        'bob',
        (leaf) => {
          expect(thrown(() => leaf.reserve({ usd: 0.5 }))).toMatchObject({
            code: 'ERR_BUDGET_RESERVED',
            left: 0.25,
            held: 0.75,
          })
          held.release()
          expect(leaf.remaining().usd).toBe(0.5)
        },
        { budget: { usd: 0.5 } },
      )
      expect(root.remaining().usd).toBe(1)
    })
  })

  test('siblings share what is left of the one around them', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const runs: Gate<string>[] = []
    await agent.session('alice', async (root) => {
      const nested = Array.from({ length: 10 }, (_, index) =>
        agent.session(`user-${index}`, (s) =>
          s.callLlm(
            { model: 'm', maxUsd: 0.3 },
            () => {
              const run = gate<string>()
              runs.push(run)
              return run.promise
            },
            () => usage(0.3),
          ),
        ),
      )
      const settled = Promise.allSettled(nested)
      await turn()
      expect(runs).toHaveLength(3)
      for (const run of runs) run.open('answer')
      const results = await settled
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(BudgetReserved)
      }
      expect(root.usage().usd).toBe(0.9)
      expect(root.state).toBe('open')
    })
  })

  test('tool calls are counted on every one around them: exactly the outermost limit run', async () => {
    let ran = 0
    const count = defineTool({
      inputSchema: z.object({}),
      execute: async () => {
        ran += 1
        await turn()
      },
    })
    const { agent } = bench({ budget: { toolCalls: 5 }, tools: { count } })
    const outcome = await rejection(
      agent.session('alice', async () => {
        await Promise.allSettled(
          Array.from({ length: 4 }, () =>
            agent.session('bob', (s) =>
              Promise.allSettled([s.callTool('count', {}), s.callTool('count', {})]),
            ),
          ),
        )
      }),
    )
    expect(ran).toBe(5)
    expect(outcome).toMatchObject({ limit: 'toolCalls', used: 5, max: 5, usage: { toolCalls: 5 } })
  })

  test('what one held when it ended is charged in full to every one around it', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    await agent.session('alice', async (root) => {
      const held = await agent.session('bob', (leaf) => leaf.reserve({ usd: 0.25 }))
      expect(root.usage().usd).toBe(0.25)
      held.release()
      expect(root.usage().usd).toBe(0.25)
      expect(root.remaining().usd).toBe(0.75)
    })
  })

  test('what a dead one is told of still reaches the ones around it', async () => {
    const { agent } = bench({ budget: { usd: 1 } })
    const outcome = await rejection(
      agent.session('alice', async (root) => {
        let ended!: Session
        await agent.session('bob', (s) => {
          ended = s
        })
        thrown(() => ended.recordLlm(usage(0.75)))
        expect(root.usage().usd).toBe(0.75)
        root.recordLlm(usage(0.5))
      }),
    )
    expect(outcome).toMatchObject({ limit: 'usd', used: 1.25 })
  })
})

test('a synchronous session reserves and settles in the same way', () => {
  const { agent } = bench({ budget: { usd: 1 } })
  const outcome = thrown(() =>
    agent.sessionSync('alice', (s) => {
      const held = s.reserve({ usd: 0.75 })
      expect(thrown(() => s.reserve({ usd: 0.5 }))).toBeInstanceOf(BudgetReserved)
      held.settle({ usd: 0.5 })
      s.reserve({ usd: 0.5 }).settle({ usd: 0.5 })
      expect(s.usage().usd).toBe(1)
      s.reserve({ usd: 0.25 })
    }),
  )
  expect(outcome).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd', used: 1, max: 1 })
})
