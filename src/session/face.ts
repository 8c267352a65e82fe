import type { AnySession, LlmRequest, Remaining, Reservation, ReserveRequest, Spent } from '../contract/session-types.js'
import type { LlmUsage } from '../contract/usage.js'
import type { Usage } from '../core/limits.js'
import type { SessionCore } from './core.js'
import { recordLlm, reserveAmounts, reserveLlm } from './metering.js'

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
    return this.#core.principal
  }

  get user(): string {
    return this.#core.setup.user
  }

  get task(): string | undefined {
    return this.#core.setup.task
  }

  get signal(): AbortSignal {
    return this.#core.signal
  }

  get state(): AnySession['state'] {
    return this.#core.state
  }

  usage(): Usage {
    return this.#core.usage()
  }

  remaining(): Remaining {
    return this.#core.remaining()
  }

  recordLlm(usage: LlmUsage): void {
    recordLlm(this.#core, usage)
  }

  reserve(request: LlmRequest): Reservation<LlmUsage>
  reserve(request: ReserveRequest): Reservation<Spent>
  reserve(request: LlmRequest | ReserveRequest): Reservation<LlmUsage> | Reservation<Spent> {
    return 'model' in request ? reserveLlm(this.#core, request).handOut() : reserveAmounts(this.#core, request)
  }
}
