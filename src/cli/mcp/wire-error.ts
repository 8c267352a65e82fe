/** What one side of the proxy sent is no message, or more than there may be. */
export class WireError extends Error {
  override readonly name = 'WireError'
  /** The error of JSON-RPC that says so. */
  readonly code: number
  /** The id of the message, where it could be read. */
  readonly id: string | number | null
  /** True when nothing after it can be understood either. */
  readonly isFinal: boolean

  constructor(
    message: string,
    code: number,
    options: { readonly id?: string | number | null; readonly isFinal?: boolean } = {},
  ) {
    super(message)
    this.code = code
    this.id = options.id ?? null
    this.isFinal = options.isFinal ?? false
  }
}

/** The connection to one side of the proxy does not work, or no longer. */
export class ConnectionFailed extends Error {
  override readonly name = 'ConnectionFailed'
}
