import { WritError } from '../core/errors.js'

/**
 * An isolated tool was ended because its call was stopped. Its caller is told why the call was stopped
 * (`BudgetExceeded`, `ToolTimeout`, …); this is the late result in the log: from here on the tool does
 * nothing any more.
 */
export class ToolKilled extends WritError {
  override readonly name = 'ToolKilled'
  readonly code = 'ERR_TOOL_KILLED'
  /** False when the call was still waiting for a free worker: then the tool did nothing at all. */
  readonly started: boolean

  constructor(started: boolean) {
    super(
      started
        ? 'the isolated tool was ended because its call was stopped'
        : 'the isolated tool did not start: its call was stopped while it waited for a free worker',
    )
    this.started = started
  }
}
