import type { AnySession, LlmRequest, LlmUsage, ModelReservation } from '../../index.js'
import { assertOutermost } from './outermost.js'
import { estimateTokens } from './text-size.js'

/** What is known of a model call before it is made. */
export interface CallBounds {
  readonly model: string
  /** Tokens of input, estimated. */
  readonly inputTokens: number
  /** False where the input is more than what is sent: everything that is left is held then. */
  readonly isInputBounded: boolean
  /** Most tokens of output; `undefined` holds everything that is left. */
  readonly maxOutputTokens: number | undefined
  /** True for a request whose output arrives as it is made. */
  readonly isStreamed: boolean
}

/** Tokens, as a provider reports them. */
export type ReportedTokens = Pick<
  LlmUsage,
  | 'inputTokens'
  | 'outputTokens'
  | 'cachedInputTokens'
  | 'cacheWriteTokens'
  | 'cacheWrite1hTokens'
  | 'reasoningTokens'
>

/**
 * One model call under a session: held before it is made, charged exactly once however it ends, and stopped
 * with the session.
 *
 * It ends in one of these: `finish` (the provider said what it used), `refuse` (the provider did nothing for
 * it), `lose` (nobody can say any more), or the end of the session, which is the last with a request that is
 * aborted.
 */
export class MeteredCall {
  readonly #bounds: CallBounds
  readonly #reservation: ModelReservation
  readonly #abort = new AbortController()
  readonly #caller: AbortSignal | undefined
  readonly #onCallerAbort = (): void => this.stop(this.#caller?.reason)
  readonly #startMs = performance.now()
  #isOpen = true
  #stopped: { readonly reason: unknown } | undefined
  /** Bytes of text received; `undefined` where nobody sees the output before it is whole. */
  #textBytes: number | undefined
  #reported: ReportedTokens | undefined
  #isPartial = false

  /**
   * Holds what the call may use.
   *
   * @param caller aborts the call, and nothing of the session.
   * @throws TypeError where the call is metered further out.
   * @throws as `session.reserve`; {@link UnpricedModel} (ERR_UNPRICED_MODEL) when the model has no price and needs one.
   */
  constructor(session: AnySession, bounds: CallBounds, caller: AbortSignal | undefined) {
    assertOutermost()
    this.#bounds = bounds
    this.#caller = caller
    this.#textBytes = bounds.isStreamed ? 0 : undefined
    this.#reservation = session.reserve(this.#request())
    if (caller?.aborted) this.#onCallerAbort()
    else caller?.addEventListener('abort', this.#onCallerAbort)
  }

  /** For the request to the provider: aborted by the caller, and by the end of the session. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Why the session stopped the call, if it did. */
  get stopped(): { readonly reason: unknown } | undefined {
    return this.#stopped
  }

  /** From now on the output is seen as it is made. */
  startStream(): void {
    this.#textBytes ??= 0
  }

  /**
   * Notes output as it arrives.
   *
   * @param bytes of text.
   * @param reported what the provider says so far.
   * @param isPartial true where the output, or a part of it, is not in that.
   * @throws as {@link ModelReservation.cover}, when a limit is crossed: the call has been charged and stopped.
   */
  receive(bytes: number, reported?: ReportedTokens, isPartial = false): void {
    if (!this.#isOpen) return
    this.#textBytes = (this.#textBytes ?? 0) + bytes
    if (reported !== undefined) {
      this.#reported = reported
      this.#isPartial = isPartial
    }
    try {
      this.#reservation.cover(this.#estimate(undefined))
    } catch (error) {
      this.stop(error)
      throw error
    }
  }

  /**
   * Charges what the provider reports.
   *
   * @throws as `settle` of a reservation.
   */
  finish(reported: ReportedTokens): void {
    this.#settle({ ...reported, model: this.#bounds.model, latencyMs: this.#elapsedMs() })
  }

  /** The end of the output without a report of what it used: an estimate is charged. @throws as `finish`. */
  finishUnreported(): void {
    if (this.#reported === undefined || this.#isPartial) this.#settle(this.#estimate(undefined))
    else this.finish(this.#reported)
  }

  /** The provider did nothing that it charges for: nothing is charged, and the call is on record. */
  refuse(error: unknown): void {
    const { model } = this.#bounds
    this.#settle({ model, inputTokens: 0, outputTokens: 0, costUsd: 0, latencyMs: this.#elapsedMs(), error })
  }

  /**
   * Nobody will say what the call used. What was seen of a stream is charged as an estimate; of a call whose
   * output nobody saw, all that was held.
   */
  lose(error: unknown): void {
    if (!this.#isOpen) return
    if (this.#textBytes === undefined) {
      this.#isOpen = false
      this.#reservation.forfeit(error)
      return
    }
    try {
      this.#settle(this.#estimate(error))
    } catch {
      // A limit that this crosses has ended the session: whoever owns it is told.
    }
  }

  /** Loses the call and closes the connection. */
  stop(error: unknown): void {
    this.lose(error)
    this.detach()
    this.#abort.abort(error)
  }

  #settle(usage: LlmUsage): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#reservation.settle(usage)
  }

  /** The connection is done with: the caller's signal is let go. */
  detach(): void {
    this.#caller?.removeEventListener('abort', this.#onCallerAbort)
  }

  /** The session stops. It takes the reservation with it, so what this returns is what is charged. */
  #onSessionStop(reason: unknown): LlmUsage {
    this.#stopped = { reason }
    this.#isOpen = false
    this.detach()
    this.#abort.abort(reason)
    if (this.#textBytes === undefined) throw reason
    return this.#estimate(reason)
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs
  }

  #estimate(error: unknown): LlmUsage {
    const { model, inputTokens, maxOutputTokens } = this.#bounds
    const seen = estimateTokens(this.#textBytes ?? 0)
    // The provider keeps to its bound, so an estimate a little above it is wrong. One far above it is not.
    const isWithin = maxOutputTokens !== undefined && seen <= 2 * maxOutputTokens
    const outputTokens = isWithin ? Math.min(seen, maxOutputTokens) : seen
    const reported = this.#reported
    return {
      model,
      inputTokens,
      ...reported,
      outputTokens: Math.max(outputTokens, reported?.outputTokens ?? 0),
      latencyMs: this.#elapsedMs(),
      estimated: true,
      error,
    }
  }

  #request(): LlmRequest {
    const { model, inputTokens, isInputBounded, maxOutputTokens } = this.#bounds
    const bounds =
      isInputBounded && maxOutputTokens !== undefined ? { maxInputTokens: inputTokens, maxOutputTokens } : {}
    return {
      model,
      ...bounds,
      mustHavePrice: true,
      usageOfError: (reason) => this.#onSessionStop(reason),
    }
  }
}
