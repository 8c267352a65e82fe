/**
 * How a part of a run is governed. `enforced`: it goes through the session, or does not happen. `observed`: it
 * is refused, unless the adapter is told to let it pass, and then it is on record at no cost. `outside`: it is
 * not seen.
 */
export type Governance = 'enforced' | 'observed' | 'outside'

/** One line of {@link COVERAGE}. */
export interface CoveredPart {
  readonly part: string
  readonly governance: Governance
}

/** What `governedProvider`, `governedModel` and `governAgent` enforce, and what they do not. */
export const COVERAGE: readonly CoveredPart[] = Object.freeze(
  (
    [
      ['getResponse', 'enforced'],
      ['getStreamedResponse', 'enforced'],
      ['function tools', 'enforced'],
      ['tools of MCP servers', 'enforced'],
      ['agents handed off to', 'enforced'],
      ['governed agents as tools', 'enforced'],
      ['hosted tools', 'observed'],
      ['computer, shell and apply_patch tools', 'observed'],
      ['background responses', 'observed'],
      ['single tries of a client that tries again', 'outside'],
      ['guardrails and hooks', 'outside'],
      ['realtime sessions', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
