/** A part of what Claude Code does, and what the contract makes of it. */
export interface CoveredPart {
  readonly part: string
  /**
   * `enforced`: it happens only if the contract says so. `held`: what it may cost is held before it starts and
   * handed to Claude Code as its own limit, which stops between two model calls. `outside`: nothing is known of it.
   */
  readonly governance: 'enforced' | 'held' | 'outside'
}

/** What is governed of a run. */
export const COVERAGE: readonly CoveredPart[] = Object.freeze(
  (
    [
      ['tools that Claude Code runs, its own and those of MCP servers', 'enforced'],
      ['tools of subagents', 'enforced'],
      ['tools of the Writ agent', 'enforced'],
      ['model calls of the main loop and of subagents', 'held'],
      ['tools that Anthropic hosts', 'outside'],
      ['hooks, plugins and MCP servers starting', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
