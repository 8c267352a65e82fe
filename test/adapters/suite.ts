import { describe, expect, test, vi } from 'vitest'
import {
  type AnySession,
  BudgetExceeded,
  BudgetReserved,
  currentSession,
  NoSession,
  type PriceTable,
  SessionClosed,
  UnpricedModel,
} from 'writ'
import { type Bench, bench, rejection } from '../support/agents.js'
import { type Plan, type Provider, provide, type Tokens, type Wire } from './provider.js'

/** What a call through an adapter may be told. */
export interface Ask {
  readonly model?: string
  readonly maxTokens?: number
  readonly signal?: AbortSignal
}

/** A client with the adapter in it. */
export interface Client {
  readonly ask: (ask?: Ask) => Promise<string>
  readonly stream: (ask?: Ask) => AsyncIterable<string>
}

/** One adapter, as the cases below use it. */
export interface Subject {
  readonly wire: Wire
  readonly client: (
    provider: Provider,
    options?: { readonly session?: AnySession; readonly outside?: 'observe' },
  ) => Client
  /** What a call rejects with when the caller's signal is aborted. */
  readonly abortError: string
  /** True for a provider that counts reasoning as output and does not say how much of it that was. */
  readonly isReasoningHidden?: boolean
  /** Likewise, when it is aborted before the call is made; `abortError` when absent. */
  readonly abortedError?: string
  /** True where a stream that nobody reads any more is read on, and the end of the session is what stops it. */
  readonly readsOn?: boolean
  /**
   * What is one call: each try of it, as an adapter at the connection sees them, or all of them together, as
   * one around a client does that tries again. `each` when absent.
   */
  readonly counts?: 'each' | 'all'
}

export const MODEL = 'model-1'
/** A thousandth of a dollar for a token of input, two for one of output. */
export const prices: PriceTable = {
  [MODEL]: { inputUsdPerMTok: 1000, outputUsdPerMTok: 2000, cachedInputUsdPerMTok: 100 },
}
const TOKENS: Tokens = { input: 10, output: 20 }
const reply: Extract<Plan, { kind: 'reply' }> = { kind: 'reply', text: 'hello', tokens: TOKENS }
/** One token, by the estimate. */
const PIECE = 'abc'
const pieces = (count: number): string[] => Array.from({ length: count }, () => PIECE)

async function collect(stream: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of stream) text += piece
  return text
}

const calls = (b: Bench<Record<never, never>>) => b.payloads('llm_call')

