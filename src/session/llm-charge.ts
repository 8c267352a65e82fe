import { type Hold, NOTHING } from '../contract/meter.js'
import { priceUsage } from '../contract/rates.js'
import { type LlmUsage, type ParsedUsage, parseUsage } from '../contract/usage.js'
import type { NanoUsd } from '../core/money.js'
import { UnpricedModel } from '../core/usage-errors.js'
import type { SessionCore } from './core.js'
import * as payloads from './llm-payloads.js'

/** Why a charge was refused, or what it killed. */
export interface Failure {
  readonly error: unknown
}

/**
 * Charges reported usage against a hold, records it, and kills what it breaks. Usage that cannot be charged
 * is charged as the hold, in full.
 */
export function settleLlm(
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
    metering: meteringOf(usage, refused, hold),
    enforcement,
    late,
    error: refused ?? usage?.error,
  })
  try {
    core.emit('llm_call', record)
  } catch (failure) {
    return { error: breach === undefined ? failure : core.kill(breach) }
  }
  if (breach !== undefined) return { error: core.kill(breach) }
  return refused === undefined ? undefined : { error: refused }
}

function meteringOf(
  usage: ParsedUsage | undefined,
  refused: unknown,
  hold: Hold,
): 'reported' | 'estimated' | 'refused' {
  if (refused === undefined) return usage?.estimated === true ? 'estimated' : 'reported'
  return hold === NOTHING ? 'refused' : 'estimated'
}

interface Cost {
  /** Undefined when the call has no price and needs none. */
  readonly usd: NanoUsd | undefined
  readonly by: string
}

/** @throws {@link UnpricedModel} when US dollars are limited and nobody says what the call cost. */
export function priceOf(core: SessionCore, usage: ParsedUsage): Cost {
  if (usage.costUsd !== undefined) return { usd: usage.costUsd, by: 'caller' }
  const { prices } = core.agent
  const rates = prices.rates(usage.model)
  if (rates !== undefined) return { usd: priceUsage(rates, usage), by: rates.by }
  if (core.meter.left('usd') !== Number.POSITIVE_INFINITY) throw new UnpricedModel(usage.model)
  return { usd: undefined, by: 'none' }
}
