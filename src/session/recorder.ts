import type { EventName } from '../audit/event.js'
import type { Meter } from '../contract/meter.js'
import type { SessionClock } from './session-clock.js'
import * as payloads from './session-payloads.js'
import type { AgentSetup } from './setup.js'

/** Writes the records of one session, each with its consumption at that moment. */
export class SessionRecorder {
  readonly #agent: AgentSetup
  readonly #meter: Meter
  readonly #id: string
  readonly #user: string
  readonly #clock: SessionClock
  /** Kept from the third record on: a session that does nothing has two, and holds no more than it must. */
  #envelope: string | undefined
  #records = 0

  constructor(agent: AgentSetup, id: string, user: string, meter: Meter, clock: SessionClock) {
    this.#agent = agent
    this.#meter = meter
    this.#id = id
    this.#user = user
    this.#clock = clock
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  write(event: EventName, payload: string): void {
    const budget = payloads.budget(this.#meter, this.#clock.wallMs)
    this.#agent.log.append(event, payload, this.#envelope ?? this.#identify(), budget)
    this.#records += 1
  }

  #identify(): string {
    const { identity } = this.#agent
    if (this.#records < 2) return payloads.envelope(this.#id, identity, this.#user)
    this.#envelope = payloads.flatEnvelope(this.#id, identity, this.#user)
    return this.#envelope
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  writeEnd(outcome: payloads.Outcome, reason: unknown, inFlight: number, refused: number): void {
    const records = this.#records + 1
    const end = {
      outcome,
      reason,
      meter: this.#meter,
      wallMs: this.#clock.wallMs,
      inFlight,
      refused,
      records,
    }
    this.write('session_end', payloads.sessionEnd(end))
  }
}
