import type { LlmRequest, Reservation, ReserveRequest, Spent } from '../contract/any-session.js'
import { type Breach, type Held, type Hold, NOTHING } from '../contract/meter.js'
import { priceCeiling } from '../contract/prices.js'
import { type LlmUsage, readTokens, readUsd } from '../contract/usage.js'
import { BudgetReserved } from '../core/errors.js'
import { isThenable, readFunction, readOptions, readText } from '../core/guards.js'
import { fromNanoUsd, type NanoUsd } from '../core/money.js'
import type { SessionCore } from './core.js'
import type { Steps } from './decide.js'
import type { LiveCall } from './live-call.js'
import { settleLlm } from './llm-charge.js'
import { AmountReservation, LlmReservation, parseAmounts } from './reservation.js'

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
export function reserveLlm(core: SessionCore, { model, maxTokens, maxUsd }: ParsedRequest): LlmReservation {
  core.assertOpen()
  const tokens = maxTokens ?? leftOf(core, 'tokens')
  const usd = maxUsd ?? ceiling(core, model, maxTokens) ?? leftOf(core, 'usd')
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

const isBreach = (taken: Hold | Breach | Held): taken is Breach => Object.hasOwn(taken, 'meter')
const isHeld = (taken: Hold | Held): taken is Held => Object.hasOwn(taken, 'asked')

function takeHold(core: SessionCore, usd: NanoUsd, tokens: number): Hold {
  const taken = core.meter.hold(usd, tokens)
  if (isBreach(taken)) throw core.kill(taken)
  if (isHeld(taken)) throw reserved(taken)
  return taken
}

function reserved({ limit, asked, left, held }: Held): BudgetReserved {
  const shown = (amount: number): number => (limit === 'usd' ? fromNanoUsd(amount) : amount)
  return new BudgetReserved(limit, shown(asked), shown(left), shown(held))
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

function ceiling(core: SessionCore, model: string, maxTokens: number | undefined): NanoUsd | undefined {
  const rates = maxTokens === undefined ? undefined : core.agent.prices.rates(model)
  return rates === undefined || maxTokens === undefined ? undefined : priceCeiling(rates, maxTokens)
}

interface ParsedRequest {
  readonly model: string
  readonly maxTokens: number | undefined
  readonly maxUsd: NanoUsd | undefined
  readonly usageOfError: LlmRequest['usageOfError']
}

/** A request, each member of it read once. @throws TypeError, RangeError or {@link UsageInvalid} (ERR_USAGE_INVALID) */
export function parseLlmRequest(value: unknown): ParsedRequest {
  const { model, maxTokens, maxUsd, usageOfError } = readOptions('model call', value, [
    'model',
    'maxTokens',
    'maxUsd',
    'usageOfError',
  ])
  return {
    model: readText('model', model, 256),
    maxTokens: maxTokens === undefined ? undefined : readTokens('maxTokens', maxTokens),
    maxUsd: maxUsd === undefined ? undefined : readUsd('maxUsd', maxUsd),
    usageOfError:
      usageOfError === undefined
        ? undefined
        : readFunction<NonNullable<LlmRequest['usageOfError']>>('model call: usageOfError', usageOfError),
  }
}
