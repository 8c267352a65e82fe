import { type DeniedDecision, deny } from '../contract/decision.js'
import type { RegisteredTool, Registry } from '../contract/registry.js'
import type { StandardIssue } from '../contract/standard-schema.js'
import type { ToolContext } from '../contract/tool.js'
import type { Issue } from '../core/errors.js'
import { isThenable, readMember } from '../core/guards.js'
import { type PlainData, snapshot } from '../core/json.js'

/**
 * A computation that stops at every promise it meets and goes on with what the promise gave. An
 * asynchronous session awaits it; a synchronous one refuses it by throwing at the same place.
 */
export type Steps<T> = Generator<PromiseLike<unknown>, T, unknown>

/** A call that may run: with exactly this input. */
export interface Permit {
  readonly allowed: true
  readonly tool: RegisteredTool
  readonly input: PlainData
  /** The input as it was asked for, copied and frozen, before the schema made anything of it. */
  readonly given: PlainData
}

/** A call that may not run, with what the log needs to say of it. */
export interface Refusal {
  readonly allowed: false
  readonly decision: DeniedDecision
  readonly tool: RegisteredTool | undefined
  /** The input as far as it was checked. */
  readonly input: unknown
  /** True when `input` passed the schema, so that the tool's `redact` may read it. */
  readonly validated: boolean
  readonly cause: unknown
  /** More members for the record, as JSON text, each after a comma. */
  readonly detail: string
}

/**
 * Registered? Valid? Does the predicate say `true`? In this order, with no effect of its own.
 *
 * The input is copied and frozen before the schema sees it and again after, and that one object is what the
 * predicate, the log and the tool receive. Whatever is not a clear yes is a denial by name: unknown,
 * thrown, rejected, not a boolean.
 */
export function* decide(
  registry: Registry,
  name: string,
  rawInput: unknown,
  context: ToolContext,
): Steps<Permit | Refusal> {
  const tool = registry.get(name)
  if (tool === undefined) return refuse(deny(name, 'not_registered'), undefined, undefined, false)

  const given = snapshot(rawInput)
  if (!given.ok) return refuse(deny(name, 'invalid_input', [given.issue]), tool, undefined, false)

  let checked: CheckedResult | undefined
  try {
    let result = tool.validate(given.value)
    if (isThenable(result)) result = yield result
    checked = readResult(result)
  } catch (cause) {
    return refuse(deny(name, 'schema_error'), tool, given.value, false, cause)
  }
  if (checked === undefined) return refuse(deny(name, 'schema_error'), tool, given.value, false)
  if (checked.issues !== undefined) {
    return refuse(deny(name, 'invalid_input', checked.issues), tool, given.value, false)
  }
  const input = snapshot(checked.value)
  if (!input.ok) return refuse(deny(name, 'invalid_input', [input.issue]), tool, given.value, false)

  if (tool.when !== undefined) {
    let verdict: unknown
    try {
      verdict = tool.when(input.value, context)
      if (isThenable(verdict)) verdict = yield verdict
    } catch (cause) {
      return refuse(deny(name, 'predicate_error'), tool, input.value, true, cause)
    }
    if (verdict !== true) {
      return refuse(
        deny(name, verdict === false ? 'predicate_false' : 'predicate_error'),
        tool,
        input.value,
        true,
      )
    }
  }
  return { allowed: true, tool, input: input.value, given: given.value }
}

export function refuse(
  decision: DeniedDecision,
  tool: RegisteredTool | undefined,
  input: unknown,
  validated: boolean,
  cause?: unknown,
  detail = '',
): Refusal {
  return { allowed: false, decision, tool, input, validated, cause, detail }
}

/** What a schema found: a value, or issues. */
export type CheckedResult =
  | { readonly value: unknown; readonly issues: undefined }
  | { readonly issues: readonly Issue[] }

/**
 * The answer of a schema, copied. A schema that answers with anything but a value or a list of issues has
 * not answered; reading an answer of somebody else's making may throw.
 */
export function readResult(result: unknown): CheckedResult | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (Object.hasOwn(result, 'issues')) {
    const { issues } = result as { issues: unknown }
    if (issues !== undefined) return Array.isArray(issues) ? { issues: issues.map(readIssue) } : undefined
  }
  return Object.hasOwn(result, 'value')
    ? { value: (result as { value: unknown }).value, issues: undefined }
    : undefined
}

/** One issue of a schema, copied; schemas name the kind of fault in `code`, if they do at all. */
function readIssue(issue: StandardIssue): Issue {
  const path = (readMember(issue, 'path') ?? []) as NonNullable<StandardIssue['path']>
  const code = readMember(issue, 'code')
  return Object.freeze({
    path: Object.freeze(path.map(readStep)),
    code: typeof code === 'string' ? code : 'invalid',
    message: String(readMember(issue, 'message')),
  })
}

function readStep(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === 'object' ? step.key : step
  return typeof key === 'number' && Number.isFinite(key) ? key : String(key)
}
