import { describe } from '../core/describe.js'
import { readCount, readFunction, readOptions } from '../core/guards.js'
import { parseJsonPointer } from '../core/json-pointer.js'
import type { AnySession } from './any-session.js'
import {
  isStandardSchema,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from './standard-schema.js'

/** What a tool is handed beside its input. */
export interface ToolContext {
  /**
   * Aborted when the call's time is up or its session ends, with the reason. Made on first read. A tool
   * that ignores it is abandoned at that moment, and its late result is recorded and dropped.
   */
  readonly signal: AbortSignal
  /** The session the call belongs to. */
  readonly session: AnySession
  /** The call's id in the log (`call_id`). */
  readonly callId: string
  /** The model's own id for the call, where it came with one: `id` of `dispatch`. */
  readonly modelCallId: string | undefined
  /** True in a synchronous session, which refuses a promise. */
  readonly sync: boolean
  /**
   * Milliseconds until the call is stopped, by its own time or by that of a session; `Infinity` when neither
   * is limited, `0` once it has been stopped. It looks at the clock, and stops the call when its time is up:
   * a tool that blocks the event loop, where no timer can fire, learns here that it has to give up.
   */
  remainingMs(): number
}

/** What a predicate is handed beside the input. */
export type PredicateContext = ToolContext

/**
 * A tool that an agent may call: what it takes, under which conditions, and what it does.
 *
 * @typeParam In - the schema of the input; any Standard Schema.
 * @typeParam Out - what a caller receives.
 */
export interface Tool<In extends StandardSchema = StandardSchema, Out = unknown> {
  readonly description?: string
  readonly inputSchema: In
  readonly outputSchema?: StandardSchema
  readonly when?: (input: SchemaOutput<In>, context: PredicateContext) => boolean | Promise<boolean>
  readonly approval?: ApprovalRule<SchemaOutput<In>>
  readonly redact?: (input: SchemaOutput<In>) => unknown
  readonly commit?: readonly string[]
  readonly readOnly: boolean
  readonly timeoutMs?: number
  readonly maxCalls?: number
  readonly execute: (input: SchemaOutput<In>, context: ToolContext) => Out | Promise<Out>
}

/** When a call needs an approval: every one, or those for which a function says `true`. */
export type ApprovalRule<Input> =
  | 'always'
  | ((input: Input, context: PredicateContext) => boolean | Promise<boolean>)

/** The tools of an agent by name. */
// biome-ignore lint/suspicious/noExplicitAny: a set of tools is any schema and any result by definition
export type ToolSet = { readonly [name: string]: Tool<any, any> }

/** What a caller passes to a tool. */
export type ToolInput<T> = T extends { readonly inputSchema: infer In } ? SchemaInput<In> : never
/** What a caller receives from a tool. */
export type ToolOutput<T> = T extends { readonly execute: (...args: never[]) => infer R } ? Awaited<R> : never

/** What {@link defineTool} takes. */
export interface ToolDefinition<
  In extends StandardSchema,
  Out,
  OutSchema extends StandardSchema | undefined,
> {
  /** Shown to the model. */
  readonly description?: string
  /** Any Standard Schema; what it returns is what the predicate, the log and the tool receive. */
  readonly inputSchema: In
  /** Checked after the tool ran; a result that it refuses is an error, although the effect has happened. */
  readonly outputSchema?: OutSchema
  /**
   * Decides whether this input may run. Only `true` allows; `false`, anything that is not a boolean, a
   * throw and running out of time deny. May be asynchronous in an asynchronous session.
   */
  readonly when?: (input: SchemaOutput<In>, context: PredicateContext) => boolean | Promise<boolean>
  /**
   * Whether somebody has to approve this call before it runs, asked after `when`. `false` alone says no:
   * anything that is not a boolean, a throw and running out of time deny the call (`approval_error`). What a
   * person is shown of the input is what `redact` makes of it.
   */
  readonly approval?: ApprovalRule<SchemaOutput<In>>
  /** What the log shows of the input; without it, only the names of its declared members. */
  readonly redact?: (input: SchemaOutput<In>) => unknown
  /**
   * Places in the input, as JSON pointers (RFC 6901), whose values the log commits to without showing them:
   * 1 to 32, `''` for the whole input. The agent needs `scopeKeys`.
   */
  readonly commit?: readonly string[]
  /** True when running the tool changes nothing: a failed call then has no effect instead of an unknown one. */
  readonly readOnly?: boolean
  /** Milliseconds after which a running call is abandoned with {@link ToolTimeout}; the clock starts when the tool does. */
  readonly timeoutMs?: number
  /** Calls of this tool in one session. */
  readonly maxCalls?: number
  readonly execute: (
    input: SchemaOutput<In>,
    context: ToolContext,
  ) => OutSchema extends StandardSchema
    ? SchemaInput<OutSchema> | Promise<SchemaInput<OutSchema>>
    : Out | Promise<Out>
}

const KNOWN = [
  'description',
  'inputSchema',
  'outputSchema',
  'when',
  'approval',
  'redact',
  'commit',
  'readOnly',
  'timeoutMs',
  'maxCalls',
  'execute',
] as const satisfies readonly (keyof Tool)[]

/**
 * Defines a tool. The result is frozen; nothing that happens to the definition afterwards changes it.
 *
 * @throws TypeError for an unknown member, a schema that is no Standard Schema, or a member of the wrong type.
 * @throws RangeError for a `timeoutMs` or `maxCalls` that is no integer in range, or a `commit` that is no list
 *   of 1 to 32 different JSON pointers.
 * @example
 * const add = defineTool({
 *   inputSchema: z.object({ a: z.number(), b: z.number() }),
 *   execute: ({ a, b }) => a + b,
 * })
 */
export function defineTool<
  In extends StandardSchema<unknown, unknown>,
  Out,
  OutSchema extends StandardSchema<unknown, unknown> | undefined = undefined,
>(
  definition: ToolDefinition<In, Out, OutSchema>,
): Tool<In, OutSchema extends StandardSchema ? SchemaOutput<OutSchema> : Out> {
  return parseTool('defineTool', definition) as Tool<
    In,
    OutSchema extends StandardSchema ? SchemaOutput<OutSchema> : Out
  >
}

/** Parses and freezes a tool, naming it `label` in errors. */
export function parseTool(label: string, definition: unknown): Tool {
  const given = readOptions(label, definition, KNOWN)
  if (!isStandardSchema(given.inputSchema)) {
    throw new TypeError(
      `${label}.inputSchema: expected a Standard Schema (zod 4, valibot, arktype, …), got ${describe(given.inputSchema)}`,
    )
  }
  if (given.outputSchema !== undefined && !isStandardSchema(given.outputSchema)) {
    throw new TypeError(
      `${label}.outputSchema: expected a Standard Schema, got ${describe(given.outputSchema)}`,
    )
  }
  if (given.description !== undefined && typeof given.description !== 'string') {
    throw new TypeError(`${label}.description: expected a string, got ${describe(given.description)}`)
  }
  if (given.readOnly !== undefined && typeof given.readOnly !== 'boolean') {
    throw new TypeError(`${label}.readOnly: expected a boolean, got ${describe(given.readOnly)}`)
  }
  const { approval } = given
  if (approval !== undefined && approval !== 'always' && typeof approval !== 'function') {
    throw new TypeError(`${label}.approval: expected 'always' or a function, got ${describe(approval)}`)
  }
  return Object.freeze({
    ...(given.description === undefined ? {} : { description: given.description }),
    inputSchema: given.inputSchema,
    ...(given.outputSchema === undefined ? {} : { outputSchema: given.outputSchema }),
    ...(given.when === undefined
      ? {}
      : { when: readFunction<NonNullable<Tool['when']>>(`${label}.when`, given.when) }),
    ...(approval === undefined ? {} : { approval: approval as NonNullable<Tool['approval']> }),
    ...(given.redact === undefined
      ? {}
      : { redact: readFunction<NonNullable<Tool['redact']>>(`${label}.redact`, given.redact) }),
    ...(given.commit === undefined ? {} : { commit: readPointers(`${label}.commit`, given.commit) }),
    readOnly: given.readOnly ?? false,
    ...(given.timeoutMs === undefined ? {} : { timeoutMs: readCount(`${label}.timeoutMs`, given.timeoutMs) }),
    ...(given.maxCalls === undefined ? {} : { maxCalls: readCount(`${label}.maxCalls`, given.maxCalls) }),
    execute: readFunction<Tool['execute']>(`${label}.execute`, given.execute),
  })
}

const MAX_POINTERS = 32

function readPointers(label: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`${label}: expected an array of JSON pointers, got ${describe(value)}`)
  }
  if (value.length === 0 || value.length > MAX_POINTERS) {
    throw new RangeError(`${label}: expected 1 to ${MAX_POINTERS} JSON pointers, got ${value.length}`)
  }
  const pointers = Array.from(value, (text, index) => parseJsonPointer(`${label}[${index}]`, text).text)
  const twice = pointers.find((text, index) => pointers.indexOf(text) !== index)
  if (twice !== undefined) throw new RangeError(`${label}: ${describe(twice)} is there twice`)
  return Object.freeze(pointers)
}
