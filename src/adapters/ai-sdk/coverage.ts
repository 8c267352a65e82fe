/**
 * How a part of a program is governed. `enforced`: it goes through the session, or does not happen. `observed`:
 * it is refused, unless the adapter is told to let it pass. `outside`: it is not seen.
 */
export type Governance = 'enforced' | 'observed' | 'outside'

/** One line of {@link COVERAGE}. */
export interface CoveredPart {
  readonly part: string
  readonly governance: Governance
}

/** What `governModel`, `governedMiddleware`, `governTools` and `toTools` enforce, and what they do not. */
export const COVERAGE: readonly CoveredPart[] = Object.freeze(
  (
    [
      ['doGenerate of a language model', 'enforced'],
      ['doStream of a language model', 'enforced'],
      ['doEmbed of an embedding model', 'enforced'],
      ['tools with execute', 'enforced'],
      ['tools that the provider executes', 'observed'],
      ['tools without execute', 'outside'],
      ['image, video, speech, transcription and reranking models', 'outside'],
      ['batches, uploads and realtime sessions', 'outside'],
      ['telemetry and callbacks', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
