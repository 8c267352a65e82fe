import type { JsonRpcMessage } from '../../adapters/mcp/transport.js'
import { WireError } from './wire-error.js'

/** Errors of JSON-RPC 2.0. */
export const PARSE_ERROR = -32_700
export const INVALID_REQUEST = -32_600
/** What servers of their own answer with; the SDKs use it for a connection that is closed. */
export const CONNECTION_CLOSED = -32_000

/** Deeper nesting than any tool needs: what is nested deeper cannot be written again without a stack for it. */
const MAX_DEPTH = 200

/**
 * Reads one message. A text that is not exactly one request, notification or answer of JSON-RPC 2.0 is none;
 * batches, which MCP gave up, are none either.
 *
 * @throws {@link WireError} saying what it is instead.
 */
export function parseMessage(text: string): JsonRpcMessage {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new WireError('no JSON', PARSE_ERROR)
  }
  if (Array.isArray(value)) throw invalid('a batch, which MCP no longer has', null)
  if (typeof value !== 'object' || value === null) throw invalid('no object', null)
  const message = value as JsonRpcMessage
  const id = idOf(message)
  if (!isShallow(value, MAX_DEPTH)) throw invalid(`nested more than ${MAX_DEPTH} deep`, id)
  if (message['jsonrpc'] !== '2.0') throw invalid('"jsonrpc" is not "2.0"', id)
  const why = Object.hasOwn(message, 'method') ? requestFault(message, id) : answerFault(message, id)
  if (why !== undefined) throw invalid(why, id)
  return message
}

/** The id of a message, if it is one that can be answered. */
export function idOf(message: JsonRpcMessage): string | number | null {
  if (!Object.hasOwn(message, 'id')) return null
  const { id } = message
  return typeof id === 'string' || (typeof id === 'number' && Number.isSafeInteger(id)) ? id : null
}

/** True for a message that wants an answer. */
export function isRequest(message: JsonRpcMessage): boolean {
  return Object.hasOwn(message, 'method') && idOf(message) !== null
}

function requestFault(message: JsonRpcMessage, id: string | number | null): string | undefined {
  if (typeof message['method'] !== 'string') return '"method" is no text'
  if (Object.hasOwn(message, 'id') && id === null) return '"id" is neither a text nor a whole number'
  if (Object.hasOwn(message, 'result') || Object.hasOwn(message, 'error')) return 'a request and an answer'
  if (Object.hasOwn(message, 'params') && !isObject(message['params'])) return '"params" is no object'
  return undefined
}

function answerFault(message: JsonRpcMessage, id: string | number | null): string | undefined {
  const hasResult = Object.hasOwn(message, 'result')
  const hasError = Object.hasOwn(message, 'error')
  if (!hasResult && !hasError) return 'neither a request nor an answer'
  if (hasResult && hasError) return 'a result and an error'
  if (hasResult && id === null) return 'an answer without an "id"'
  if (hasResult) return isObject(message['result']) ? undefined : '"result" is no object'
  const { error } = message
  if (!isObject(error) || typeof error['message'] !== 'string' || !Number.isSafeInteger(error['code'])) {
    return '"error" has no "code" or no "message"'
  }
  return undefined
}

function invalid(why: string, id: string | number | null): WireError {
  return new WireError(why, INVALID_REQUEST, { id })
}

function isObject(value: unknown): value is JsonRpcMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    if (!isShallow(member, depth - 1)) return false
  }
  return true
}
