/**
 * How a part of a connection is governed. `enforced`: it goes through the session, or does not happen. `passed`:
 * it is handed on without a decision, since it opens, lists or ends. `refused`: it never gets to the other end.
 * `outside`: it is not seen.
 */
export type Governance = 'enforced' | 'passed' | 'refused' | 'outside'

/** One line of {@link COVERAGE}. */
export interface CoveredPart {
  /** A method of the protocol, or something that has none. */
  readonly part: string
  readonly governance: Governance
}

/** What `govern` enforces, and what it does not. */
export const COVERAGE: readonly CoveredPart[] = Object.freeze(
  (
    [
      ['tools/call', 'enforced'],
      ['tools/list', 'enforced'],
      ['resources/read', 'enforced'],
      ['resources/subscribe', 'enforced'],
      ['prompts/get', 'enforced'],
      ['sampling/createMessage', 'enforced'],
      ['elicitation/create', 'enforced'],
      ['answers of input_required', 'enforced'],
      ['initialize', 'passed'],
      ['ping', 'passed'],
      ['server/discover', 'passed'],
      ['completion/complete', 'passed'],
      ['logging/setLevel', 'passed'],
      ['prompts/list', 'passed'],
      ['resources/list', 'passed'],
      ['resources/templates/list', 'passed'],
      ['resources/unsubscribe', 'passed'],
      ['subscriptions/listen', 'passed'],
      ['roots/list', 'passed'],
      ['tasks/get', 'refused'],
      ['any other', 'refused'],
      ['what a server does by itself', 'outside'],
      ['what a tool answers', 'outside'],
    ] as const
  ).map(([part, governance]) => Object.freeze({ part, governance })),
)
