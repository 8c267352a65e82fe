import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AuditRecord, AuditSink, type LlmUsage, type SealedRecord, type Session } from 'writ'
import { bench, rejection, thrown } from '../support/agents.js'

const NANO = 1_000_000_000

function cost(costUsd: number): LlmUsage {
  return { model: 'm', inputTokens: 0, outputTokens: 0, costUsd }
}

/** A sink that keeps the last record alone: a million of them would be half a gigabyte. */
function lastRecord(): { readonly audit: AuditSink; readonly record: () => AuditRecord } {
  let last!: SealedRecord
  const audit = AuditSink.callback((record) => {
    last = record
  })
  return { audit, record: () => last.parse() }
}

test('a million charges of $0.000001 are exactly $1, and the next one is one too many', {
  timeout: 120_000,
}, async () => {
  const { audit, record } = lastRecord()
  const { agent } = bench({ budget: { usd: 1 }, audit })
  const outcome = await rejection(
    agent.session('alice', (s) => {
      const usage = cost(0.000_001)
      for (let call = 0; call < 999_999; call++) s.recordLlm(usage)
      expect(s.usage().usd).toBe(0.999_999)
      expect(s.remaining().usd).toBe(0.000_001)
      s.recordLlm(usage)
      expect(s.usage()).toMatchObject({ usd: 1, llmCalls: 1_000_000 })
      expect(s.remaining().usd).toBe(0)
      expect(s.state).toBe('open')
      expect(record().budget?.usd).toBe(1)
      s.recordLlm(usage)
    }),
  )
  expect(outcome).toMatchObject({ limit: 'usd', used: 1.000_001, max: 1 })
})

test('charges of any amount with up to nine decimals add up to the very nano-USD, in every session above', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 10 * NANO }), { minLength: 1, maxLength: 60 }),
      async (amounts) => {
        const total = amounts.reduce((sum, amount) => sum + amount, 0)
        const { agent, payloads } = bench({ budget: { usd: total / NANO, llmCalls: 1000 } })
        await agent.session('alice', (outer) =>
          agent.session('bob', (s) => {
            amounts.forEach((amount, index) => {
              if (index % 3 === 0) s.recordLlm(cost(amount / NANO))
              else if (index % 3 === 1) s.reserve({ usd: amount / NANO }).settle({ usd: amount / NANO })
              else s.reserve({ model: 'm', maxUsd: amount / NANO }).settle(cost(amount / NANO))
            })
            expect([s.usage().usd, outer.usage().usd]).toEqual([total / NANO, total / NANO])
            expect(s.remaining().usd).toBe(0)
            expect(s.state).toBe('open')
          }),
        )
        expect(payloads('session_end').map((end) => (end['usage'] as { usd: number }).usd)).toEqual([
          total / NANO,
          total / NANO,
        ])
      },
    ),
    { numRuns: 50 },
  )
})

