import type {
  AnySession,
  LlmRequest,
  ModelReservation,
  Remaining,
  Reservation,
  ReserveRequest,
  Spent,
} from '../contract/any-session.js'
import type { CredentialOptions } from '../contract/credential.js'
import type { LlmUsage } from '../contract/usage.js'
import { describe } from '../core/describe.js'
import type { Usage } from '../core/limits.js'
import { SessionRevoked } from '../core/session-revoked.js'
import type { SessionCore } from './core.js'
import { parseLlmRequest, recordLlm, reserveAmounts, reserveLlm } from './metering.js'
import { remainingOf, usageOf, wallMsLeft } from './snapshots.js'

/** What both kinds of session show of their core. */
export abstract class SessionFace implements AnySession {
  readonly #core: SessionCore

  constructor(core: SessionCore) {
    this.#core = core
    core.handle = this
  }

  get id(): string {
    return this.#core.id
  }

  get principal(): string {
    return `${this.#core.agent.identity}@${this.#core.id}`
  }

  get user(): string {
    return this.#core.setup.user
  }

  get task(): string | undefined {
    return this.#core.setup.task
  }

  get tools(): readonly string[] {
    return this.#core.setup.registry.names
  }

  get signal(): AbortSignal {
    return this.#core.lifecycle.signal
  }

  get state(): AnySession['state'] {
    return this.#core.lifecycle.state
  }

  abstract credential(options: CredentialOptions): Promise<string>

  usage(): Usage {
    return usageOf(this.#core.meter, this.#core.wallMs)
  }

  remaining(): Remaining {
    return remainingOf(this.#core.meter, wallMsLeft(this.#core))
  }

  recordLlm(usage: LlmUsage): void {
    recordLlm(this.#core, usage)
  }

  reserve(request: LlmRequest): ModelReservation
  reserve(request: ReserveRequest): Reservation<Spent>
  reserve(request: LlmRequest | ReserveRequest): ModelReservation | Reservation<Spent> {
    if (!Object.hasOwn(request, 'model')) return reserveAmounts(this.#core, request as ReserveRequest)
    const parsed = parseLlmRequest(request)
    return reserveLlm(this.#core, parsed).handOutCall(parsed.usageOfError)
  }

  revoke(sessionId: string): void {
    const { subtree } = this.#core
    const nested = subtree?.find(sessionId)
    if (subtree === undefined || nested === undefined) {
      throw new RangeError(`revoke: no open session ${describe(sessionId)} is nested in this one`)
    }
    subtree.revoke(nested, new SessionRevoked(nested.id))
  }
}
