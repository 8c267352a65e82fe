import { quote } from '../core/json-text.js'
import { UsageError } from './cli-io.js'

const UNIT_MS: { readonly [unit: string]: number } = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const DURATION = /^(\d{1,9})([smhdw])$/
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?$/

/**
 * A moment in milliseconds since the Unix epoch: ISO 8601, taken as UTC where it names no zone because the
 * log is in UTC, or a duration before now (`90s`, `15m`, `2h`, `1d`, `1w`).
 *
 * @throws {@link UsageError} for anything else.
 */
export function parseSince(text: string, nowMs: number): number {
  const [, count, unit] = DURATION.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return nowMs - Number(count) * (UNIT_MS[unit] as number)
  const atMs = parseDate(text)
  if (atMs === undefined) {
    throw new UsageError(
      `--since: ${quote(text)} is no time. Write 2026-11-20, 2026-11-20T20:49:41Z, or a duration before now: 90s, 15m, 2h, 1d, 1w.`,
    )
  }
  return atMs
}

function parseDate(text: string): number | undefined {
  const parts = DATE.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '0', zone = 'Z'] = parts
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}`
  const localMs = Date.parse(`${iso}Z`)
  // Some parsers take 30 February for 2 March.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString() !== `${iso}Z`) return undefined
  const atMs = Date.parse(`${iso}${zone}`)
  return Number.isNaN(atMs) ? undefined : atMs
}
