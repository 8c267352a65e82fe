import type { Limits } from '../contract/budget.js'
import { isUnder, type MeterNode } from '../contract/meter.js'
import { type ParsedRolling, parseRolling, type WindowLimits } from '../contract/rolling-limits.js'
import { WindowBook } from '../contract/window-book.js'
import type { Clock } from '../core/clock.js'
import { isThenable } from '../core/guards.js'
import { LimitsUnavailable } from '../core/limits-unavailable.js'
import type { Steps } from './decide.js'
import { Lease, readAnswer, requestFor } from './lease.js'

/** What stands above a session beside the sessions it is nested in, and what it may hold on to for how long. */
export interface Above {
  readonly meter: MeterNode | undefined
  /** The session's own limits, with what the leases allow. */
  readonly limits: Limits
  /** Called when the session has ended: a promise while a store is being told. */
  release(): Promise<unknown> | undefined
}

/** The rolling limits of an agent, in this process or in a store. */
export class RollingGuard {
  readonly #rolling: ParsedRolling
  readonly #identity: string
  readonly #clock: Clock
  readonly #book: WindowBook

  /** @throws TypeError or RangeError for limits that are none, saying which. */
  constructor(limits: unknown, identity: string, clock: Clock) {
    this.#rolling = parseRolling('limits', limits)
    this.#identity = identity
    this.#clock = clock
    this.#book = new WindowBook(() => clock.monotonicMs())
  }

  /** True where a store may have to be waited for. */
  get asks(): boolean {
    return this.#rolling.store !== undefined
  }

  /**
   * For a session that opens at once.
   *
   * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when a window has nothing left.
   * @throws {@link LimitsUnavailable} (ERR_LIMITS_UNAVAILABLE) when the store fails, or answers with a promise.
   */
  enter(user: string, limits: Limits, parent: MeterNode | undefined): Above {
    const steps = this.#steps(user, limits, parent)
    let step = steps.next()
    while (step.done !== true) {
      this.#giveBackLater(step.value)
      step = steps.throw(
        new LimitsUnavailable('the store answers with a promise, which only agent.session() can wait for'),
      )
    }
    return step.value
  }

  /** As {@link enter}, waiting for the store as long as it may take. */
  async enterLater(user: string, limits: Limits, parent: MeterNode | undefined): Promise<Above> {
    const steps = this.#steps(user, limits, parent)
    let step = steps.next()
    while (step.done !== true) {
      let answer: unknown
      let failure: { readonly error: unknown } | undefined
      try {
        answer = await this.#inTime(step.value)
      } catch (error) {
        failure = { error }
      }
      step = failure === undefined ? steps.next(answer) : steps.throw(failure.error)
    }
    return step.value
  }

  *#steps(user: string, limits: Limits, parent: MeterNode | undefined): Steps<Above> {
    const { windows, store, leaseMs } = this.#rolling
    const keyOf = ({ label }: WindowLimits): string =>
      label.scope === 'user' ? `writ:${this.#identity}:user:${user}` : `writ:${this.#identity}:agent`
    if (store === undefined) {
      return { meter: this.#book.enter(windows, keyOf, parent), limits, release: () => undefined }
    }
    const askedMs = this.#clock.monotonicMs()
    const leases: Lease[] = []
    let meter = parent
    try {
      for (const rule of windows.filter((each) => !isUnder(parent, keyOf(each), store)).reverse()) {
        const request = requestFor(keyOf(rule), rule, limits, leaseMs)
        let answer: unknown = store.lease(request)
        if (isThenable(answer)) answer = yield answer
        const lease = readAnswer(answer, request, rule, store, meter)
        leases.push(lease)
        meter = lease.meter
      }
    } catch (error) {
      void this.#told(leases)
      throw asUnavailable(error)
    }
    if (leases.length === 0) return { meter, limits, release: () => undefined }
    // The store counts the lease as spent from then on, so nothing may be spent under it any more.
    const wallMs = Math.max(0, leaseMs - Math.ceil(this.#clock.monotonicMs() - askedMs))
    return {
      meter,
      limits: Object.freeze({ ...limits, wallMs: Math.min(limits.wallMs, wallMs) }),
      release: () => this.#told(leases),
    }
  }

  /** Resolves when the store knows what was spent, or has had the time: then its leases count in full. */
  #told(leases: readonly Lease[]): Promise<unknown> | undefined {
    const telling = leases.map((lease) => lease.settle()).filter((told) => told !== undefined)
    if (telling.length === 0) return undefined
    return Promise.all(telling.map((told) => this.#inTime(told).catch(() => undefined)))
  }

  #inTime(answer: PromiseLike<unknown>): Promise<unknown> {
    const { storeTimeoutMs } = this.#rolling
    const clock = this.#clock
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(
        () => {
          this.#giveBackLater(answer)
          reject(new LimitsUnavailable(`the store did not answer within ${storeTimeoutMs} ms`))
        },
        storeTimeoutMs,
        false,
      )
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clock.clearTimer(timer)
          settle(value)
        }
      // A promise of our own: a thenable may answer twice, or throw when it is asked.
      Promise.resolve(answer).then(done(resolve), done(reject))
    })
  }

  /** A lease that comes when nobody waits for it any more is worth nothing. */
  #giveBackLater(answer: PromiseLike<unknown>): void {
    const { store } = this.#rolling
    Promise.resolve(answer).then(
      (late) => {
        if (store !== undefined) Lease.giveBack(store, late)
      },
      () => undefined,
    )
  }
}

/** A limit that is used up, and an answer that is none, say so themselves; whatever else is the store's failure. */
function asUnavailable(error: unknown): unknown {
  return Lease.isRefusal(error) ? error : new LimitsUnavailable('the store failed', { cause: error })
}
