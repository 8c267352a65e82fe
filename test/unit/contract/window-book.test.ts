import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseBudget } from '../../../src/contract/budget.js'
import { Meter } from '../../../src/contract/meter.js'
import { parseRolling } from '../../../src/contract/rolling-limits.js'
import { WindowBook } from '../../../src/contract/window-book.js'
import { LimitsUnavailable } from '../../../src/core/limits-unavailable.js'

const UNLIMITED = { ...parseBudget('budget', { usd: 9_000_000 }), usd: Number.POSITIVE_INFINITY }

function book(limit: object, maxWindows?: number) {
  let nowMs = 0
  const { windows } = parseRolling('limits', { perUser: limit })
  const made = new WindowBook(() => nowMs, maxWindows)
  return {
    made,
    pass: (ms: number) => {
      nowMs += ms
    },
    now: () => nowMs,
    open: (user: string) =>
      new Meter(
        UNLIMITED,
        made.enter(windows, () => user, undefined),
      ),
  }
}

test('never allows more than an exact window would, and hardly less', () => {
  const step = fc.oneof(
    fc.record({ pass: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ ask: fc.integer({ min: 0, max: 40 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 1000 }), (steps, windowMs) => {
      const { open, pass, now } = book({ tokens: 100, windowMs })
      const charged: { readonly atMs: number; readonly tokens: number }[] = []
      const within = (span: number): number =>
        charged.reduce((sum, { atMs, tokens }) => sum + (now() - atMs < span ? tokens : 0), 0)
      for (const each of steps) {
        if ('pass' in each) {
          pass(each.pass)
          continue
        }
        const meter = open('alice')
        const held = meter.hold(0, each.ask)
        const spent = within(windowMs)
        if ('meter' in held) {
          // A part at most too long: with one more part it would not have fitted either.
          expect(within(windowMs + Math.ceil(windowMs / 64)) + each.ask).toBeGreaterThan(100)
          continue
        }
        if ('asked' in held) throw new TypeError('nothing else is held')
        expect(spent + each.ask).toBeLessThanOrEqual(100)
        expect(meter.settle(held, 0, each.ask)).toBeUndefined()
        charged.push({ atMs: now(), tokens: each.ask })
      }
    }),
    { numRuns: 500 },
  )
})

test('forgets users that are idle, and no others', () => {
  const { made, pass, open } = book({ tokens: 100, windowMs: 1000 })
  for (let user = 0; user < 5000; user++) {
    const meter = open(`user-${user}`)
    const held = meter.hold(0, 100)
    if ('tokens' in held && !('meter' in held)) meter.settle(held as never, 0, 100)
    pass(10)
    expect(open(`user-${user}`).left('tokens')).toBe(0)
  }
  expect(made.size).toBeLessThan(300)
})

test('charges what comes late to the window that stands there now', () => {
  const { pass, open } = book({ tokens: 100, windowMs: 1000 })
  const early = open('alice')
  pass(5000)
  for (let user = 0; user < 50; user++) open(`user-${user}`)
  early.settle({ usd: 0, tokens: 0 }, 0, 60)
  expect(open('alice').left('tokens')).toBe(40)
  early.settle({ usd: 0, tokens: 0 }, 0, 40)
  expect(open('alice').left('tokens')).toBe(0)
})

test('keeps what is held, however long it is', () => {
  const { pass, open } = book({ tokens: 100, windowMs: 1000 })
  const early = open('alice')
  early.hold(0, 100)
  pass(50_000)
  for (let user = 0; user < 50; user++) open(`user-${user}`)
  expect(open('alice').left('tokens')).toBe(0)
})

test('refuses new users rather than forget one that has spent', () => {
  const { pass, open } = book({ tokens: 100, windowMs: 1000 }, 3)
  for (const user of ['a', 'b', 'c']) open(user)
  expect(() => open('d')).toThrow(LimitsUnavailable)
  open('a')
  pass(2000)
  open('d')
})
