import { describe, expect, test } from 'vitest'
import { type AnySession, BudgetReserved, currentSession, findCurrentSession, UnpricedModel } from 'writ'
import { bench, rejection, thrown } from '../../support/agents.js'

const prices = { m: { inputUsdPerMTok: 1000, outputUsdPerMTok: 2000, cacheWriteUsdPerMTok: 4000 } }
const used = (inputTokens: number, outputTokens: number) => ({ model: 'm', inputTokens, outputTokens })
const opened = (budget: object = { usd: 1, tokens: 1000 }) => {
  const b = bench({ budget, prices })
  return { b, s: b.agent.open('alice') }
}
const left = (s: AnySession) => s.remaining()

describe('what is held for a call', () => {
  test('is each part at its own price, the dearest of input', () => {
    const { s } = opened()
    s.reserve({ model: 'm', maxInputTokens: 10, maxOutputTokens: 20 })
    expect(left(s)).toMatchObject({ usd: 0.92, tokens: 970 })
  })

  test.each([
    [{ maxInputTokens: 1 }],
    [{ maxOutputTokens: 1 }],
    [{ maxInputTokens: 1, maxOutputTokens: 1, maxTokens: 2 }],
    [{ mustHavePrice: 1 }],
  ])('%j is no request', (part) => {
    const { s } = opened()
    expect(thrown(() => s.reserve({ model: 'm', ...part } as never))).toBeInstanceOf(TypeError)
  })

  test('is refused without a price that it must have, and changes nothing', () => {
    const { s } = opened()
    expect(thrown(() => s.reserve({ model: 'x', mustHavePrice: true }))).toBeInstanceOf(UnpricedModel)
    expect(s.usage()).toMatchObject({ llmCalls: 0 })
    expect(left(s)).toMatchObject({ usd: 1 })
    const unlimited = opened({ tokens: 10 }).s
    unlimited.reserve({ model: 'x', mustHavePrice: true }).release()
  })
})

describe('cover', () => {
  test('holds more as more is used, and gives it all back', () => {
    const { s } = opened()
    const call = s.reserve({ model: 'm', maxInputTokens: 10, maxOutputTokens: 0 })
    call.cover(used(10, 5))
    expect(left(s)).toMatchObject({ usd: 0.96, tokens: 985 })
    call.cover(used(10, 100))
    expect(left(s)).toMatchObject({ usd: 0.79, tokens: 890 })
    call.cover(used(0, 0))
    expect(left(s)).toMatchObject({ usd: 0.79, tokens: 890 })
    call.settle(used(10, 1))
    expect(left(s)).toMatchObject({ usd: 0.988, tokens: 989 })
    call.cover(used(10, 400))
    expect(left(s)).toMatchObject({ usd: 0.988, tokens: 989 })
  })

  test('kills at the limit, also when all that is left is its own', async () => {
    const { s, b } = opened()
    const call = s.reserve({ model: 'm' })
    call.cover(used(0, 500))
    expect(s.state).toBe('open')
    expect(thrown(() => call.cover(used(0, 501)))).toMatchObject({
      code: 'ERR_BUDGET_EXCEEDED',
      limit: 'usd',
    })
    expect(s.state).not.toBe('open')
    expect(b.payloads('llm_call')).toMatchObject([{ metering: 'estimated', cost_usd: 1 }])
  })

  test('does not take what others hold', () => {
    const { s } = opened()
    const other = s.reserve({ usd: 0.5 })
    const call = s.reserve({ model: 'm', maxInputTokens: 10, maxOutputTokens: 0 })
    expect(thrown(() => call.cover(used(0, 300)))).toBeInstanceOf(BudgetReserved)
    expect(left(s)).toMatchObject({ usd: 0.46 })
    other.release()
    call.cover(used(0, 300))
    expect(left(s)).toMatchObject({ usd: 0.4 })
  })

  test('refuses what cannot be counted', () => {
    const { s } = opened()
    const call = s.reserve({ model: 'm' })
    expect(thrown(() => call.cover(used(-1, 0)))).toMatchObject({ code: 'ERR_USAGE_INVALID' })
  })
})

describe('the end of a call', () => {
  test('forfeit charges what is held, once, and names the error', () => {
    const { s, b } = opened()
    const call = s.reserve({
      model: 'm',
      maxInputTokens: 10,
      maxOutputTokens: 20,
      usageOfError: () => used(1, 1),
    })
    call.forfeit(new TypeError('gone'))
    call.forfeit()
    call.settle(used(1, 1))
    expect(s.usage()).toMatchObject({ usd: 0.08, tokens: 30 })
    expect(b.payloads('llm_call')).toMatchObject([
      { tokens: 30, priced_by: 'reservation', metering: 'estimated', error: { name: 'TypeError' } },
    ])
  })

  test('the end of the session asks what was used, before it is on record', async () => {
    const { s, b } = opened()
    s.reserve({ model: 'm', usageOfError: () => ({ ...used(1, 2), estimated: true }) })
    await s.close()
    expect(b.payloads('llm_call')).toMatchObject([
      { output_tokens: 2, cost_usd: 0.005, metering: 'estimated' },
    ])
    expect(b.records().at(-1)).toMatchObject({ event: 'session_end', budget: { usd: 0.005 } })
  })

  test('the end of the session charges all that is held where nobody can say', async () => {
    const { s, b } = opened()
    const usageOfError = (reason: unknown): never => {
      throw reason
    }
    s.reserve({ model: 'm', maxInputTokens: 10, maxOutputTokens: 20, usageOfError })
    await s.close()
    expect(b.payloads('llm_call')).toMatchObject([{ cost_usd: 0.08, error: { code: 'ERR_SESSION_CLOSED' } }])
  })

  test('an estimate and a failure are on record as such', () => {
    const { s, b } = opened()
    s.reserve({ model: 'm' }).settle({
      ...used(1, 1),
      estimated: true,
      error: { name: 'HttpError', code: 'HTTP_429' },
    })
    expect(b.payloads('llm_call')).toMatchObject([
      { metering: 'estimated', error: { name: 'HttpError', code: 'HTTP_429' } },
    ])
  })
})

test('the current session can be asked for without an error', async () => {
  expect(findCurrentSession()).toBeUndefined()
  expect((await rejection(Promise.resolve().then(() => currentSession()))) as Error).toMatchObject({
    code: 'ERR_NO_SESSION',
  })
  await bench({ budget: { usd: 1 } }).agent.session('alice', async (s) => {
    expect(findCurrentSession()).toBe(s)
  })
})
