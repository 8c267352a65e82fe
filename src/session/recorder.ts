import type { EventName } from '../audit/event.js'
import type { Meter } from '../contract/meter.js'
import * as payloads from './session-payloads.js'
import type { AgentSetup } from './setup.js'

/** Writes the records of one session, each with its consumption at that moment. */
export class SessionRecorder {
  readonly #agent: AgentSetup
  readonly #meter: Meter
  readonly #envelope: string
  readonly #openedMs: number
  #endedMs: number | undefined
  #records = 0

  constructor(agent: AgentSetup, id: string, user: string, meter: Meter) {
    this.#agent = agent
    this.#meter = meter
    this.#envelope = payloads.envelope(id, agent.identity, user)
    this.#openedMs = agent.clock.monotonicMs()
  }

  /** When the session opened, on the monotonic clock. */
  get openedMs(): number {
    return this.#openedMs
  }

  /** Whole milliseconds since the session opened; they stop at its end. */
  get wallMs(): number {
    return Math.floor((this.#endedMs ?? this.#agent.clock.monotonicMs()) - this.#openedMs)
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  write(event: EventName, payload: string): void {
    this.#agent.log.append(event, payload, this.#envelope, payloads.budget(this.#meter, this.wallMs))
    this.#records += 1
  }

  /** The clock of the session stops here. */
  stopClock(): void {
    this.#endedMs = this.#agent.clock.monotonicMs()
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  writeEnd(outcome: payloads.Outcome, reason: unknown, inFlight: number, refused: number): void {
    const records = this.#records + 1
    const end = { outcome, reason, meter: this.#meter, wallMs: this.wallMs, inFlight, refused, records }
    this.write('session_end', payloads.sessionEnd(end))
  }
}
