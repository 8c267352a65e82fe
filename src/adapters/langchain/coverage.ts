/**
 * How a part of LangChain is governed. `enforced`: it goes through the session, or does not happen. `observed`:
 * it is refused, unless the adapter is told to let it pass, and then its tokens alone are metered. `outside`: it
 * is not seen.
 */
export type Governance = 'enforced' | 'observed' | 'outside'

/** One line of {@link COVERAGE}. */
export interface CoveredPart {
  readonly part: string
  readonly governance: Governance
}

/** What `governedModel` and `governedMiddleware` enforce, and what they do not. */
export const COVERAGE: readonly CoveredPart[] = Object.freeze(
  (
    [
      ['invoke, generate and batch', 'enforced'],
      ['stream and streamEvents', 'enforced'],
      ['bindTools, withStructuredOutput, withConfig and pipe', 'enforced'],
      ['models of createAgent', 'enforced'],
      ['tools of createAgent', 'enforced'],
      ['governed agents in tools', 'enforced'],
      ['tools that the provider hosts', 'observed'],
      ['single tries of a model that tries again', 'outside'],
      ['answers from a cache of LangChain', 'outside'],
      ['embeddings, older LLMs and retrievers', 'outside'],
      ['tools of LangChain called without an agent', 'outside'],
      ['middleware, callbacks, and models that they call', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
