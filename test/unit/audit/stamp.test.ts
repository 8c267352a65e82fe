import { expect, test } from 'vitest'
import { Stamp } from '../../../src/audit/stamp.js'
import { fakeClock } from '../../../src/testing/fake-clock.js'

test('says when, in which log, and what is stored by now; each anew when it changes', () => {
  const clock = fakeClock(Date.UTC(2026, 0, 1))
  const stamp = new Stamp(clock, 'L')
  const at = (synced: number, ms: string): string =>
    `"synced":${synced},"ts":"2026-01-01T00:00:00.${ms}Z","log_id":"L",`
  expect([stamp.now(-1), stamp.now(-1), stamp.now(4)]).toEqual([at(-1, '000'), at(-1, '000'), at(4, '000')])
  clock.block(7)
  expect([stamp.now(4), stamp.now(5)]).toEqual([at(4, '007'), at(5, '007')])
})
