import { type Denial, WritError } from '../../index.js'
import type { Refusal } from './forwarded-call.js'
import { errorAnswer, isMembers, REFUSED, type RequestId } from './json-rpc.js'
import { ConnectionEnded, type Delivered } from './lane.js'
import type { JsonRpcMessage } from './transport.js'

const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion'

/**
 * True for a request of the protocol of 2026-07-28 and later, whose results say of what kind they are.
 *
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic
 */
export function isModern(params: Readonly<Record<string, unknown>>): boolean {
  const { _meta: meta } = params
  return isMembers(meta) && Object.hasOwn(meta, PROTOCOL_VERSION)
}

/** So many faults of an input are named: a model mends one after the other anyway. */
const MAX_ISSUES = 5
const MAX_ISSUE_LENGTH = 200

/** Why something was denied, in words for a model: what is wrong with its input, and with what the server says. */
export function denialText({ message, tool, issues = [] }: Denial, refusal: Refusal | undefined): string {
  if (refusal !== undefined) return `tool ${tool} was not run: ${refusal.text}`
  const faults = issues
    .slice(0, MAX_ISSUES)
    .map(({ path, message: fault }) =>
      `${path.join('.') || 'the input'}: ${fault}`.slice(0, MAX_ISSUE_LENGTH),
    )
  return faults.length === 0 ? message : `${message}: ${faults.join('; ')}`
}

/** A denial as the model reads it: a tool error of the protocol, so that the loop goes on. */
export function toolErrorAnswer(id: RequestId, text: string, modern: boolean): JsonRpcMessage {
  return {
    jsonrpc: '2.0',
    id,
    result: {
      ...(modern ? { resultType: 'complete' } : {}),
      content: [{ type: 'text', text }],
      isError: true,
    },
  }
}

/** A denial of what is no tool: an error of the request. */
export function denialAnswer(id: RequestId, denial: Denial, text: string): JsonRpcMessage {
  return errorAnswer(id, REFUSED, text, { code: denial.code, reason: denial.reason })
}

/** What ended a request that nobody denied: its session is over, or there is none. */
export function failureAnswer(id: RequestId, error: unknown): JsonRpcMessage {
  if (error instanceof WritError) return errorAnswer(id, REFUSED, error.message, { code: error.code })
  if (error instanceof ConnectionEnded) return errorAnswer(id, REFUSED, error.message)
  // An error that is not ours may hold anything.
  return errorAnswer(id, REFUSED, 'the request was refused: its session has ended, or could not be asked')
}

/** What only lists asks nobody for anything: what would answer has not been asked for by the contract. */
export function inputRefused(answer: Delivered): Delivered {
  const { id, result } = answer.message
  if (!isMembers(result)) return answer
  const isComplete = (result['resultType'] ?? 'complete') === 'complete'
  if (isComplete && result['inputRequests'] === undefined) return answer
  const text = 'the other end asks for input where it may not'
  return { message: errorAnswer(id as RequestId, REFUSED, text), extra: undefined }
}
