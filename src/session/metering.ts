import type { LlmRequest, Reservation, ReserveRequest, Spent } from '../contract/any-session.js'
import { NOTHING } from '../contract/meter.js'
import { priceBounds, priceCeiling } from '../contract/rates.js'
import { type LlmUsage, readTokens, readUsd } from '../contract/usage.js'
import { describe } from '../core/describe.js'
import { isThenable, readFunction, readOptions, readText } from '../core/guards.js'
import type { NanoUsd } from '../core/money.js'
import { UnpricedModel } from '../core/usage-errors.js'
import type { SessionCore } from './core.js'
import type { Steps } from './decide.js'
import type { LiveCall } from './live-call.js'
import { settleLlm } from './llm-charge.js'
import { AmountReservation, LlmReservation, parseAmounts } from './reservation.js'
import { takeHold } from './take-hold.js'

/**
 * Charges and records a model call that has happened: in a dead session as well, because the money is
 * spent, and then the session refuses the call as it refuses every other.
 */
export function recordLlm(core: SessionCore, reported: LlmUsage): void {
  try {
    core.assertOpen()
  } catch (refusal) {
    core.meter.count('llmCalls')
    settleLlm(core, NOTHING, undefined, () => reported, 'observed', true)
    throw refusal
  }
  const breach = core.meter.count('llmCalls')
  // The call has happened: what it used is charged and recorded even where it was one too many.
  const failure = settleLlm(core, NOTHING, undefined, () => reported, 'observed')
  if (breach !== undefined) throw core.kill(breach)
  if (failure !== undefined) throw failure.error
}

/** Holds what a model call may cost, and counts the call. */
export function reserveLlm(core: SessionCore, request: ParsedRequest): LlmReservation {
  core.assertOpen()
  const { model, maxTokens, maxUsd } = request
  const ceiling = ceilingOf(core, request)
  const tokens = maxTokens ?? leftOf(core, 'tokens')
  const usd = maxUsd ?? ceiling ?? leftOf(core, 'usd')
  const hold = takeHold(core, usd, tokens)
  const breach = core.meter.count('llmCalls')
  if (breach !== undefined) {
    core.meter.settle(hold, 0, 0)
    throw core.kill(breach)
  }
  return new LlmReservation(core, hold, model)
}

/** One model call: hold, run, charge what `usageOf` reads from the reply. */
export function* llmSteps<Reply>(
  call: LiveCall,
  request: LlmRequest,
  run: (signal: AbortSignal) => Promise<Reply> | Reply,
  usageOf: (reply: Reply) => LlmUsage,
): Steps<Reply> {
  readFunction('callLlm: run', run)
  readFunction('callLlm: usageOf', usageOf)
  const { core } = call
  const parsed = parseLlmRequest(request)
  const { usageOfError } = parsed
  // Not in flight before it is paid for: a call that is refused must not count as one that was stopped.
  core.leave(call)
  const reservation = reserveLlm(core, parsed)
  core.enter(call)
  let reply: Reply
  try {
    const running = run(call.signal)
    reply = isThenable(running) ? ((yield running) as Reply) : (running as Reply)
  } catch (error) {
    if (call.aborted !== undefined || usageOfError === undefined) reservation.abort(error)
    else reservation.settleWith(() => usageOfError(error))
    throw error
  }
  reservation.settleWith(() => usageOf(reply))
  core.throwIfInterrupted()
  return reply
}

/** Holds plain amounts. */
export function reserveAmounts(core: SessionCore, request: ReserveRequest): Reservation<Spent> {
  core.assertOpen()
  const { usd, tokens } = parseAmounts('reserve', request)
  return new AmountReservation(core, takeHold(core, usd, tokens)).handOut()
}

/**
 * Everything that is left, for a call that does not say how much it may use; nothing where nothing is
 * limited. Where nothing is left, such a call asks for one more unit than there is, because it cannot be free.
 */
function leftOf(core: SessionCore, name: 'usd' | 'tokens'): number {
  const left = core.meter.left(name)
  if (left === Number.POSITIVE_INFINITY) return 0
  return Math.max(1, left)
}

function ceilingOf(
  core: SessionCore,
  { model, maxTokens, split, mustHavePrice }: ParsedRequest,
): NanoUsd | undefined {
  if (maxTokens === undefined && !mustHavePrice) return undefined
  const rates = core.agent.prices.rates(model)
  if (rates === undefined) {
    if (mustHavePrice && core.meter.left('usd') !== Number.POSITIVE_INFINITY) throw new UnpricedModel(model)
    return undefined
  }
  if (split !== undefined) return priceBounds(rates, split.inputTokens, split.outputTokens)
  return maxTokens === undefined ? undefined : priceCeiling(rates, maxTokens)
}

interface ParsedRequest {
  readonly model: string
  readonly maxTokens: number | undefined
  /** The two parts of `maxTokens`, where they are known. */
  readonly split: { readonly inputTokens: number; readonly outputTokens: number } | undefined
  readonly maxUsd: NanoUsd | undefined
  readonly mustHavePrice: boolean
  readonly usageOfError: LlmRequest['usageOfError']
}

const REQUEST_KEYS = [
  'model',
  'maxTokens',
  'maxInputTokens',
  'maxOutputTokens',
  'maxUsd',
  'mustHavePrice',
  'usageOfError',
] as const satisfies readonly (keyof LlmRequest)[]

/** A request, each member of it read once. @throws TypeError, RangeError or {@link UsageInvalid} (ERR_USAGE_INVALID) */
export function parseLlmRequest(value: unknown): ParsedRequest {
  const given = readOptions('model call', value, REQUEST_KEYS)
  const { model, maxTokens, maxUsd, mustHavePrice = false, usageOfError } = given
  if (typeof mustHavePrice !== 'boolean') {
    throw new TypeError(`model call.mustHavePrice: expected a boolean, got ${describe(mustHavePrice)}`)
  }
  const split = parseSplit(given)
  const whole = split === undefined ? undefined : split.inputTokens + split.outputTokens
  return {
    model: readText('model', model, 256),
    maxTokens: maxTokens === undefined ? whole : readTokens('maxTokens', maxTokens),
    split,
    maxUsd: maxUsd === undefined ? undefined : readUsd('maxUsd', maxUsd),
    mustHavePrice,
    usageOfError:
      usageOfError === undefined
        ? undefined
        : readFunction<NonNullable<LlmRequest['usageOfError']>>('model call: usageOfError', usageOfError),
  }
}

function parseSplit({
  maxTokens,
  maxInputTokens,
  maxOutputTokens,
}: {
  readonly [K in (typeof REQUEST_KEYS)[number]]?: unknown
}): ParsedRequest['split'] {
  if (maxInputTokens === undefined && maxOutputTokens === undefined) return undefined
  if (maxInputTokens === undefined || maxOutputTokens === undefined || maxTokens !== undefined) {
    throw new TypeError('model call: give maxInputTokens and maxOutputTokens together, and no maxTokens')
  }
  const inputTokens = readTokens('maxInputTokens', maxInputTokens)
  const outputTokens = readTokens('maxOutputTokens', maxOutputTokens)
  readTokens('maxInputTokens + maxOutputTokens', inputTokens + outputTokens)
  return { inputTokens, outputTokens }
}
