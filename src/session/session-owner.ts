import type { Ambient } from './async-context.js'

/** Who has to end a session. */
export interface SessionOwner {
  /** Called when what is under way has to stop. */
  onInterrupt(reason: unknown, session: Ambient): void
  /** Called when it was killed and nothing that it had permitted is under way any more. */
  onDrained?(session: Ambient): void
}
