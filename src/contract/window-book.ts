import { BudgetExceeded } from '../core/errors.js'
import { NO_USAGE } from '../core/limits.js'
import { LimitsUnavailable } from '../core/limits-unavailable.js'
import { isUnder, type MeterNode } from './meter.js'
import type { WindowLimits } from './rolling-limits.js'
import { RollingWindow, WindowNode } from './rolling-window.js'

/** Windows that are kept at a time. Beyond it a new user is refused: to forget one would be to forgive it. */
const MAX_WINDOWS = 100_000
/** Windows that are looked at for every new one, so that idle ones go as fast as new ones come. */
const SWEEP = 4

/** The rolling windows of one agent, in this process. What has nothing in it is forgotten. */
export class WindowBook {
  readonly #nowMs: () => number
  readonly #maxWindows: number
  readonly #windows = new Map<string, RollingWindow>()

  /** @param nowMs a clock that never runs backwards, in milliseconds. */
  constructor(nowMs: () => number, maxWindows: number = MAX_WINDOWS) {
    this.#nowMs = nowMs
    this.#maxWindows = maxWindows
  }

  get size(): number {
    return this.#windows.size
  }

  /**
   * Puts the windows of a new session above it, but for those that it is under already, and counts the session.
   *
   * @param keyOf names the window of a rule.
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when no session is left of one; none has counted it then.
   * @throws {@link LimitsUnavailable} (ERR_LIMITS_UNAVAILABLE) when too many windows have something in them.
   */
  enter(
    rules: readonly WindowLimits[],
    keyOf: (rule: WindowLimits) => string,
    parent: MeterNode | undefined,
  ): MeterNode | undefined {
    const missing = rules.filter((rule) => !isUnder(parent, keyOf(rule), this))
    for (const rule of missing) {
      this.#makeRoom(keyOf(rule))
      const used = this.#find(keyOf(rule), rule).total('sessions')
      const { sessions: max, label } = rule
      if (used >= max) throw new BudgetExceeded('sessions', used, max, NO_USAGE, { window: label })
    }
    let above = parent
    // The agent's window is the outer one: it stands above that of the user.
    for (const rule of missing.reverse()) {
      const key = keyOf(rule)
      // Found again: an idle one may have been forgotten while room was made for the next.
      const find = (): RollingWindow => this.#find(key, rule)
      find().add('sessions', 1)
      above = new WindowNode(find, above)
    }
    return above
  }

  #makeRoom(key: string): void {
    if (this.#windows.has(key)) return
    this.#sweep(SWEEP)
    if (this.#windows.size >= this.#maxWindows) this.#sweep(this.#windows.size)
    if (this.#windows.size >= this.#maxWindows) {
      throw new LimitsUnavailable(`${this.#maxWindows} users and agents are within their windows already`)
    }
  }

  /** Never refuses: a session that is open has to be charged. */
  #find(key: string, rule: WindowLimits): RollingWindow {
    let window = this.#windows.get(key)
    if (window === undefined) {
      window = new RollingWindow({ ...rule.label, key, keeper: this }, rule, this.#nowMs)
      this.#windows.set(key, window)
    }
    return window
  }

  /** Forgets the idle ones among the windows that were looked at longest ago. */
  #sweep(atMost: number): void {
    let left = atMost
    for (const [key, window] of this.#windows) {
      if (left === 0) return
      left -= 1
      this.#windows.delete(key)
      if (window.isIdle) window.forgotten = true
      else this.#windows.set(key, window)
    }
  }
}
