import type { Tool as SdkTool } from 'ai'
import {
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolContext,
  type ToolDefinition,
} from '../../index.js'
import { membersOf } from '../metered/members.js'
import { schemaOf } from './schema.js'
import { findCall, iterableOf, outsideOfCall } from './tool-call.js'

/** What a tool of the SDK does not have, and a tool under the contract may. */
export type ToolExtras<Input> = Partial<
  Omit<ToolDefinition<StandardSchema<unknown, Input>, unknown, undefined>, 'execute' | 'outputSchema'>
>

type Execute = (input: unknown, options: unknown) => unknown
type NeedsApproval = boolean | ((input: unknown, options: unknown) => boolean | PromiseLike<boolean>)

/**
 * A tool of the SDK as a tool under the contract. It keeps its description and its schema, and is handed what
 * the SDK hands it: `toolCallId`, `messages`, the context of the run. A tool that gives its output bit by bit
 * does so in a run of the SDK; its last output is the result. One that needs an approval of the SDK needs one
 * of the contract.
 *
 * @param extras conditions and limits; an `inputSchema` to check with, in the place of the tool's own.
 * @throws TypeError for something that is no tool with `execute`, and as {@link defineTool}.
 * @example
 * const agent = new Agent({ identity, budget, audit, tools: { look_up: fromTool(lookUp, { maxCalls: 5 }) } })
 */
export function fromTool<Input, Output>(
  tool: SdkTool<Input, Output>,
  extras: ToolExtras<Input> = {},
): Tool<StandardSchema<unknown, Input>, Output> {
  const { execute, description, inputSchema, needsApproval } = membersOf(tool) ?? {}
  if (typeof execute !== 'function')
    throw new TypeError('fromTool: expected a tool of the AI SDK with execute')
  const run = (execute as Execute).bind(tool)
  return defineTool<StandardSchema<unknown, Input>, Output>({
    // In version 7 it may be a function of the run, which there is not yet.
    ...(typeof description === 'string' ? { description } : {}),
    ...(needsApproval === undefined || needsApproval === false
      ? {}
      : { approval: approvalRule(tool, needsApproval as NeedsApproval) }),
    inputSchema: schemaOf(inputSchema) as StandardSchema<unknown, Input>,
    ...extras,
    execute: async (input, context) =>
      (await outsideOfCall(() => result(tool, run, input, context))) as Output,
  })
}

function approvalRule(
  tool: object,
  needsApproval: NeedsApproval,
): 'always' | ((input: unknown, context: ToolContext) => boolean | Promise<boolean>) {
  if (typeof needsApproval !== 'function') return 'always'
  return async (input, context) => needsApproval.call(tool, input, optionsOf(tool, context))
}

function optionsOf(tool: object, { session, modelCallId, callId, signal }: ToolContext): object {
  const call = findCall(session, modelCallId, tool)
  return { messages: [], ...call?.options, toolCallId: modelCallId ?? callId, abortSignal: signal }
}

async function result(tool: object, run: Execute, input: unknown, context: ToolContext): Promise<unknown> {
  const given = run(input, optionsOf(tool, context))
  const outputs = iterableOf(given)
  if (outputs === undefined) return given
  const call = findCall(context.session, context.modelCallId, tool)
  let last: unknown
  for await (const output of outputs) {
    // Nobody waits for more of it.
    if (context.signal.aborted) break
    last = output
    call?.emit?.(output)
  }
  return last
}
