import { Bench } from 'tinybench'

/** A measured variant of one case: its median time per operation. */
export interface Measured {
  readonly name: string
  readonly medianUs: number
}

/** Work of one variant: one operation, or a batch of a known size. */
export interface Variant {
  readonly name: string
  /** Operations that one call of `run` makes; 1 when absent. */
  readonly operations?: number
  readonly run: () => unknown
}

/** Rounds over all variants. The fastest counts: noise of the machine only ever adds. */
const ROUNDS = 5

/** Measures variants in turn, several rounds, so that a slow moment of the machine hits all of them. */
export async function measure(variants: readonly Variant[], timeMs = 300): Promise<Measured[]> {
  const best = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench({ time: timeMs, warmupTime: 50, throws: true })
    for (const { name, run } of variants) bench.add(name, run as () => Promise<unknown>)
    await bench.run()
    for (const task of bench.tasks) {
      const { result } = task
      if (result?.state !== 'completed') throw new TypeError(`benchmark ${task.name} did not complete`)
      const operations = variants.find(({ name }) => name === task.name)?.operations ?? 1
      const us = (result.latency.p50 * 1000) / operations
      best.set(task.name, Math.min(best.get(task.name) ?? Number.POSITIVE_INFINITY, us))
    }
  }
  return variants.map(({ name }) => ({ name, medianUs: best.get(name) ?? Number.NaN }))
}

/** What a case should reach, as a ratio against one of its variants; without a number, what it happens to be. */
export interface Target {
  readonly against: string
  /** Ours may take at most this many times its time. */
  readonly atMost?: number
  /** It takes at least this many times our time. */
  readonly atLeast?: number
}

/**
 * Prints a case: every variant, and the ratios against the targets. Figures of one run, never a gate.
 *
 * @param title none for more ratios of the case before.
 */
export function report(
  title: string | undefined,
  measured: readonly Measured[],
  ours: string,
  targets: readonly Target[],
): void {
  if (title !== undefined) {
    console.log(`\n${title}`)
    for (const { name, medianUs } of measured)
      console.log(`  ${name.padEnd(34)} ${medianUs.toFixed(3).padStart(9)} us`)
  }
  const timeOf = (wanted: string): number =>
    measured.find(({ name }) => name === wanted)?.medianUs ?? Number.NaN
  for (const { against, atMost, atLeast } of targets) {
    if (atMost === undefined && atLeast === undefined) {
      console.log(
        `  ${(timeOf(ours) / timeOf(against)).toFixed(2).padStart(6)} x   the time of ${against}: ${ours}`,
      )
      continue
    }
    const ratio = atMost === undefined ? timeOf(against) / timeOf(ours) : timeOf(ours) / timeOf(against)
    const reached = atMost === undefined ? ratio >= (atLeast ?? 0) : ratio <= atMost
    const wanted =
      atMost === undefined ? `at least ${atLeast} x faster than` : `at most ${atMost} x the time of`
    console.log(
      `  ${ratio.toFixed(1).padStart(6)} x   ${wanted} ${against}: ${reached ? 'reached' : 'missed'}`,
    )
  }
}
