import { WritError } from '../core/errors.js'

/** Why an isolated tool gave no answer that can be taken. */
export type CrashReason = 'exit' | 'memory' | 'load' | 'output' | 'unresponsive' | 'closed'

/**
 * An isolated tool ended without a usable answer: its worker or process went away (`exit`), ran out of
 * memory (`memory`) or does not react (`unresponsive`), its module could not be loaded (`load`), what it
 * returned is no JSON value or is too large (`output`), or `close()` was called (`closed`). What the tool had
 * done until then, nobody can say. The next call gets another worker.
 */
export class ToolCrashed extends WritError {
  override readonly name = 'ToolCrashed'
  readonly code = 'ERR_TOOL_CRASHED'
  readonly reason: CrashReason

  constructor(reason: CrashReason, message: string) {
    super(`the isolated tool ${message}`)
    this.reason = reason
  }
}
