import { denialError } from '../contract/decision.js'
import { parseSignal } from '../contract/options.js'
import type { Denial, DispatchRequest, DispatchResult } from '../contract/session-types.js'
import { describe } from '../core/describe.js'
import { ToolTimeout, WritError } from '../core/errors.js'
import { own, readCount, readOptions } from '../core/guards.js'
import { NOT_JSON } from '../core/json.js'
import type { CallOutcome } from './kernel.js'

/** The result of a call for a caller of `callTool`: its output, or an error thrown. */
export function outputOf(outcome: CallOutcome): unknown {
  if (outcome.kind === 'done') return outcome.output
  if (outcome.kind === 'denied') throw denialError(outcome.decision, outcome.cause)
  throw outcome.error
}

/** The result of a call for `dispatch`: a value in every case, fit for a model to read. */
export function dispatchResult(tool: string, outcome: CallOutcome): DispatchResult {
  if (outcome.kind === 'done') return { ok: true, output: outcome.output }
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
}

/** @throws TypeError or RangeError for options that are not ones. */
export function parseCallOptions(label: string, value: unknown): ParsedCallOptions {
  if (value === undefined) return NO_OPTIONS
  const { signal, timeoutMs } = readOptions(label, value, ['signal', 'timeoutMs'])
  return {
    signal: signal === undefined ? undefined : parseSignal(`${label}.signal`, signal),
    timeoutMs: timeoutMs === undefined ? undefined : readCount(`${label}.timeoutMs`, timeoutMs),
  }
}

const NO_OPTIONS: ParsedCallOptions = Object.freeze({ signal: undefined, timeoutMs: undefined })
