import type { EventName } from '../audit/event.js'
import type { Meter } from '../contract/meter.js'
import type { SessionClock } from './session-clock.js'
import * as payloads from './session-payloads.js'
import type { AgentSetup, SessionSetup } from './setup.js'

/** A session, as far as its records say something of it. */
interface Recorded {
  readonly agent: AgentSetup
  readonly id: string
  readonly setup: SessionSetup
  readonly meter: Meter
  readonly clock: SessionClock
}

/** Writes the records of one session, each with its consumption at that moment. */
export class SessionRecorder {
  /** Kept from the third record on: a session that does nothing has two, and holds no more than it must. */
  #envelope: string | undefined
  #records = 0

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  write(session: Recorded, event: EventName, payload: string): void {
    const budget = payloads.budget(session.meter, session.clock.wallMs)
    const { id, agent, setup } = session
    if (this.#records === 2) this.#envelope = payloads.flatEnvelope(id, agent.identity, setup.user)
    const envelope = this.#envelope ?? payloads.envelope(id, agent.identity, setup.user)
    agent.log.append(event, payload, envelope, budget)
    this.#records += 1
  }

  /** @throws {@link AuditUnavailable} (ERR_AUDIT_UNAVAILABLE) */
  writeEnd(
    session: Recorded,
    outcome: payloads.Outcome,
    reason: unknown,
    inFlight: number,
    refused: number,
  ): void {
    const records = this.#records + 1
    const { meter, clock } = session
    const end = { outcome, reason, meter, wallMs: clock.wallMs, inFlight, refused, records }
    this.write(session, 'session_end', payloads.sessionEnd(end))
  }
}