/** The cases that every adapter of a model SDK has to meet. */
export function adapterSuite(name: string, subject: Subject): void {
  const { wire, client, abortError, abortedError = abortError, counts = 'each', isReasoningHidden } = subject
  const { readsOn = false } = subject
  const start = async (...plans: Plan[]) => {
    const provider = await provide(wire, ...plans)
    return { provider, governed: client(provider) }
  }
  const agent = (budget: object = { usd: 100 }) => bench({ budget, prices })

  describe(`${name}: metered`, () => {
    test('a reply is charged what the provider reports', async () => {
      const { governed } = await start(reply)
      const b = agent()
      await b.agent.session('alice', async (s) => {
        expect(await governed.ask({ maxTokens: 50 })).toBe('hello')
        expect(s.usage()).toMatchObject({ usd: 0.05, tokens: 30, llmCalls: 1 })
      })
      expect(calls(b)).toMatchObject([
        { model: MODEL, input_tokens: 10, output_tokens: 20, metering: 'reported', enforcement: 'enforced' },
      ])
    })

    test('cached and reasoning tokens are counted and priced', async () => {
      const tokens = { input: 10, output: 20, cached: 8, reasoning: 15 }
      const { governed } = await start({ ...reply, tokens })
      const b = agent()
      await b.agent.session('alice', async (s) => {
        await governed.ask({ maxTokens: 50 })
        expect(s.usage().usd).toBe(0.0428)
      })
      expect(calls(b)).toMatchObject([
        { cached_input_tokens: 8, reasoning_tokens: isReasoningHidden === true ? 0 : 15 },
      ])
    })

    test('a reply that says nothing of usage is charged an estimate', async () => {
      const { governed } = await start({ kind: 'reply', text: 'hello' })
      const b = agent()
      await b.agent.session('alice', () => governed.ask({ maxTokens: 50 }))
      expect(calls(b)).toMatchObject([{ metering: 'estimated' }])
      expect(calls(b)[0]?.['output_tokens']).toBeGreaterThan(0)
      expect(calls(b)[0]?.['cost_usd']).toBeGreaterThan(0)
    })

    test('a stream is charged what the provider reports at its end', async () => {
      const { governed, provider } = await start({ kind: 'stream', pieces: pieces(5), tokens: TOKENS })
      const b = agent()
      await b.agent.session('alice', async () => {
        expect(await collect(governed.stream({ maxTokens: 50 }))).toBe('abcabcabcabcabc')
      })
      expect(calls(b)).toMatchObject([{ input_tokens: 10, output_tokens: 20, metering: 'reported' }])
      expect(await provider.asked[0]?.closed).toEqual({ whole: true })
    })

    test('a stream without a report is charged an estimate of what was received', async () => {
      const { governed } = await start({ kind: 'stream', pieces: pieces(5) })
      const b = agent()
      await b.agent.session('alice', async () => {
        await collect(governed.stream({ maxTokens: 50 }))
        expect(calls(b)).toMatchObject([{ output_tokens: 5, metering: 'estimated' }])
      })
    })

    const isEach = counts === 'each'
    test.runIf(isEach)(
      'each try of a rate limited call is one call, and only the last costs anything',
      async () => {
        const busy: Plan = { kind: 'status', status: 429, headers: { 'retry-after-ms': '1' } }
        const { governed, provider } = await start(busy, busy, reply)
        const b = agent()
        await b.agent.session('alice', async (s) => {
          expect(await governed.ask({ maxTokens: 50 })).toBe('hello')
          expect(s.usage()).toMatchObject({ usd: 0.05, llmCalls: 3 })
        })
        expect(provider.asked).toHaveLength(3)
        expect(calls(b)).toMatchObject([
          { cost_usd: 0, error: { code: 'HTTP_429' } },
          { cost_usd: 0, error: { code: 'HTTP_429' } },
          { cost_usd: 0.05 },
        ])
      },
    )

    test.runIf(!isEach)('all tries of a rate limited call are one call', async () => {
      const busy: Plan = { kind: 'status', status: 429, headers: { 'retry-after-ms': '1' } }
      const { governed, provider } = await start(busy, busy, reply)
      const b = agent()
      await b.agent.session('alice', async (s) => {
        expect(await governed.ask({ maxTokens: 50 })).toBe('hello')
        expect(s.usage()).toMatchObject({ usd: 0.05, llmCalls: 1 })
      })
      expect(provider.asked).toHaveLength(3)
    })

    test.runIf(!isEach)('a call that nobody serves costs nothing, and is on record', async () => {
      const { governed } = await start({ kind: 'status', status: 400 })
      const b = agent()
      await b.agent.session('alice', async (s) => {
        expect(await rejection(governed.ask({ maxTokens: 50 }))).toMatchObject({ status: 400 })
        expect(s.usage()).toMatchObject({ usd: 0, llmCalls: 1 })
      })
      expect(calls(b)).toMatchObject([{ cost_usd: 0, error: { code: 'HTTP_400' } }])
    })

    test.runIf(!isEach)(
      'a connection that breaks each time before the answer is charged what was held',
      async () => {
        const { governed } = await start({ kind: 'break' })
        const b = agent()
        await b.agent.session('alice', () => rejection(governed.ask({ maxTokens: 50 })))
        expect(calls(b)).toMatchObject([{ metering: 'estimated', priced_by: 'reservation' }])
      },
    )

    test.runIf(isEach)('a connection that breaks before the answer is charged what was held', async () => {
      const { governed } = await start({ kind: 'break' }, reply)
      const b = agent()
      await b.agent.session('alice', () => governed.ask({ maxTokens: 50 }))
      expect(calls(b)).toMatchObject([
        { metering: 'estimated', priced_by: 'reservation' },
        { metering: 'reported', cost_usd: 0.05 },
      ])
      expect(calls(b)[0]?.['cost_usd']).toBeGreaterThan(0.1)
    })
  })

  describe(`${name}: aborted`, () => {
    test('by the caller before it is made: nothing is sent', async () => {
      const { governed, provider } = await start(reply)
      const b = agent()
      await b.agent.session('alice', async (s) => {
        const error = await rejection(governed.ask({ maxTokens: 50, signal: AbortSignal.abort() }))
        expect((error as Error).constructor.name).toBe(abortedError)
        expect(s.state).toBe('open')
      })
      expect(provider.asked).toHaveLength(0)
    })

    test.each(['ask', 'stream'] as const)(
      'by the caller while the provider is silent (%s)',
      async (method) => {
        const { governed, provider } = await start({ kind: 'silence' })
        const b = agent()
        const abort = new AbortController()
        await b.agent.session('alice', async (s) => {
          const ask = { maxTokens: 50, signal: abort.signal }
          const pending = rejection(method === 'ask' ? governed.ask(ask) : collect(governed.stream(ask)))
          await provider.arrived(1)
          abort.abort()
          expect(((await pending) as Error).constructor.name).toBe(abortError)
          expect(s.state).toBe('open')
        })
        expect(await provider.asked[0]?.closed).toEqual({ whole: false })
        expect(calls(b)).toMatchObject([{ metering: 'estimated', error: { name: 'AbortError' } }])
      },
    )

    test('by the caller in the middle of a stream: an estimate, and a closed connection', async () => {
      const { governed, provider } = await start({
        kind: 'stream',
        pieces: pieces(9),
        cut: { after: 4, what: 'wait' },
      })
      const b = agent()
      const abort = new AbortController()
      await b.agent.session('alice', async () => {
        let seen = 0
        for await (const _piece of governed.stream({ maxTokens: 50, signal: abort.signal })) {
          seen += 1
          if (seen === 4) abort.abort()
        }
      })
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(calls(b)).toMatchObject([{ output_tokens: 4, metering: 'estimated' }])
    })

    test('by the end of the session: the request is aborted, and the caller told why', async () => {
      const { governed, provider } = await start({ kind: 'silence' })
      const b = agent()
      const s = b.agent.open('alice')
      const pending = rejection(client(provider, { session: s }).ask({ maxTokens: 50 }))
      await provider.arrived(1)
      await s.close()
      expect(await pending).toBeInstanceOf(SessionClosed)
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(calls(b)).toMatchObject([{ metering: 'estimated', priced_by: 'reservation' }])
      expect(provider.asked).toHaveLength(1)
      void governed
    })

    test('by the deadline of the session in the middle of a stream', async () => {
      const { governed, provider } = await start({
        kind: 'stream',
        pieces: pieces(9),
        cut: { after: 4, what: 'wait' },
      })
      const b = agent({ usd: 100, wallMs: 1000 })
      const error = await rejection(
        b.agent.session('alice', async () => {
          let seen = 0
          for await (const _piece of governed.stream({ maxTokens: 50 })) {
            seen += 1
            if (seen === 4) b.clock.advance(1001)
          }
        }),
      )
      expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'wallMs' })
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(calls(b)).toMatchObject([{ output_tokens: 4, metering: 'estimated' }])
      expect(b.records().at(-1)).toMatchObject({ event: 'session_end' })
    })
  })

  describe(`${name}: broken off`, () => {
    test('by the consumer of a stream: an estimate, and a closed connection', async () => {
      const { governed, provider } = await start({
        kind: 'stream',
        pieces: pieces(9),
        cut: { after: 3, what: 'wait' },
      })
      const b = agent()
      await b.agent.session('alice', async (s) => {
        let seen = 0
        for await (const _piece of governed.stream({ maxTokens: 50 })) {
          seen += 1
          if (seen === 3) break
        }
        expect(s.state).toBe('open')
        if (readsOn) return
        // By the break: the end of the session would stop every call that still runs.
        expect(await provider.asked[0]?.closed).toEqual({ whole: false })
        await vi.waitFor(() => expect(calls(b)).toHaveLength(1))
      })
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(calls(b)).toMatchObject([{ output_tokens: 3, metering: 'estimated' }])
    })

    test('by the provider in the middle of a stream: an estimate, and an error', async () => {
      const { governed } = await start({
        kind: 'stream',
        pieces: pieces(9),
        cut: { after: 3, what: 'break' },
      })
      const b = agent()
      await b.agent.session('alice', async () => {
        await rejection(collect(governed.stream({ maxTokens: 50 })))
        expect(calls(b)).toMatchObject([{ metering: 'estimated' }])
      })
      expect(calls(b)[0]?.['output_tokens']).toBeLessThanOrEqual(3)
    })
  })

  describe(`${name}: over budget`, () => {
    test('before the call: nothing is sent, nothing tried again, and the error is the one of the budget', async () => {
      const { governed, provider } = await start(reply)
      const b = agent({ usd: 0.05 })
      let seen: Promise<unknown> | undefined
      const error = await rejection(
        b.agent.session('alice', async () => {
          seen = rejection(governed.ask({ maxTokens: 50 }))
          await seen
        }),
      )
      expect(error).toBeInstanceOf(BudgetExceeded)
      expect(await seen).toBe(error)
      expect(provider.asked).toHaveLength(0)
    })

    test('a reply that costs more than was held is charged, and kills', async () => {
      const { governed } = await start({ ...reply, tokens: { input: 10, output: 500 } })
      const b = agent({ usd: 0.5 })
      const error = await rejection(b.agent.session('alice', () => governed.ask({ maxTokens: 50 })))
      expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'usd', used: 1.01 })
    })

    test('a stream that crosses the limit is cut, and its connection closed', async () => {
      const { governed, provider } = await start({ kind: 'stream', pieces: pieces(2000), tokens: TOKENS })
      const b = agent({ usd: 0.5 })
      let seen: Promise<unknown> | undefined
      let text = ''
      const read = async (): Promise<void> => {
        for await (const piece of governed.stream()) text += piece
      }
      const error = await rejection(
        b.agent.session('alice', async () => {
          seen = rejection(read())
          await seen
        }),
      )
      expect(error).toBeInstanceOf(BudgetExceeded)
      expect(await seen).toBe(error)
      expect(text.length).toBeGreaterThan(0)
      expect(text.length).toBeLessThan(2000 * 3)
      expect(await provider.asked[0]?.closed).toEqual({ whole: false })
      expect(calls(b)).toMatchObject([{ metering: 'estimated', error: { code: 'ERR_BUDGET_EXCEEDED' } }])
    })

    test('the last allowed call is served, and the next refused', async () => {
      const { governed, provider } = await start(reply)
      const b = agent({ llmCalls: 1 })
      const error = await rejection(
        b.agent.session('alice', async () => {
          await governed.ask({ maxTokens: 50 })
          await governed.ask({ maxTokens: 50 })
        }),
      )
      expect(error).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED', limit: 'llmCalls' })
      expect(provider.asked).toHaveLength(1)
    })

    test('a model without a price is refused before it is called', async () => {
      const { governed, provider } = await start(reply)
      const b = agent()
      await b.agent.session('alice', async (s) => {
        expect(await rejection(governed.ask({ model: 'model-2', maxTokens: 50 }))).toBeInstanceOf(
          UnpricedModel,
        )
        expect(s.usage().usd).toBe(0)
      })
      expect(provider.asked).toHaveLength(0)
    })

    test('where no dollars are limited, a model needs no price', async () => {
      const { governed } = await start(reply)
      const b = agent({ tokens: 1000 })
      await b.agent.session('alice', () => governed.ask({ model: 'model-2', maxTokens: 50 }))
      expect(calls(b)).toMatchObject([{ model: 'model-2', output_tokens: 20, cost_usd: null }])
    })
  })

  describe(`${name}: sessions`, () => {
    test('outside of a session a call is refused, once', async () => {
      const { governed, provider } = await start(reply)
      expect(await rejection(governed.ask())).toBeInstanceOf(NoSession)
      expect(provider.asked).toHaveLength(0)
    })

    test('outside of a session a call passes where that was said', async () => {
      const { provider } = await start(reply)
      expect(await client(provider, { outside: 'observe' }).ask()).toBe('hello')
    })

    test('one client serves many sessions, each of which pays for its own', async () => {
      const { governed } = await start(reply)
      const b = agent()
      const spent = await Promise.all(
        ['alice', 'bob', 'carol'].map((user, index) =>
          b.agent.session(user, async (s) => {
            for (let call = 0; call <= index; call += 1) await governed.ask({ maxTokens: 50 })
            return s.usage().usd
          }),
        ),
      )
      expect(spent).toEqual([0.05, 0.1, 0.15])
    })

    test('a session that is handed over pays, wherever the call is made', async () => {
      const { provider } = await start(reply)
      const b = agent()
      await using s = b.agent.open('alice')
      await client(provider, { session: s }).ask({ maxTokens: 50 })
      expect(s.usage().usd).toBe(0.05)
    })

    test('calls at once hold what they may use, and never more than there is', async () => {
      const { governed, provider } = await start(reply)
      const b = agent({ usd: 0.5 })
      await b.agent.session('alice', async (s) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, () => governed.ask({ maxTokens: 50 })),
        )
        const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
        expect(refused.length).toBeGreaterThan(0)
        for (const { reason } of refused) expect(reason).toBeInstanceOf(BudgetReserved)
        expect(provider.asked).toHaveLength(20 - refused.length)
        expect(s.usage().usd).toBeLessThanOrEqual(0.5)
      })
    })

    test('a nested session pays, and what it pays counts above', async () => {
      const { governed } = await start(reply)
      const b = agent({ usd: 1, depth: 2 })
      await b.agent.session('alice', async (s) => {
        await b.agent.session('alice', async (inner) => {
          expect(currentSession().id).toBe(inner.id)
          await governed.ask({ maxTokens: 50 })
        })
        expect(s.usage().usd).toBe(0.05)
      })
    })

    test('a call in a dead session is refused with what ended it', async () => {
      const { governed, provider } = await start(reply)
      const b = agent()
      let late: (() => Promise<string>) | undefined
      await b.agent.session('alice', async () => {
        const { AsyncResource } = await import('node:async_hooks')
        late = AsyncResource.bind(() => governed.ask({ maxTokens: 50 }))
      })
      expect(await rejection(late?.() as Promise<string>)).toBeInstanceOf(SessionClosed)
      expect(provider.asked).toHaveLength(0)
    })
  })
}
