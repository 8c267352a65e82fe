/** A message of JSON-RPC 2.0, not yet looked at. */
export type JsonRpcMessage = { readonly [member: string]: unknown }

/** What the SDKs call a Transport: both lines of the official SDK fit it. */
export interface McpTransport {
  start(): Promise<void>
  send(message: JsonRpcMessage, options?: object): Promise<void>
  close(): Promise<void>
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  /** A method, so that handlers of the SDKs fit, which take a narrower message. */
  onmessage?: { take(message: JsonRpcMessage, extra?: object): void }['take'] | undefined
}

/** Any transport of the SDKs: some of them take several messages at once, and each has options of its own. */
export interface SdkTransport extends Omit<McpTransport, 'send'> {
  send(message: never, options?: never): Promise<void>
}
