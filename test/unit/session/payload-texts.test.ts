import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CountName, Meter } from '../../../src/contract/meter.js'
import { toolResult } from '../../../src/session/call-payloads.js'
import { budget, envelope, flatEnvelope } from '../../../src/session/session-payloads.js'

const NONE = Number.POSITIVE_INFINITY
const LIMITS = {
  usd: NONE,
  tokens: NONE,
  wallMs: NONE,
  toolCalls: NONE,
  llmCalls: NONE,
  depth: NONE,
  denials: NONE,
}

test('the time of a call is a JSON number of milliseconds to three places', () => {
  const range = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true })
  const times = fc.oneof(range(-1e15, 1e15), range(0, 1e12), range(0, 3000), range(0, 3))
  fc.assert(
    fc.property(times, (elapsedMs) => {
      const text = toolResult('c', { ok: true, elapsedMs, effect: 'none', late: false })
      const rounded = Math.round(elapsedMs * 1000) / 1000
      expect(text).toBe(`{"call_id":"c","ok":true,"elapsed_ms":${String(rounded)},"effect":"none"}`)
    }),
    { numRuns: 1000 },
  )
})

test.each(['occurred', 'none', 'unknown'] as const)('a result says its effect: %s', (effect) => {
  const text = toolResult('c', { ok: true, elapsedMs: 1.25, effect, late: true })
  const shorter = toolResult('c', { ok: true, elapsedMs: 1.25, effect, late: false })
  expect(JSON.parse(text)).toEqual({ call_id: 'c', ok: true, elapsed_ms: 1.25, effect, late: true })
  expect(text).toBe(shorter.replace('}', ',"late":true}'))
})

test('consumption is the same text, whatever of it is nothing', () => {
  const amount = fc.oneof(fc.constant(0), fc.nat(9))
  fc.assert(
    fc.property(
      fc.tuple(amount, amount, amount, amount, amount, amount),
      ([usd, tokens, calls, llm, depth, denials]) => {
        const meter = new Meter(LIMITS, undefined)
        meter.spend(usd * 1e9, tokens)
        const counts: [CountName, number][] = [
          ['toolCalls', calls],
          ['llmCalls', llm],
          ['denials', denials],
        ]
        for (const [name, times] of counts) for (let time = 0; time < times; time++) meter.count(name)
        meter.depth = depth
        expect(budget(meter, 3)).toBe(
          `,"budget":${JSON.stringify({ usd, tokens, wall_ms: 3, tool_calls: calls, llm_calls: llm, depth, denials })}`,
        )
      },
    ),
  )
})

test('what identifies a session is its own, whichever agent came before', () => {
  const text = (identity: string): string =>
    `"session_id":"S","agent_identity":"${identity}","invoking_user":"José \\"x\\"","principal":"${identity}@S",`
  for (const identity of ['a/v1', 'b', 'b', 'a/v1']) {
    expect(envelope('S', identity, 'José "x"')).toBe(text(identity))
    expect(flatEnvelope('S', identity, 'José "x"')).toBe(text(identity))
  }
})
