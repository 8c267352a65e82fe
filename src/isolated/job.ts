import type { CallFacts } from './protocol.js'

/** How a call ended. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown }

/** One call, from the moment it is made to its outcome. */
export interface Job {
  readonly input: string | undefined
  readonly facts: CallFacts
  /** Milliseconds until it is stopped. Asking stops the call when its time is up. */
  readonly leftMs: () => number
  /** Called once. */
  readonly settle: (outcome: Outcome) => void
}
