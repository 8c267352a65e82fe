import type { ModelUsage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk'
import type { AnySession, LlmUsage, ModelReservation } from '../../index.js'

/** Cumulative figures of a run, as its results report them. */
type Totals = Readonly<Record<string, ModelUsage>>

/**
 * What a run costs: held before it starts, charged with each result, and forfeited where there is none.
 *
 * Claude Code makes its model calls in a process of its own. What is held is its limit.
 */
export class RunCost {
  readonly #session: AnySession
  readonly #model: string
  readonly #maxUsd: number | undefined
  #reservation: ModelReservation | undefined
  #charged: Totals = {}

  /** @param maxUsd most US dollars of a run; without it, all that the session has left. */
  constructor(session: AnySession, model: string, maxUsd: number | undefined) {
    this.#session = session
    this.#model = model
    this.#maxUsd = maxUsd
  }

  /** Holds what the next turn may cost, unless that is held already. @throws as `session.reserve`. */
  hold(): void {
    this.#reservation ??= this.#session.reserve({
      model: this.#model,
      ...(this.#maxUsd === undefined ? {} : { maxUsd: this.#maxUsd }),
    })
  }

  /**
   * Charges what a result reports beyond the one before it, a record for each model.
   *
   * @throws as `settle` of a reservation.
   */
  charge({ modelUsage }: SDKResultMessage): void {
    const before = this.#charged
    this.#charged = modelUsage
    const used = Object.entries(modelUsage)
      .map(([model, now]) => usageOf(model, now, before[model]))
      .filter(({ inputTokens, outputTokens, costUsd = 0 }) => inputTokens + outputTokens + costUsd > 0)
      .sort((a, b) => (b.costUsd ?? 0) - (a.costUsd ?? 0))
    const [dearest, ...others] = used
    const reservation = this.#reservation
    this.#reservation = undefined
    const nothing: LlmUsage = { model: this.#model, inputTokens: 0, outputTokens: 0, costUsd: 0 }
    reservation?.settle(dearest ?? nothing)
    for (const usage of others) this.#session.recordLlm(usage)
  }

  /** The run ended without a result: nobody can say what it cost. */
  lose(error: unknown): void {
    const reservation = this.#reservation
    this.#reservation = undefined
    reservation?.forfeit(error)
  }
}

function usageOf(model: string, now: ModelUsage, before: ModelUsage | undefined): LlmUsage {
  const more = (read: (usage: ModelUsage) => number | undefined): number =>
    Math.max(0, (read(now) ?? 0) - (before === undefined ? 0 : (read(before) ?? 0)))
  const cachedInputTokens = more((usage) => usage.cacheReadInputTokens)
  const cacheWriteTokens = more((usage) => usage.cacheCreationInputTokens)
  const outputTokens = more((usage) => usage.outputTokens)
  return {
    model: model.slice(0, 256),
    inputTokens: more((usage) => usage.inputTokens) + cachedInputTokens + cacheWriteTokens,
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: Math.min(
      cacheWriteTokens,
      more((usage) => usage.cacheCreationEphemeral1hInputTokens),
    ),
    reasoningTokens: Math.min(
      outputTokens,
      more((usage) => usage.thinkingTokens),
    ),
    // Sums of fractions: what is below a pico-dollar is noise, and would be rounded up.
    costUsd: Number(more((usage) => usage.costUSD).toFixed(12)),
  }
}