describe('doubles that do not add up by themselves do', () => {
  const spend = (s: Session, amounts: readonly number[]): void => {
    for (const amount of amounts) s.recordLlm(cost(amount))
  }

  test.each([
    [[0.1, 0.2], 0.3],
    [[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 1],
    [[0.7, 0.1], 0.8],
    [[1.1, 2.2], 3.3],
    [[4_301_813.687_310_671, 0.000_000_001], 4_301_813.687_310_672],
  ])('%j fits a limit of exactly %d', async (amounts, limit) => {
    const { agent } = bench({ budget: { usd: limit } })
    await agent.session('alice', (s) => {
      spend(s, amounts)
      expect(s.usage().usd).toBe(limit)
      expect(s.remaining().usd).toBe(0)
    })
  })

  test.each([
    [[0.1, 0.2], 0.299_999_999],
    [[0.7, 0.1], 0.799_999_999],
  ])('%j does not fit a limit of %d', async (amounts, limit) => {
    const { agent } = bench({ budget: { usd: limit } })
    expect(await rejection(agent.session('alice', (s) => spend(s, amounts)))).toMatchObject({ limit: 'usd' })
  })
})

test('what costs less than a nano-USD costs one: a great many tiny charges do not add up to nothing', async () => {
  const { agent } = bench({ budget: { usd: 0.000_001 } })
  const outcome = await rejection(
    agent.session('alice', (s) => {
      for (let call = 0; call < 1000; call++) s.recordLlm(cost(1e-15))
      expect(s.usage().usd).toBe(0.000_001)
      s.recordLlm(cost(1e-15))
    }),
  )
  expect(outcome).toMatchObject({ limit: 'usd', used: 0.000_001_001 })
})

test('tokens are priced by the exact product, rounded up once for each call', async () => {
  const prices = { m: { inputUsdPerMTok: 0.1, outputUsdPerMTok: 0.7, cachedInputUsdPerMTok: 0.000_000_001 } }
  const { agent, payloads } = bench({ budget: { usd: 1 }, prices })
  await agent.session('alice', (s) => {
    s.recordLlm({ model: 'm', inputTokens: 3, outputTokens: 7, cachedInputTokens: 1 })
    // 2 × $0.0000001 + 7 × $0.0000007 + 1 × 10⁻¹⁵, rounded up.
    expect(s.usage().usd).toBe(0.000_005_101)
  })
  expect(payloads('llm_call')).toMatchObject([{ cost_usd: 0.000_005_101, priced_by: 'table' }])
})

describe('the log prints US dollars as a decimal with at most nine places', () => {
  test('wherever it prints them, and never with an exponent', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 2_000_000 }), fc.nat({ max: 3 * NANO })), {
          minLength: 1,
          maxLength: 8,
        }),
        async (amounts) => {
          const { agent, lines } = bench({ budget: { usd: 1.000_000_001 } })
          await agent
            .session('alice', (s) => {
              for (const amount of amounts) s.recordLlm(cost(amount / NANO))
              s.reserve({ usd: s.remaining().usd ?? 0 })
            })
            .catch(() => undefined)
          const printed = lines().flatMap((line) =>
            [
              ...line.matchAll(/"(?:usd|cost_usd)":([^,}]*)|"limit":"usd","used":([^,]*),"max":([^,}]*)/g),
            ].flatMap((match) => match.slice(1).filter((text) => text !== undefined)),
          )
          // In session_start, in every budget, in every call and in session_end.
          expect(printed.length).toBeGreaterThanOrEqual(7)
          for (const text of printed) expect(text).toMatch(/^(?:0|[1-9]\d*)(?:\.\d{0,8}[1-9])?$/)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('from the integer, not from a double that was divided', async () => {
    const { agent, lines } = bench({ budget: { usd: 9_007_199 } })
    await agent.session('alice', (s) => {
      s.recordLlm(cost(0.000_000_001))
      s.recordLlm(cost(4_301_813.687_310_671))
    })
    const text = lines().join('\n')
    expect(text).toContain('"cost_usd":0.000000001,')
    expect(text).toContain('"cost_usd":4301813.687310671,')
    expect(text).toContain('"budget":{"usd":4301813.687310672,')
    expect(text).toContain('"usage":{"usd":4301813.687310672,')
  })

  test('in the record of a kill too, to the last nano-USD', async () => {
    const { agent, lines } = bench({ budget: { usd: 4_301_813.687_310_671 } })
    await rejection(agent.session('alice', (s) => s.recordLlm(cost(4_301_813.687_310_672))))
    expect(lines().join('\n')).toContain('"limit":"usd","used":4301813.687310672,"max":4301813.687310671}')
  })
})

test('errors say amounts in US dollars, as they were asked for', async () => {
  const { agent } = bench({ budget: { usd: 0.3 } })
  await agent.session('alice', (s) => {
    s.recordLlm(cost(0.1))
    const held = s.reserve({ usd: 0.1 })
    expect(thrown(() => s.reserve({ usd: 0.2 }))).toMatchObject({ asked: 0.2, left: 0.1, held: 0.1 })
    held.release()
  })
})
