import type { Breach, Held, Hold } from '../contract/meter.js'
import { BudgetReserved } from '../core/errors.js'
import { fromNanoUsd, type NanoUsd } from '../core/money.js'
import type { SessionCore } from './core.js'

const isBreach = (taken: Hold | Breach | Held): taken is Breach => Object.hasOwn(taken, 'meter')
const isHeld = (taken: Hold | Held): taken is Held => Object.hasOwn(taken, 'asked')

/**
 * Holds an amount on the session and on all it is nested in.
 *
 * @param held what the amount takes the place of.
 * @throws {@link BudgetExceeded} (ERR_BUDGET_EXCEEDED) when it does not fit in what is left; the session is dead.
 * @throws {@link BudgetReserved} (ERR_BUDGET_RESERVED) when it does not fit beside what is held.
 */
export function takeHold(core: SessionCore, usd: NanoUsd, tokens: number, held?: Hold): Hold {
  const taken = held === undefined ? core.meter.hold(usd, tokens) : core.meter.extend(held, usd, tokens)
  if (isBreach(taken)) throw core.kill(taken)
  if (isHeld(taken)) throw reserved(taken)
  return taken
}

function reserved({ limit, asked, left, held }: Held): BudgetReserved {
  const shown = (amount: number): number => (limit === 'usd' ? fromNanoUsd(amount) : amount)
  return new BudgetReserved(limit, shown(asked), shown(left), shown(held))
}
