import { expect, test } from 'vitest'
import { nearest } from '../../../src/core/nearest.js'

const NAMES = ['verify', 'show', 'session_start', 'session_end', 'tool_call']

test.each([
  ['verify', 'verify'],
  ['verfy', 'verify'],
  ['vreify', 'verify'],
  ['VERIFY', 'verify'],
  ['ve', 'verify'],
  ['shwo', 'show'],
  ['shows', 'show'],
  ['session', 'session_start'],
  ['session-end', 'session_end'],
  ['toolcall', 'tool_call'],
  ['x', undefined],
  ['', undefined],
  ['list', undefined],
  ['frobnicate', undefined],
])('%j is near to %s', (word, name) => {
  expect(nearest(word, NAMES)).toBe(name)
})

test('a very long word takes no time', () => {
  const beganMs = performance.now()
  expect(nearest('x'.repeat(1_000_000), NAMES)).toBeUndefined()
  expect(performance.now() - beganMs).toBeLessThan(500)
})
