import type { NanoUsd } from '../core/money.js'
import type { Limits } from './budget.js'
import type { Below, CountName, MeterNode, PathWindow } from './meter.js'
import type { WindowLimits } from './rolling-limits.js'

/**
 * Parts of a window. What was spent counts until its whole part is older than the window: at most one part
 * too long, never too short.
 */
const PARTS = 64

interface Part {
  readonly index: number
  usd: NanoUsd
  tokens: number
  toolCalls: number
  llmCalls: number
  sessions: number
}

type Amount = Exclude<keyof Part, 'index'>

/** What was consumed within a time that moves along. Holds at most {@link PARTS} + 2 sums. */
export class RollingWindow {
  readonly label: PathWindow
  readonly rule: WindowLimits
  heldUsd: NanoUsd = 0
  heldTokens = 0
  /** Set when it was forgotten because nothing was in it: another stands in its place. */
  forgotten = false
  readonly #nowMs: () => number
  readonly #partMs: number
  readonly #parts: Part[] = []
  readonly #sum: Part = { index: 0, usd: 0, tokens: 0, toolCalls: 0, llmCalls: 0, sessions: 0 }

  /** @param nowMs a clock that never runs backwards, in milliseconds. */
  constructor(label: PathWindow, rule: WindowLimits, nowMs: () => number) {
    this.label = label
    this.rule = rule
    this.#nowMs = nowMs
    this.#partMs = Math.ceil(rule.label.windowMs / PARTS)
  }

  /** Nothing is spent or held within the window. */
  get isIdle(): boolean {
    this.#prune()
    return this.#parts.length === 0 && this.heldUsd === 0 && this.heldTokens === 0
  }

  total(name: Amount): number {
    if (this.#parts.length > 0) this.#prune()
    return this.#sum[name]
  }

  add(name: Amount, amount: number): void {
    if (amount === 0) return
    const index = this.#prune()
    let part = this.#parts.at(-1)
    if (part === undefined || part.index !== index) {
      part = { index, usd: 0, tokens: 0, toolCalls: 0, llmCalls: 0, sessions: 0 }
      this.#parts.push(part)
    }
    part[name] += amount
    this.#sum[name] += amount
  }

  /** Takes out what is too old. Returns the part that it is now. */
  #prune(): number {
    const nowMs = this.#nowMs()
    for (let oldest = this.#parts[0]; oldest !== undefined; oldest = this.#parts[0]) {
      if (nowMs < (oldest.index + 1) * this.#partMs + this.rule.label.windowMs) break
      this.#parts.shift()
      for (const name of ['usd', 'tokens', 'toolCalls', 'llmCalls', 'sessions'] as const) {
        this.#sum[name] -= oldest[name]
      }
    }
    return Math.floor(nowMs / this.#partMs)
  }
}

/** A rolling window as it stands on the path of one session: what is charged there is charged to the window. */
export class WindowNode implements MeterNode {
  readonly parent: MeterNode | undefined
  depth = 0
  below: Below | undefined
  readonly denials = 0
  readonly #find: () => RollingWindow
  #found: RollingWindow

  /** @param find the window of this key: a new one where the last was forgotten. */
  constructor(find: () => RollingWindow, parent: MeterNode | undefined) {
    this.#find = find
    this.#found = find()
    this.parent = parent
    if (parent !== undefined) parent.below ??= { usd: 0, tokens: 0, toolCalls: 0, llmCalls: 0, denials: 0 }
  }

  get #window(): RollingWindow {
    if (this.#found.forgotten) this.#found = this.#find()
    return this.#found
  }

  get window(): PathWindow {
    return this.#found.label
  }

  get limits(): Limits {
    return this.#found.rule.limits
  }

  get usd(): NanoUsd {
    return this.#window.total('usd')
  }

  get tokens(): number {
    return this.#window.total('tokens')
  }

  get toolCalls(): number {
    return this.#window.total('toolCalls')
  }

  get llmCalls(): number {
    return this.#window.total('llmCalls')
  }

  get heldUsd(): NanoUsd {
    return this.#window.heldUsd
  }

  get heldTokens(): number {
    return this.#window.heldTokens
  }

  add(name: CountName): void {
    if (name !== 'denials') this.#window.add(name, 1)
  }

  keep(usd: NanoUsd, tokens: number): void {
    const window = this.#window
    window.heldUsd += usd
    window.heldTokens += tokens
  }

  spend(usd: NanoUsd, tokens: number): void {
    const window = this.#window
    window.add('usd', usd)
    window.add('tokens', tokens)
  }
}
