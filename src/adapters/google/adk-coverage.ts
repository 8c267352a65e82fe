/**
 * How a part of a run is governed. `enforced`: it goes through the session, or does not happen. `observed`: it
 * is refused, unless the plugin is told to let it pass. `outside`: it is not seen.
 */
export type AdkGovernance = 'enforced' | 'observed' | 'outside'

/** One line of {@link ADK_COVERAGE}. */
export interface AdkCoveredPart {
  readonly part: string
  readonly governance: AdkGovernance
}

/** What `governedPlugin` enforces, and what it does not. */
export const ADK_COVERAGE: readonly AdkCoveredPart[] = Object.freeze(
  (
    [
      ['models of the class Gemini', 'enforced'],
      ['tools of agents', 'enforced'],
      ['tools of toolsets', 'enforced'],
      ['tool nodes of workflows', 'enforced'],
      ['agents transferred to', 'enforced'],
      ['agents as tools', 'enforced'],
      ['hosted tools', 'observed'],
      ['models that take no fetch', 'observed'],
      ['code executors', 'observed'],
      ['live runs', 'observed'],
      ['models of context compactors', 'outside'],
      ['agents elsewhere', 'outside'],
      ['plugins and callbacks', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
