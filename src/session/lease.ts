import type { Limits } from '../contract/budget.js'
import type { LeaseRequest, LimitStore, WindowAmounts } from '../contract/limit-store.js'
import { Meter, type MeterNode } from '../contract/meter.js'
import type { WindowLimits } from '../contract/rolling-limits.js'
import { BudgetExceeded } from '../core/errors.js'
import { isThenable, readMember } from '../core/guards.js'
import { NO_USAGE, type RollingLimitName } from '../core/limits.js'
import { LimitsUnavailable } from '../core/limits-unavailable.js'
import { fromNanoUsd } from '../core/money.js'

/** The names of amounts in the store's terms, and in ours. */
const AMOUNTS = [
  ['nanoUsd', 'usd'],
  ['tokens', 'tokens'],
  ['toolCalls', 'toolCalls'],
  ['llmCalls', 'llmCalls'],
] as const

/** What a session asks of one window: all that it could use, of what the window limits. */
export function requestFor(key: string, rule: WindowLimits, session: Limits, leaseMs: number): LeaseRequest {
  const limits: { -readonly [A in keyof WindowAmounts]: number } = {}
  const ask: { -readonly [A in keyof WindowAmounts]: number } = {}
  for (const [amount, name] of AMOUNTS) {
    const limit = rule.limits[name]
    if (limit === Number.POSITIVE_INFINITY) continue
    limits[amount] = limit
    ask[amount] = Math.min(limit, session[name])
  }
  if (rule.sessions !== Number.POSITIVE_INFINITY) {
    limits.sessions = rule.sessions
    ask.sessions = 1
  }
  const { windowMs } = rule.label
  return Object.freeze({ key, windowMs, limits: Object.freeze(limits), ask: Object.freeze(ask), leaseMs })
}

/** A slice of a window that a session holds until it ends, as a meter above the session's own. */
export class Lease {
  readonly meter: Meter
  readonly #id: string
  readonly #store: LimitStore
  readonly #sessions: boolean

  constructor(id: string, store: LimitStore, meter: Meter, sessions: boolean) {
    this.#id = id
    this.#store = store
    this.meter = meter
    this.#sessions = sessions
  }

  /** Tells the store what was spent; a promise while it is being told. Where it cannot be, all counts as spent. */
  settle(): PromiseLike<unknown> | undefined {
    const { usd, tokens, toolCalls, llmCalls } = this.meter
    const spent = { nanoUsd: usd, tokens, toolCalls, llmCalls }
    return tell(this.#store, this.#id, this.#sessions ? { ...spent, sessions: 1 } : spent)
  }

  /** Gives back what an answer grants, if it grants anything. */
  static giveBack(store: LimitStore, answer: unknown): void {
    const id = readMember(answer, 'ok') === true ? readMember(answer, 'id') : undefined
    if (typeof id === 'string') tell(store, id, {})?.then(undefined, () => undefined)
  }

  static isRefusal(error: unknown): boolean {
    return error instanceof BudgetExceeded || error instanceof LimitsUnavailable
  }
}

function tell(store: LimitStore, id: string, spent: WindowAmounts): PromiseLike<unknown> | undefined {
  try {
    const told = store.settle(id, Object.freeze(spent))
    return isThenable(told) ? told : undefined
  } catch {
    // The lease is the store's to count: in full, when its time is over.
    return undefined
  }
}

/**
 * The lease in an answer of a store.
 *
 * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when it is refused.
 * @throws {@link LimitsUnavailable} (ERR_LIMITS_UNAVAILABLE) for an answer that is neither.
 */
export function readAnswer(
  answer: unknown,
  request: LeaseRequest,
  rule: WindowLimits,
  store: LimitStore,
  parent: MeterNode | undefined,
): Lease {
  const ok = readMember(answer, 'ok')
  if (ok === false) throw refusalIn(answer, rule)
  const id = readMember(answer, 'id')
  const granted = ok === true && typeof id === 'string' ? grantedIn(answer, request) : undefined
  if (granted === undefined) {
    Lease.giveBack(store, answer)
    throw new LimitsUnavailable('the store gave no answer that can be used')
  }
  const window = { ...rule.label, key: request.key, keeper: store }
  return new Lease(id as string, store, new Meter(granted, parent, window), request.ask.sessions === 1)
}

/** Every amount that was asked for, none of it more than that; `undefined` where one is not. */
function grantedIn(answer: unknown, { ask }: LeaseRequest): Limits | undefined {
  const granted = readMember(answer, 'granted')
  const limits = {
    usd: Number.POSITIVE_INFINITY,
    tokens: Number.POSITIVE_INFINITY,
    toolCalls: Number.POSITIVE_INFINITY,
    llmCalls: Number.POSITIVE_INFINITY,
    wallMs: Number.POSITIVE_INFINITY,
    depth: Number.POSITIVE_INFINITY,
    denials: Number.POSITIVE_INFINITY,
  }
  for (const [amount, name] of AMOUNTS) {
    const asked = ask[amount]
    if (asked === undefined) continue
    const given = readMember(granted, amount)
    if (!isAmount(given) || given > asked) return undefined
    limits[name] = given
  }
  if (ask.sessions !== undefined && readMember(granted, 'sessions') !== ask.sessions) return undefined
  return Object.freeze(limits)
}

function refusalIn(answer: unknown, rule: WindowLimits): BudgetExceeded | LimitsUnavailable {
  const limit = readMember(answer, 'limit')
  const used = readMember(answer, 'used')
  const max = readMember(answer, 'max')
  if (!isLimit(limit) || !isAmount(used) || !isAmount(max)) {
    return new LimitsUnavailable('the store refused without saying which limit is used up')
  }
  const shown = (amount: number): number => (limit === 'usd' ? fromNanoUsd(amount) : amount)
  return new BudgetExceeded(limit, shown(used), shown(max), NO_USAGE, { window: rule.label })
}

const isLimit = (value: unknown): value is RollingLimitName =>
  value === 'usd' ||
  value === 'tokens' ||
  value === 'toolCalls' ||
  value === 'llmCalls' ||
  value === 'sessions'

const isAmount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
