import { expect, test } from 'vitest'
import { UsageError } from '../../src/cli/cli-io.js'
import { parseSince } from '../../src/cli/since.js'

const NOW_MS = Date.UTC(2026, 10, 21, 12)

test.each([
  ['0s', 0],
  ['90s', 90_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['2w', 1_209_600_000],
  ['999999999w', 999_999_999 * 604_800_000],
])('%s is so long before now', (text, ms) => {
  expect(parseSince(text, NOW_MS)).toBe(NOW_MS - ms)
})

test.each([
  ['2026-11-20', '2026-11-20T00:00:00.000Z'],
  ['2026-11-20T20:49', '2026-11-20T20:49:00.000Z'],
  ['2026-11-20 20:49:41', '2026-11-20T20:49:41.000Z'],
  ['2026-11-20T20:49:41Z', '2026-11-20T20:49:41.000Z'],
  ['2026-11-20T20:49:41.123Z', '2026-11-20T20:49:41.123Z'],
  ['2026-11-20T20:49:41.1', '2026-11-20T20:49:41.100Z'],
  ['2026-11-20T20:49:41.123456789Z', '2026-11-20T20:49:41.123Z'],
  ['2026-11-20T20:49+02:00', '2026-11-20T18:49:00.000Z'],
  ['2026-11-20T20:49:41-05:30', '2026-11-21T02:19:41.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('%s is a moment, in UTC where it names no zone', (text, iso) => {
  const zone = process.env['TZ']
  for (const local of ['UTC', 'America/New_York', 'Asia/Kathmandu']) {
    process.env['TZ'] = local
    expect(new Date(parseSince(text, NOW_MS)).toISOString()).toBe(iso)
  }
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

test.each([
  '',
  ' ',
  '1',
  '1y',
  '-1h',
  '1.5h',
  '1h30m',
  '9999999999s',
  'now',
  'yesterday',
  '2026',
  '2026-11',
  '2026-13-01',
  '2026-02-30',
  '2025-02-29',
  '2026-11-20T25:00',
  '2026-11-20T20:60',
  '2026-11-20T20:49:41+2',
  '2026-11-20T20:49:41+99:00',
  '20-11-2026',
  '11/20/2026',
  '1763671781',
  '2026-11-20\n',
])('%j is no time', (text) => {
  expect(() => parseSince(text, NOW_MS)).toThrow(UsageError)
})
