import { denialError } from '../contract/decision.js'
import { parseSignal } from '../contract/options.js'
import type { Denial, DispatchRequest, DispatchResult, PendingCall } from '../contract/session-types.js'
import { describe } from '../core/describe.js'
import { ToolTimeout, WritError } from '../core/errors.js'
import { own, readCount, readOptions } from '../core/guards.js'
import { NOT_JSON } from '../core/json.js'
import type { SessionCore } from './core.js'
import type { CallOutcome } from './kernel.js'

/** The result of a call for a caller of `callTool`: its output, or an error thrown. */
export function outputOf(outcome: CallOutcome): unknown {
  if (outcome.kind === 'done') return outcome.output
  if (outcome.kind === 'denied') throw denialError(outcome.decision, outcome.cause)
  if (outcome.kind === 'suspended') throw new TypeError('callTool: only dispatch can suspend a call')
  throw outcome.error
}

/** The result of a call for `dispatch`: a value in every case, fit for a model to read. */
export function dispatchResult(tool: string, outcome: CallOutcome): DispatchResult | PendingCall {
  if (outcome.kind === 'done') return { ok: true, output: outcome.output }
  if (outcome.kind === 'suspended') return Object.freeze({ ok: false, pending: outcome.token })
  const denial: Denial = outcome.kind === 'denied' ? denialOf(outcome.decision) : failureOf(tool, outcome)
  return { ok: false, denial: Object.freeze(denial) }
}

function denialOf(decision: Extract<CallOutcome, { kind: 'denied' }>['decision']): Denial {
  const { tool, reason, message } = decision
  const issues = own(decision, 'issues')
  return {
    code: 'ERR_TOOL_NOT_PERMITTED',
    tool,
    reason,
    message,
    ...(issues === undefined ? {} : { issues }),
  }
}

function failureOf(tool: string, { reason, error }: Extract<CallOutcome, { kind: 'failed' }>): Denial {
  const unnamed: Denial = { code: 'ERR_TOOL_FAILED', tool, reason, message: `tool ${tool} failed` }
  try {
    if (!(error instanceof Error)) return unnamed
    const { message } = error
    return {
      ...unnamed,
      ...(WritError.isInstance(error) ? { code: error.code } : {}),
      message: String(message),
    }
  } catch {
    // An error that throws when it is read says nothing.
    return unnamed
  }
}

/** A call that was stopped by its own time limit ended alone; whatever else stopped it is thrown. */
export function stoppedOutcome(reason: unknown): CallOutcome {
  if (reason instanceof ToolTimeout) return { kind: 'failed', reason: 'tool_timeout', error: reason }
  throw reason
}

/**
 * A dispatched call, read once. An input that is a string is JSON text; text that does not parse is denied
 * like any other input that is not valid.
 *
 * @throws TypeError when the request is not one.
 */
export function parseRequest(value: unknown): DispatchRequest {
  const { id, name, input } = readOptions('dispatch', value, ['id', 'name', 'input'])
  if (typeof name !== 'string') throw new TypeError(`dispatch.name: expected a string, got ${describe(name)}`)
  if (id !== undefined && typeof id !== 'string')
    throw new TypeError(`dispatch.id: expected a string, got ${describe(id)}`)
  return {
    ...(id === undefined ? {} : { id }),
    name,
    input: typeof input === 'string' ? parseInput(input) : input,
  }
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return NOT_JSON
  }
}

/** The options of a call, every member present. */
interface ParsedCallOptions {
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | undefined
  readonly approval: 'suspend' | undefined
}

const CALL_OPTIONS = ['signal', 'timeoutMs'] as const
const DISPATCH_OPTIONS = [...CALL_OPTIONS, 'onApproval'] as const

/**
 * @param core of the session of a call that may be suspended.
 * @throws TypeError or RangeError for options that are not ones.
 */
export function parseCallOptions(label: string, value: unknown, core?: SessionCore): ParsedCallOptions {
  if (value === undefined) return NO_OPTIONS
  const known: readonly (typeof DISPATCH_OPTIONS)[number][] =
    core === undefined ? CALL_OPTIONS : DISPATCH_OPTIONS
  const { signal, timeoutMs, onApproval } = readOptions(label, value, known)
  return {
    signal: signal === undefined ? undefined : parseSignal(`${label}.signal`, signal),
    timeoutMs: timeoutMs === undefined ? undefined : readCount(`${label}.timeoutMs`, timeoutMs),
    approval: readOnApproval(`${label}.onApproval`, onApproval, core),
  }
}

function readOnApproval(label: string, value: unknown, core: SessionCore | undefined): 'suspend' | undefined {
  if (value === undefined || value === 'wait') return undefined
  if (value !== 'suspend')
    throw new TypeError(`${label}: expected 'wait' or 'suspend', got ${describe(value)}`)
  if (core?.agent.approvals.secret === undefined) {
    throw new TypeError(`${label}: 'suspend' needs the agent's approvalSecret`)
  }
  for (let node: SessionCore | undefined = core; node !== undefined; node = node.parent) {
    // Whoever resumes it would not be within the grants of the sessions that delegated.
    if (node.grantor !== undefined) {
      throw new TypeError(`${label}: a call of a delegated session cannot be suspended`)
    }
  }
  return 'suspend'
}

const NO_OPTIONS: ParsedCallOptions = Object.freeze({
  signal: undefined,
  timeoutMs: undefined,
  approval: undefined,
})
