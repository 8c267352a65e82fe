import type { JsonRpcMessage } from './transport.js'

/** What identifies a request to whoever sent it. */
export type RequestId = string | number

/** The members of an object, of which nothing is known. */
export type Members = Readonly<Record<string, unknown>>

/** A message by its kind: JSON-RPC 2.0, sections 4 and 5, without batches, which MCP has done away with. */
export type Classified =
  | { readonly kind: 'request'; readonly id: RequestId; readonly method: string; readonly params: Members }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Members }
  | { readonly kind: 'response'; readonly id: RequestId; readonly isError: boolean }
  | { readonly kind: 'malformed'; readonly detail: string }

const NO_PARAMS: Members = Object.freeze({})

/** Says what a message is; whatever is not clearly one of the three kinds is malformed. */
export function classify(message: unknown): Classified {
  if (!isMembers(message)) return malformed('it is no JSON object')
  if (message['jsonrpc'] !== '2.0') return malformed('its jsonrpc is not "2.0"')
  const { id, method, params } = message
  const isAnswer = Object.hasOwn(message, 'result') || Object.hasOwn(message, 'error')
  if (method === undefined) return isAnswer ? classifyAnswer(message) : malformed('it has no method')
  if (typeof method !== 'string') return malformed('its method is no string')
  if (isAnswer) return malformed('it is a request and a response')
  if (params !== undefined && !isMembers(params)) return malformed('its params are no object')
  const given = params ?? NO_PARAMS
  if (!Object.hasOwn(message, 'id')) return { kind: 'notification', method, params: given }
  return isId(id)
    ? { kind: 'request', id, method, params: given }
    : malformed('its id is no string and no integer')
}

function classifyAnswer(message: Members): Classified {
  const { id, error } = message
  const isError = Object.hasOwn(message, 'error')
  if (isError && Object.hasOwn(message, 'result')) return malformed('it has a result and an error')
  if (!isId(id)) return malformed('it answers no request: its id is no string and no integer')
  if (isError ? !isMembers(error) : !isMembers(message['result'])) {
    return malformed(`its ${isError ? 'error' : 'result'} is no object`)
  }
  return { kind: 'response', id, isError }
}

/** True for an object that is no array. */
export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is RequestId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value))
}

function malformed(detail: string): Classified {
  return { kind: 'malformed', detail }
}

/** A request that is refused: an implementation's own code, as JSON-RPC 2.0, section 5.1, leaves room for. */
export const REFUSED = -32050
export const METHOD_NOT_FOUND = -32601

/** A response that is an error. */
export function errorAnswer(
  id: RequestId,
  code: number,
  message: string,
  data?: Readonly<Record<string, unknown>>,
): JsonRpcMessage {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } }
}
