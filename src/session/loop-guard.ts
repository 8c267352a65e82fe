import { deny } from '../contract/decision.js'
import type { Clock } from '../core/clock.js'
import { sha256Hex } from '../core/digest.js'
import { ToolTimeout } from '../core/errors.js'
import { readMember } from '../core/guards.js'
import { plainText } from '../core/plain-text.js'
import { type Permit, type Refusal, refuse } from './decide.js'
import { MAX_REMEMBERED, type ParsedLoops } from './loop-options.js'

/** A call that would go on with a loop. */
export interface LoopFinding {
  /** What is to come of it: a denial, or the question to a person whether it may run all the same. */
  readonly action: 'deny' | 'approve'
  /** The denial: as configured, and what becomes of a call that nobody approves. */
  readonly refusal: Refusal
}

interface Attempt {
  readonly digest: string
  readonly atMs: number
}

/**
 * What a session remembers of its calls to see that they go round in circles: digests, never inputs, of the
 * last {@link MAX_REMEMBERED} calls. Denied attempts are remembered too, so that asking again does not help.
 */
export class LoopGuard {
  readonly #options: ParsedLoops
  readonly #clock: Clock
  readonly #attempts: Attempt[] = []
  /** For each period: how many calls in a row, up to the last, were the same as the one a period before. */
  readonly #runs: number[]
  #failed: { readonly tool: string; readonly error: string; times: number } | undefined

  constructor(options: ParsedLoops, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#runs = new Array<number>((options.cycle?.maxPeriod ?? 1) + 1).fill(0)
  }

  /**
   * Whether a call would go on with a loop.
   *
   * @param remember false for a question that no call follows.
   */
  check(permit: Permit, remember: boolean): LoopFinding | undefined {
    const { name } = permit.tool
    const digest = sha256Hex(`${name} ${plainText(permit.input)}`)
    const nowMs = this.#clock.monotonicMs()
    const runs = this.#runs.map((run, period) => (this.#before(period) === digest ? run + 1 : 0))
    const found = this.#repeats(digest, nowMs) ?? this.#cycles(runs) ?? this.#fails(name)
    if (remember) {
      this.#attempts.push({ digest, atMs: nowMs })
      if (this.#attempts.length > MAX_REMEMBERED) this.#attempts.shift()
      for (const [period, run] of runs.entries()) this.#runs[period] = run
    }
    if (found === undefined) return undefined
    const { tool, input } = permit
    const detail = `,"loop":"${found}"`
    return {
      action: this.#options.action,
      refusal: refuse(deny(name, 'loop_detected'), tool, input, true, undefined, detail),
    }
  }

  /** A tool has failed, with an error that is known by its name and code. */
  failed(tool: string, error: unknown): void {
    if (this.#options.errors === undefined) return
    const text = errorName(error)
    if (this.#failed?.tool === tool && this.#failed.error === text) this.#failed.times += 1
    else this.#failed = { tool, error: text, times: 1 }
  }

  /** A tool was stopped from outside: at its own time limit it has failed, otherwise nobody knows. */
  stopped(tool: string, reason: unknown): void {
    if (reason instanceof ToolTimeout) this.failed(tool, reason)
  }

  /** A tool did what it does, so the run of errors is over. */
  succeeded(): void {
    this.#failed = undefined
  }

  #before(period: number): string | undefined {
    return period === 0 ? undefined : this.#attempts.at(-period)?.digest
  }

  #repeats(digest: string, nowMs: number): 'repeat' | undefined {
    const { repeat } = this.#options
    if (repeat === undefined) return undefined
    let times = 0
    for (let index = this.#attempts.length - 1; index >= 0; index--) {
      const attempt = this.#attempts[index] as Attempt
      if (nowMs - attempt.atMs >= repeat.windowMs) break
      if (attempt.digest === digest) times += 1
    }
    return times >= repeat.times ? 'repeat' : undefined
  }

  /** One call over and over is no cycle: that is what `repeat` is for. */
  #cycles(runs: readonly number[]): 'cycle' | undefined {
    const { cycle } = this.#options
    if (cycle === undefined) return undefined
    const same = runs[1] ?? 0
    for (let period = 2; period <= cycle.maxPeriod; period++) {
      const length = (runs[period] ?? 0) + period
      if (length > period * cycle.times && same < period - 1) return 'cycle'
    }
    return undefined
  }

  #fails(tool: string): 'errors' | undefined {
    const { errors } = this.#options
    if (errors === undefined || this.#failed?.tool !== tool) return undefined
    return this.#failed.times >= errors.times ? 'errors' : undefined
  }
}

/** Bounded, and whatever it is made of: an error that throws when it is read is one of its own. */
function errorName(error: unknown): string {
  try {
    const part = (name: string): string => {
      const value = readMember(error, name)
      return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 128) : ''
    }
    return `${part('name')} ${part('code')}`
  } catch {
    return 'unreadable'
  }
}
