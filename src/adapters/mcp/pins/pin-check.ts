/** How a server introduces itself: `serverInfo` of its answer to `initialize`. */
export interface ServerIdentity {
  readonly name: string
  readonly version?: string
}

/** What pins say of one tool of a list; only `same` may be shown or called. */
export interface PinVerdict {
  readonly name: string
  readonly verdict: 'same' | 'new' | 'changed' | 'shadowed'
  /** In words, for whoever has to accept it. */
  readonly why?: string
}

/** Says which of the tools that a server lists are those that somebody has accepted. */
export interface PinCheck {
  /** One verdict for each tool, in their order. MUST NOT throw. */
  check(server: ServerIdentity, tools: readonly unknown[]): readonly PinVerdict[]
}
