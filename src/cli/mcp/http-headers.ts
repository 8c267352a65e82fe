import { Buffer } from 'node:buffer'
import type { JsonRpcMessage } from '../../adapters/mcp/transport.js'

/** The version that a request of the modern era carries in itself. */
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'

/** What the header `Mcp-Name` says again, by the method of the request. */
const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

/** Headers that belong to the transport: nobody else sets them. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'host',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'transfer-encoding',
])

/** The protocol version that a message carries in itself, as those of the modern era do. */
export function envelopeVersion(message: JsonRpcMessage): string | undefined {
  const version = member(member(message['params'], '_meta'), VERSION_KEY)
  return typeof version === 'string' ? version : undefined
}

/** The headers that say again what a request of the modern era says in its body. */
export function bodyHeaders(message: JsonRpcMessage): Readonly<Record<string, string>> {
  const version = envelopeVersion(message)
  const { method } = message
  if (version === undefined || typeof method !== 'string') return {}
  const field = Object.hasOwn(NAMED, method) ? NAMED[method] : undefined
  const name = field === undefined ? undefined : member(message['params'], field)
  return {
    'mcp-protocol-version': headerText(version),
    'mcp-method': headerText(method),
    ...(typeof name === 'string' ? { 'mcp-name': headerText(name) } : {}),
  }
}

/** A text as the value of a header: as it is where that survives, in base64 where it does not. */
function headerText(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/i.test(text)
  return isPlain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as JsonRpcMessage)[name]
    : undefined
}
