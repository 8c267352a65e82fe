import type { Limits } from '../contract/budget.js'
import { LIMIT_NAMES } from '../contract/budget.js'
import type { Meter } from '../contract/meter.js'
import type { RegisteredTool } from '../contract/registry.js'
import type { ParsedUsage } from '../contract/usage.js'
import type { BudgetExceeded, DenialReason, Issue } from '../core/errors.js'
import { isPlainObject } from '../core/guards.js'
import { encodeJson, omitted, quote } from '../core/json-text.js'
import type { LimitName } from '../core/limits.js'
import { formatUsd, type NanoUsd } from '../core/money.js'
import type { Outcome, SessionCore } from './core.js'

/**
 * The JSON texts of the records of a session. What is constant or known to need no escape is written
 * directly; everything else goes through `encodeJson`.
 */

const SNAKE: { readonly [L in LimitName]: string } = {
  usd: 'usd',
  tokens: 'tokens',
  wallMs: 'wall_ms',
  toolCalls: 'tool_calls',
  llmCalls: 'llm_calls',
  depth: 'depth',
  denials: 'denials',
}

/** Names and codes of errors are logged, messages are not; what does not look like a name is not one. */
const NAME = /^[A-Za-z0-9_.$:-]{1,64}$/
const MAX_TOOL_NAME = 128
const MAX_MODEL_CALL_ID = 256

/** The members that identify a session, each with its comma. */
export function envelope(session: SessionCore): string {
  return `"session_id":"${session.id}","agent_identity":"${session.agent.identity}","invoking_user":${quote(session.setup.user)},"principal":"${session.principal}",`
}

/** Consumption at emission. */
export function budget(meter: Meter, wallMs: number): string {
  return `,"budget":{"usd":${formatUsd(meter.usd)},"tokens":${meter.tokens},"wall_ms":${wallMs},"tool_calls":${meter.toolCalls},"llm_calls":${meter.llmCalls},"depth":${meter.depth},"denials":${meter.denials}}`
}

export function sessionStart(session: SessionCore): string {
  const { task, limits, registry, parent } = session.setup
  const taskText = task === undefined ? '' : `"task":${quote(task)},`
  const parentText = parent === undefined ? '' : `"parent_session":"${parent.id}",`
  return `{${taskText}"limits":${limitsText(limits)},"tools":${registry.summary},${parentText}"depth":${session.depth}}`
}

const limitTexts = new WeakMap<Limits, string>()

function limitsText(limits: Limits): string {
  let text = limitTexts.get(limits)
  if (text === undefined) {
    const set = LIMIT_NAMES.filter((name) => limits[name] !== Number.POSITIVE_INFINITY)
    text = `{${set.map((name) => `"${SNAKE[name]}":${limitText(name, limits[name])}`).join(',')}}`
    limitTexts.set(limits, text)
  }
  return text
}

function limitText(name: LimitName, amount: number): string {
  return name === 'usd' ? formatUsd(amount) : String(amount)
}

export function sessionEnd(session: SessionCore, outcome: Outcome, reason: unknown): string {
  const { meter, refused, stopped } = session
  const usage = budget(meter, session.usage().wallMs).slice(',"budget":'.length)
  const reasonText = outcome === 'completed' ? '' : `"reason":${errorText(reason)},`
  const refusedText = refused === 0 ? '' : `"refused":${refused},`
  return `{"outcome":"${outcome}",${reasonText}"usage":${usage},"in_flight":${stopped},${refusedText}"records":${session.records + 1}}`
}

/** @param source the nested session whose call broke the limit, if it was not the session itself. */
export function budgetExceeded(error: BudgetExceeded, source: SessionCore | undefined): string {
  const limit = error.limit
  const amount = (value: number): string => (limit === 'usd' ? formatUsd(Math.round(value * 1e9)) : String(value))
  const sourceText = source === undefined ? '' : `,"source":"${source.id}"`
  return `{"limit":"${SNAKE[limit]}","used":${amount(error.used)},"max":${amount(error.max)}${sourceText}}`
}

/** What identifies a tool call in its records: the id, the model's own id if it gave one, and the tool. */
export function callMembers(callId: string, tool: string, modelCallId: string | undefined): string {
  const model = modelCallId === undefined ? '' : `"model_call_id":${quote(modelCallId.slice(0, MAX_MODEL_CALL_ID))},`
  return `"call_id":"${callId}",${model}"tool":${quote(tool.slice(0, MAX_TOOL_NAME))}`
}

export function toolCall(call: string, args: string): string {
  return `{${call},${args},"enforcement":"enforced"}`
}

