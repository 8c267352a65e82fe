import type { RegisteredTool } from '../contract/registry.js'
import type { DenialReason } from '../core/denial-reason.js'
import { errorText, NAME } from '../core/error-text.js'
import type { Issue } from '../core/errors.js'
import { isPlainObject, isThenable } from '../core/guards.js'
import { encodeJson, omitted, quote } from '../core/json-text.js'

const MAX_TOOL_NAME = 128
const MAX_MODEL_CALL_ID = 256

/** What identifies a tool call in its records: the id, the model's own id if it gave one, and the tool. */
export function callMembers(callId: string, tool: string, modelCallId: string | undefined): string {
  const model =
    modelCallId === undefined ? '' : `"model_call_id":${quote(modelCallId.slice(0, MAX_MODEL_CALL_ID))},`
  if (newest.tool !== tool)
    newest = { tool, text: ['","tool":', quote(tool.slice(0, MAX_TOOL_NAME))].join('') }
  return model === ''
    ? `"call_id":"${callId}${newest.text}`
    : `"call_id":"${callId}",${model}${newest.text.slice(2)}`
}

/** The member that names the tool of the newest call: the next is often of the same. */
let newest = { tool: '', text: '","tool":""' }

export function toolCall(call: string, args: string): string {
  return `{${call},${args},"enforcement":"enforced"}`
}

export function toolResult(
  callId: string,
  result: {
    ok: boolean
    elapsedMs: number
    effect: 'occurred' | 'none' | 'unknown'
    error?: unknown
    late: boolean
  },
): string {
  const elapsed = millisText(result.elapsedMs)
  // As one piece each: every piece of a text is collected anew for the hash of the record.
  if (result.ok && !result.late) return `{"call_id":"${callId}"${OK}${elapsed}${EFFECT[result.effect]}`
  const error = result.ok ? '' : `"error":${errorText(result.error)},`
  const late = result.late ? ',"late":true' : ''
  return `{"call_id":"${callId}","ok":${result.ok},"elapsed_ms":${elapsed},${error}"effect":"${result.effect}"${late}}`
}

const OK = ',"ok":true,"elapsed_ms":'

const EFFECT = {
  occurred: ',"effect":"occurred"}',
  none: ',"effect":"none"}',
  unknown: ',"effect":"unknown"}',
} as const

/** What follows the whole milliseconds, for each count of microseconds: JSON of 0.25 without its 0. */
const FRACTIONS: readonly string[] = Array.from({ length: 1000 }, (_, us) => String(us / 1000).slice(1))

/** Fifteen decimal digits are what every number has. */
const MAX_EXACT_US = 1e15

/** Milliseconds to three places, as JSON writes a number; numbers that are no integers take several times as long. */
function millisText(elapsedMs: number): string {
  const us = Math.round(elapsedMs * 1000)
  // Of a clock that runs backwards, or beyond the digits that a number has.
  if (!(us >= 0 && us < MAX_EXACT_US)) return String(us / 1000)
  const fraction = us % 1000
  return `${(us - fraction) / 1000}${FRACTIONS[fraction]}`
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
    const text = tool?.declaredNames.get(name)
    if (text === undefined) withheld += 1
    else listed = listed === '' ? text : `${listed},${text}`
  }
  return withheld === 0 ? `"args":[${listed}]` : `"args":[${listed}],"args_withheld":${withheld}`
}

function redacted(redact: NonNullable<RegisteredTool['redact']>, input: unknown): string {
  try {
    const shown = redact(input)
    // Nobody waits for a promise here: its failure must not become an unhandled rejection.
    if (isThenable(shown)) shown.then(undefined, () => undefined)
    return encodeJson(shown)
  } catch {
    return omitted('redact_failed')
  }
}

/** Where the faults of an input are and of what kind: no values, no made-up names, no messages. */
export function issues(tool: RegisteredTool, found: readonly Issue[]): string {
  const texts = found.slice(0, 32).map(({ path, code }) => {
    const steps = path
      .slice(0, 32)
      .map((step) =>
        typeof step === 'number' ? String(step) : quote(tool.declaredNames.has(step) ? step : '*'),
      )
    return `{"path":[${steps.join(',')}],"code":"${NAME.test(code) ? code : 'invalid'}"}`
  })
  return `,"issues":[${texts.join(',')}]`
}
