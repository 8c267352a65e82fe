import { ApprovalFailure, type ApprovalRequest } from '../contract/approval.js'
import type { Verdict } from './approval-answer.js'
import type { CallRecord } from './call-record.js'
import type { Deadline } from './deadlines.js'
import type { LiveCall } from './live-call.js'

/**
 * The wait of one call for its approval: no longer than an answer may take, and no longer than the call
 * lives. What was decided is on record before whatever comes of it.
 */
export class ApprovalWait {
  readonly #call: LiveCall
  readonly #record: CallRecord
  readonly #request: ApprovalRequest
  readonly #startedMs: number
  readonly #pausedMs: number
  readonly #timeoutMs: number
  readonly #controller = new AbortController()
  readonly #onAbort: LiveCall['onAbort']
  #deadline: Deadline | undefined
  #hasEnded = false

  constructor(call: LiveCall, record: CallRecord, request: ApprovalRequest, timeoutMs: number) {
    const { agent, clock, inFlight } = call.core
    this.#call = call
    this.#record = record
    this.#request = request
    this.#timeoutMs = timeoutMs
    this.#startedMs = agent.clock.monotonicMs()
    this.#pausedMs = clock.pausedMs
    this.#onAbort = call.onAbort
    call.onAbort = (reason) => {
      this.#close('aborted', undefined)
      this.#controller.abort(reason)
      this.#onAbort?.(reason)
    }
    inFlight.wait(call, true)
  }

  /** Aborted when nobody waits for an answer any more. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** True when it is too late for an answer, also where no timer could say so. */
  get isOver(): boolean {
    return this.#waitedMs >= this.#timeoutMs
  }

  /** The answer, or a rejection when it is too late for one. */
  within(answer: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { core } = this.#call
      this.#deadline = {
        place: -1,
        atMs: this.#startedMs + this.#timeoutMs,
        ambient: core,
        onDeadline: () => reject(new ApprovalFailure('approval_timeout', 'nobody answered in time')),
      }
      core.agent.deadlines.add(this.#deadline)
      answer.then(resolve, reject)
    })
  }

  /**
   * @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) when the decision cannot be recorded.
   */
  end(verdict: Verdict): void {
    if (this.#hasEnded) return
    this.#close(verdict.outcome, verdict)
    if (verdict.by === undefined) {
      this.#controller.abort(new ApprovalFailure('approval_error', 'no answer is wanted any more'))
    }
  }

  get #waitedMs(): number {
    return this.#call.core.agent.clock.monotonicMs() - this.#startedMs
  }

  #close(outcome: Verdict['outcome'] | 'aborted', verdict: Verdict | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { core } = this.#call
    this.#call.onAbort = this.#onAbort
    if (this.#deadline !== undefined) core.agent.deadlines.remove(this.#deadline)
    core.inFlight.wait(this.#call, false)
    this.#record.approvalDecided(this.#request.digest, {
      outcome,
      by: verdict?.by,
      reason: verdict?.reason,
      waitedMs: this.#waitedMs,
      excludedMs: core.clock.pausedMs - this.#pausedMs,
      resumedFrom: undefined,
    })
  }
}
