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
      ['model.invoke', 'enforced'],
      ['model.stream', 'enforced'],
      ['model.batch', 'enforced'],
      ['model.generate', 'enforced'],
      ['model.streamEvents', 'enforced'],
      ['model.bindTools', 'enforced'],
      ['model.withConfig', 'enforced'],
      ['model.withStructuredOutput', 'enforced'],
      ['model.pipe', 'enforced'],
      ['models of createAgent', 'enforced'],
      ['tools of createAgent', 'enforced'],
      ['agents and graphs inside of tools', 'enforced'],
      ['tools that the provider hosts', 'observed'],
      ['single tries of a model that tries again', 'outside'],
      ['answers from the cache of a model', 'outside'],
      ['embeddings, LLMs that are no chat models, retrievers', 'outside'],
      ['models that other middleware calls', 'outside'],
      ['tools called without an agent', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