export function toolResult(
  callId: string,
  result: { ok: boolean; elapsedMs: number; effect: 'occurred' | 'none' | 'unknown'; error?: unknown; late?: true },
): string {
  const error = result.ok ? '' : `"error":${errorText(result.error)},`
  const late = result.late === true ? ',"late":true' : ''
  const elapsed = Math.round(result.elapsedMs * 1000) / 1000
  return `{"call_id":"${callId}","ok":${result.ok},"elapsed_ms":${elapsed},${error}"effect":"${result.effect}"${late}}`
}

export function toolDenied(call: string, reason: DenialReason, args: string, issues: string): string {
  return `{${call},"reason":"${reason}",${args}${issues},"enforcement":"enforced"}`
}

/**
 * What the log shows of an input: what the tool's `redact` makes of it, or the names of its members. Only
 * names that the schema declares: a name that a model made up can be a secret as well as a value can.
 */
export function args(tool: RegisteredTool | undefined, input: unknown, redactable: boolean): string {
  if (redactable && tool?.redact !== undefined) return `"args":${redacted(tool.redact, input)}`
  const names = isPlainObject(input) ? Object.keys(input) : []
  let listed = ''
  let withheld = 0
  for (const name of names) {
    if (tool?.declaredNames.has(name) === true) listed += `${listed === '' ? '' : ','}${quote(name)}`
    else withheld += 1
  }
  return withheld === 0 ? `"args":[${listed}]` : `"args":[${listed}],"args_withheld":${withheld}`
}

function redacted(redact: NonNullable<RegisteredTool['redact']>, input: unknown): string {
  try {
    return encodeJson(redact(input))
  } catch {
    return omitted('redact_failed')
  }
}

/** Where the faults of an input are and of what kind: no values, no made-up names, no messages. */
export function issues(tool: RegisteredTool, found: readonly Issue[]): string {
  const texts = found.slice(0, 32).map(({ path, code }) => {
    const steps = path
      .slice(0, 32)
      .map((step) => (typeof step === 'number' ? String(step) : quote(tool.declaredNames.has(step) ? step : '*')))
    return `{"path":[${steps.join(',')}],"code":"${NAME.test(code) ? code : 'invalid'}"}`
  })
  return `,"issues":[${texts.join(',')}]`
}

/** An error as the log shows it: its name and its code. */
export function errorText(error: unknown): string {
  let name: unknown
  let code: unknown
  try {
    ;({ name, code } = error as { name?: unknown; code?: unknown })
  } catch {
    // Not an object, or a getter that throws: it has no name.
  }
  const nameText = typeof name === 'string' && NAME.test(name) ? name : 'Error'
  const codeText = typeof code === 'string' && NAME.test(code) ? `,"code":"${code}"` : ''
  return `{"name":"${nameText}"${codeText}}`
}

/** How a model call was charged. */
export interface Charge {
  readonly costUsd: NanoUsd | undefined
  readonly pricedBy: string
  /** `reported`: by the provider. `estimated`: what was held, because nobody said. `refused`: the report could not be charged. */
  readonly metering: 'reported' | 'estimated' | 'refused'
  readonly enforcement: 'enforced' | 'observed'
  /** True for a call reported to a session that was dead already. */
  readonly late: boolean
  readonly error?: unknown
}

export function llmCall(model: string, usage: ParsedUsage | undefined, tokens: number, charge: Charge): string {
  const counts =
    usage === undefined
      ? `"tokens":${tokens}`
      : `"input_tokens":${usage.inputTokens},"output_tokens":${usage.outputTokens},"cached_input_tokens":${usage.cachedInputTokens},"cache_write_tokens":${usage.cacheWriteTokens},"reasoning_tokens":${usage.reasoningTokens}`
  const cost = charge.costUsd === undefined ? 'null' : formatUsd(charge.costUsd)
  const latency = usage?.latencyMs === undefined ? '' : `,"latency_ms":${Math.round(usage.latencyMs * 1000) / 1000}`
  const error = charge.error === undefined ? '' : `,"error":${errorText(charge.error)}`
  const late = charge.late ? ',"late":true' : ''
  return `{"model":${quote(model)},${counts},"cost_usd":${cost},"priced_by":${quote(charge.pricedBy)},"metering":"${charge.metering}"${latency}${error}${late},"enforcement":"${charge.enforcement}"}`
}

export function charge(usd: NanoUsd, tokens: number, metering: 'reported' | 'estimated'): string {
  return `{"usd":${formatUsd(usd)},"tokens":${tokens},"metering":"${metering}","enforcement":"enforced"}`
}
