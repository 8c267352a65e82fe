/** Who a server is, as far as anybody can tell. */
export interface ServerIdentity {
  /** What it is called here. */
  readonly server: string
  /** What it calls itself; `undefined` where it has not said. */
  readonly name: string | undefined
  readonly version: string | undefined
}

/** What is to be said of a tool's definition. `same` alone lets it be listed and called. */
export interface PinVerdict {
  readonly name: string
  readonly verdict: 'same' | 'new' | 'changed' | 'shadowed'
  readonly why?: string
}

/** Compares the definitions that a server declares with those that somebody has accepted. */
export interface PinCheck {
  /**
   * Called with all the tools that a server declares, each time that they are listed. A tool that the answer does
   * not name is refused; a throw refuses them all.
   */
  check(server: ServerIdentity, tools: readonly Readonly<Record<string, unknown>>[]): readonly PinVerdict[]
}
