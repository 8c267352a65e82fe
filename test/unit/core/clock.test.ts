import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fakeClock } from 'writ/testing'
import { MAX_TIMER_MS, systemClock } from '../../../src/core/clock.js'

describe('the clock of this machine', () => {
  test('dates by whole milliseconds since the epoch, and never runs backwards', () => {
    expect(Number.isInteger(systemClock.nowMs())).toBe(true)
    expect(systemClock.nowMs()).toBeGreaterThan(Date.UTC(2020, 0, 1))
    let before = systemClock.monotonicMs()
    for (let look = 0; look < 1000; look++) {
      const now = systemClock.monotonicMs()
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
    }
  })

  test('calls back once', async () => {
    const callback = vi.fn()
    await new Promise<void>((resolve) => {
      systemClock.setTimer(
        () => {
          callback()
          resolve()
        },
        1,
        false,
      )
    })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(callback).toHaveBeenCalledTimes(1)
  })

  test('does not call back when the timer was cleared', async () => {
    const callback = vi.fn()
    systemClock.clearTimer(systemClock.setTimer(callback, 0, false))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(callback).not.toHaveBeenCalled()
  })

  test.each([
    ['a timer in the background does not keep the process alive', true, false],
    ['any other timer does', false, true],
  ])('%s', (_what, background, keepsAlive) => {
    const timer = systemClock.setTimer(() => undefined, 60_000, background) as NodeJS.Timeout
    expect(timer.hasRef()).toBe(keepsAlive)
    systemClock.clearTimer(timer)
  })

  test('a delay that setTimeout cannot hold does not become none', async () => {
    const callback = vi.fn()
    const timer = systemClock.setTimer(callback, MAX_TIMER_MS + 1, false)
    await new Promise((resolve) => setTimeout(resolve, 10))
    systemClock.clearTimer(timer)
    expect(callback).not.toHaveBeenCalled()
  })

  test('its timers cannot be replaced after it was loaded', () => {
    expect(Object.isFrozen(systemClock)).toBe(true)
    const real = globalThis.setTimeout
    globalThis.setTimeout = (() => expect.fail('the replaced one was called')) as unknown as typeof setTimeout
    try {
      systemClock.clearTimer(systemClock.setTimer(() => undefined, 1000, true))
    } finally {
      globalThis.setTimeout = real
    }
  })

  describe('under a Date that was replaced', () => {
    beforeEach(() => {
      vi.useFakeTimers({ now: 0, toFake: ['Date', 'performance'] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    test('goes on as before', () => {
      expect(Date.now()).toBe(0)
      expect(systemClock.nowMs()).toBeGreaterThan(Date.UTC(2020, 0, 1))
      const before = systemClock.monotonicMs()
      vi.advanceTimersByTime(86_400_000)
      expect(systemClock.monotonicMs() - before).toBeLessThan(86_400_000)
    })
  })
})

describe('a fake clock', () => {
  test('stands still until it is told otherwise', async () => {
    const clock = fakeClock(1000)
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1000, 0])
    await clock.advance(5)
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1005, 5])
  })

  test('fires what comes due, in its order, each at its own time', async () => {
    const clock = fakeClock()
    const fired: [string, number][] = []
    const at = (name: string, ms: number): unknown =>
      clock.setTimer(() => fired.push([name, clock.monotonicMs()]), ms, false)
    at('third', 30)
    at('first', 10)
    clock.clearTimer(at('cleared', 15))
    at('second', 20)
    at('never', 31)
    expect(clock.timers).toBe(4)
    await clock.advance(30)
    expect(fired).toEqual([
      ['first', 10],
      ['second', 20],
      ['third', 30],
    ])
    expect(clock.timers).toBe(1)
  })

  test('fires what a timer sets, and lets promises settle in between', async () => {
    const clock = fakeClock()
    const fired: string[] = []
    clock.setTimer(
      () => {
        void Promise.resolve().then(() => {
          fired.push('a promise')
          clock.setTimer(() => fired.push('its timer'), 5, false)
        })
      },
      5,
      false,
    )
    clock.setTimer(() => fired.push('the last'), 11, false)
    await clock.advance(11)
    expect(fired).toEqual(['a promise', 'its timer', 'the last'])
  })

  test('fires nothing while it is blocked, and everything that is due when it goes on', async () => {
    const clock = fakeClock()
    const fired = vi.fn()
    clock.setTimer(fired, 10, false)
    clock.block(10)
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(fired).not.toHaveBeenCalled()
    expect(clock.monotonicMs()).toBe(10)
    await clock.advance(0)
    expect(fired).toHaveBeenCalledTimes(1)
  })
})
