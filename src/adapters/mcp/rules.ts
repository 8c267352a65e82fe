import type { Lane } from './lane.js'
import * as methods from './methods.js'

/** What may come from one end without asking the contract, and what may come after asking it. */
export interface Rules {
  readonly lane: Lane
  /** Who sends here: for errors. */
  readonly from: 'client' | 'server'
  readonly passed: ReadonlySet<string>
  readonly told: ReadonlySet<string>
  readonly tools: ReadonlyMap<string, string>
}

/** What a client may send to a server. */
export function clientRules(lane: Lane): Rules {
  return {
    lane,
    from: 'client',
    passed: methods.PASSED_TO_SERVER,
    told: methods.TOLD_TO_SERVER,
    tools: methods.ASKED_OF_SERVER,
  }
}

/** What a server may send to a client. */
export function serverRules(lane: Lane): Rules {
  return {
    lane,
    from: 'server',
    passed: methods.PASSED_TO_CLIENT,
    told: methods.TOLD_TO_CLIENT,
    tools: methods.ASKED_OF_CLIENT,
  }
}
