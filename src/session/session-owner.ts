import type { SessionCore } from './core.js'

/** Who has to end a session. */
export interface SessionOwner {
  /** Called when what is under way has to stop. */
  onInterrupt(reason: unknown, session: SessionCore): void
  /** Called when it was killed and nothing that it had permitted is under way any more. */
  onDrained?(session: SessionCore): void
}
