const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
]

/** How long ago something was, in one unit: `3 h`. */
export function ageText(ms: number): string {
  for (const [name, unitMs] of UNITS) if (ms >= 2 * unitMs) return `${Math.floor(ms / unitMs)} ${name}`
  return `${Math.max(0, Math.floor(ms / 1000))} s`
}
