import type { SessionChoice } from '../metered/find-session.js'
import type { Deliver } from './lane.js'
import type { PinCheck } from './pin-check.js'

/** What a connection is governed by. */
export interface GateOptions extends SessionChoice {
  readonly server: string
  readonly prefix: string
  readonly pins: PinCheck | undefined
}

/** The two ends of a connection. */
export interface Ends {
  readonly toServer: Deliver
  readonly toClient: Deliver
  readonly report: (error: Error) => void
}
