import { priceCeiling, priceUsage } from '../contract/prices.js'
import { type Held, type Hold, NOTHING } from '../contract/meter.js'
import type { LlmRequest, Reservation, ReserveRequest, Spent } from '../contract/session-types.js'
import { type LlmUsage, type ParsedUsage, parseUsage, readTokens, readUsd } from '../contract/usage.js'
import { BudgetReserved, UnpricedModel, UsageInvalid } from '../core/errors.js'
import { isThenable, readFunction, readOptions, readText } from '../core/guards.js'
import { fromNanoUsd, type NanoUsd } from '../core/money.js'
import { Live, type SessionCore } from './core.js'
import type { Steps } from './decide.js'
import type { LiveCall } from './live-call.js'
import * as payloads from './payloads.js'

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
export function reserveLlm(core: SessionCore, request: LlmRequest): LlmReservation {
  core.assertOpen()
  const { model, maxTokens, maxUsd } = parseLlmRequest(request)
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
  const reservation = reserveLlm(core, request)
  let reply: Reply
  try {
    const running = run(call.signal)
    reply = isThenable(running) ? ((yield running) as Reply) : (running as Reply)
  } catch (error) {
    const { usageOfError } = request
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

/** A hold that is settled exactly once: by its owner, or in full when the session has to stop. */
abstract class OpenReservation<Actual> extends Live implements Reservation<Actual> {
  protected readonly core: SessionCore
  protected readonly hold: Hold
  #settled = false

  constructor(core: SessionCore, hold: Hold) {
    super()
    this.core = core
    this.hold = hold
  }

  /** Lets the end of the session settle the hold, for one that is handed out. */
  handOut(): this {
    this.core.enter(this)
    return this
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

  protected abstract charge(actual: Actual): Failure | undefined
  protected abstract chargeHold(reason: unknown): void

  #close(): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.core.leave(this)
    return true
  }
}

class AmountReservation extends OpenReservation<Spent> {
  protected override charge(actual: Spent): Failure | undefined {
    const { core, hold } = this
    try {
      const { usd, tokens } = parseAmounts('settle', actual)
      const breach = core.meter.settle(hold, usd, tokens)
      core.emit('charge', payloads.charge(usd, tokens, 'reported'))
      return breach === undefined ? undefined : { error: core.kill(breach) }
    } catch (error) {
      if (error instanceof UsageInvalid) this.chargeHold(error)
      return { error }
    }
  }

  protected override chargeHold(_reason: unknown): void {
    const { core, hold } = this
    core.meter.settle(hold, hold.usd, hold.tokens)
    core.note('charge', payloads.charge(hold.usd, hold.tokens, 'estimated'))
  }
}

/** The hold of one model call. */
export class LlmReservation extends OpenReservation<LlmUsage> {
  readonly #model: string

  constructor(core: SessionCore, hold: Hold, model: string) {
    super(core, hold)
    this.#model = model
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

interface Failure {
  readonly error: unknown
}

/**
 * Charges reported usage against a hold, records it, and kills what it breaks. Usage that cannot be charged
 * is charged as the hold, in full.
 */
function settleLlm(
  core: SessionCore,
  hold: Hold,
  model: string | undefined,
  read: () => LlmUsage,
  enforcement: 'enforced' | 'observed',
  late = false,
): Failure | undefined {
  let usage: ParsedUsage | undefined
  let refused: unknown
  let cost: Cost = { usd: hold.usd, by: 'reservation' }
  try {
    usage = parseUsage(read())
    cost = priceOf(core, usage)
  } catch (error) {
    refused = error
  }
  const tokens = usage === undefined ? hold.tokens : usage.inputTokens + usage.outputTokens
  const breach = core.meter.settle(hold, cost.usd ?? 0, tokens)
  const record = payloads.llmCall(usage?.model ?? model ?? 'unknown', usage, tokens, {
    costUsd: refused !== undefined && hold === NOTHING ? undefined : cost.usd,
    pricedBy: cost.by,
    metering: refused === undefined ? 'reported' : hold === NOTHING ? 'refused' : 'estimated',
    enforcement,
    late,
    ...(refused === undefined ? {} : { error: refused }),
  })
  try {
    core.emit('llm_call', record)
  } catch (failure) {
    return { error: breach === undefined ? failure : core.kill(breach) }
  }
  if (breach !== undefined) return { error: core.kill(breach) }
  return refused === undefined ? undefined : { error: refused }
}

interface Cost {
  /** Undefined when the call has no price and needs none. */
  readonly usd: NanoUsd | undefined
  readonly by: string
}

/** @throws {@link UnpricedModel} when US dollars are limited and nobody says what the call cost. */
function priceOf(core: SessionCore, usage: ParsedUsage): Cost {
  if (usage.costUsd !== undefined) return { usd: usage.costUsd, by: 'caller' }
  const { prices } = core.agent
  const rates = prices.rates(usage.model)
  if (rates !== undefined) return { usd: priceUsage(rates, usage), by: prices.name }
  if (core.isUsdLimited) throw new UnpricedModel(usage.model)
  return { usd: undefined, by: 'none' }
}

function takeHold(core: SessionCore, usd: NanoUsd, tokens: number): Hold {
  const taken = core.meter.hold(usd, tokens)
  if ('meter' in taken) throw core.kill(taken)
  if ('asked' in taken) throw reserved(taken)
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
}

function parseLlmRequest(value: unknown): ParsedRequest {
  const { model, maxTokens, maxUsd, usageOfError } = readOptions('model call', value, ['model', 'maxTokens', 'maxUsd', 'usageOfError'])
  if (usageOfError !== undefined) readFunction('model call: usageOfError', usageOfError)
  return {
    model: readText('model', model, 256),
    maxTokens: maxTokens === undefined ? undefined : readTokens('maxTokens', maxTokens),
    maxUsd: maxUsd === undefined ? undefined : readUsd('maxUsd', maxUsd),
  }
}

function parseAmounts(label: string, value: unknown): { usd: NanoUsd; tokens: number } {
  const { usd, tokens } = readOptions(label, value, ['usd', 'tokens'])
  return {
    usd: usd === undefined ? 0 : readUsd('usd', usd),
    tokens: tokens === undefined ? 0 : readTokens('tokens', tokens),
  }
}
