import type { LlmRequest, ModelReservation, Reservation, Spent } from '../contract/any-session.js'
import type { Hold } from '../contract/meter.js'
import { type LlmUsage, parseUsage, readTokens, readUsd } from '../contract/usage.js'
import { readOptions } from '../core/guards.js'
import type { NanoUsd } from '../core/money.js'
import type { SessionCore } from './core.js'
import { Live } from './live.js'
import { type Failure, priceOf, settleLlm } from './llm-charge.js'
import * as payloads from './llm-payloads.js'
import { takeHold } from './take-hold.js'

/** A hold that is settled exactly once: by its owner, or in full when the session has to stop. */
abstract class OpenReservation<Actual> extends Live implements Reservation<Actual> {
  protected readonly core: SessionCore
  protected hold: Hold
  #settled = false

  constructor(core: SessionCore, hold: Hold) {
    super()
    this.core = core
    this.hold = hold
  }

  /** What a caller may hold: the two methods and nothing behind them. The end of the session settles it. */
  handOut(): Reservation<Actual> {
    this.core.enter(this)
    return Object.freeze({
      settle: (actual: Actual): void => this.settle(actual),
      release: (): void => this.release(),
    })
  }

  settle(actual: Actual): void {
    if (!this.#close()) return
    const failure = this.charge(actual)
    if (failure !== undefined) throw failure.error
  }

  release(): void {
    if (this.#close()) this.core.meter.settle(this.hold, 0, 0)
  }

  /** Nobody can say any more what was spent: all that was held. */
  override abort(reason: unknown): void {
    if (this.#close()) this.chargeHold(reason)
  }

  protected get isSettled(): boolean {
    return this.#settled
  }

  protected abstract charge(actual: Actual): Failure | undefined
  protected abstract chargeHold(reason: unknown): void

  #close(): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.core.leave(this)
    return true
  }
}

/** The hold of plain amounts. */
export class AmountReservation extends OpenReservation<Spent> {
  protected override charge(actual: Spent): Failure | undefined {
    const { core, hold } = this
    let spent: { readonly usd: NanoUsd; readonly tokens: number }
    try {
      spent = parseAmounts('settle', actual)
    } catch (error) {
      this.chargeHold(error)
      return { error }
    }
    const breach = core.meter.settle(hold, spent.usd, spent.tokens)
    try {
      core.emit('charge', payloads.charge(spent.usd, spent.tokens, 'reported'))
    } catch (failure) {
      return { error: breach === undefined ? failure : core.kill(breach) }
    }
    return breach === undefined ? undefined : { error: core.kill(breach) }
  }

  protected override chargeHold(_reason: unknown): void {
    const { core, hold } = this
    core.meter.settle(hold, hold.usd, hold.tokens)
    core.note('charge', payloads.charge(hold.usd, hold.tokens, 'estimated'))
  }
}

/** The hold of one model call. */
export class LlmReservation extends OpenReservation<LlmUsage> implements ModelReservation {
  readonly #model: string
  #usageOfError: LlmRequest['usageOfError']

  constructor(core: SessionCore, hold: Hold, model: string) {
    super(core, hold)
    this.#model = model
  }

  /** As {@link OpenReservation.handOut}, for somebody who sees the call happen and may know what it has used. */
  handOutCall(usageOfError: LlmRequest['usageOfError']): ModelReservation {
    this.#usageOfError = usageOfError
    return Object.freeze({
      ...this.handOut(),
      cover: (soFar: LlmUsage): void => this.cover(soFar),
      forfeit: (error?: unknown): void => this.forfeit(error),
    })
  }

  cover(soFar: LlmUsage): void {
    if (this.isSettled) return
    const { core, hold } = this
    const usage = parseUsage(soFar)
    const usd = Math.max(hold.usd, priceOf(core, usage).usd ?? 0)
    const tokens = Math.max(hold.tokens, usage.inputTokens + usage.outputTokens)
    if (usd === hold.usd && tokens === hold.tokens) return
    this.hold = takeHold(core, usd, tokens, hold)
  }

  forfeit(error?: unknown): void {
    this.#usageOfError = undefined
    this.abort(error)
  }

  /** As `settle`, for usage that has to be asked for and may not come. */
  settleWith(ask: () => LlmUsage): void {
    let usage: LlmUsage
    try {
      usage = ask()
    } catch (error) {
      this.abort(error)
      throw error
    }
    this.settle(usage)
  }

  protected override charge(actual: LlmUsage): Failure | undefined {
    return settleLlm(this.core, this.hold, this.#model, () => actual, 'enforced')
  }

  protected override chargeHold(reason: unknown): void {
    const { core, hold } = this
    const ask = this.#usageOfError
    if (ask !== undefined) {
      settleLlm(core, hold, this.#model, () => ask(reason), 'enforced')
      return
    }
    core.meter.settle(hold, hold.usd, hold.tokens)
    core.note(
      'llm_call',
      payloads.llmCall(this.#model, undefined, hold.tokens, {
        costUsd: hold.usd,
        pricedBy: 'reservation',
        metering: 'estimated',
        enforcement: 'enforced',
        late: false,
        error: reason,
      }),
    )
  }
}

/** @throws {@link UsageInvalid} (ERR_USAGE_INVALID) naming the member that is wrong. */
export function parseAmounts(label: string, value: unknown): { usd: NanoUsd; tokens: number } {
  const { usd, tokens } = readOptions(label, value, ['usd', 'tokens'])
  return {
    usd: usd === undefined ? 0 : readUsd('usd', usd),
    tokens: tokens === undefined ? 0 : readTokens('tokens', tokens),
  }
}
