import {
  type AnySession,
  defineTool,
  type StandardSchema,
  type Tool,
  type ToolDefinition,
} from '../../index.js'

/** What {@link claudeTool} takes: a tool without the part that runs it. */
export type ClaudeToolDefinition<In extends StandardSchema> = Omit<
  ToolDefinition<In, unknown, undefined>,
  'execute' | 'outputSchema'
> & {
  /** Makes of the output what the model is to see; what it returns replaces it, and what it throws too. */
  readonly output?: (output: unknown) => unknown
}

/** A call that Claude Code makes. */
export interface ClaudeCall {
  /** The contract allows the call with just this input. @returns what the tool gave, once it has run. */
  run(input: unknown): Promise<unknown>
}

/** The calls that wait for a decision, by the session and the model's id. */
const waiting = new WeakMap<AnySession, Map<string, ClaudeCall>>()

/** Says who runs a call. @returns takes that back. */
export function expectCall(session: AnySession, id: string, call: ClaudeCall): () => void {
  const calls = waiting.get(session) ?? new Map<string, ClaudeCall>()
  waiting.set(session, calls)
  calls.set(id, call)
  return () => calls.delete(id)
}

/**
 * A tool that Claude Code runs (`bash`, `read`, `edit`, `mcp__server__name`, …), under the contract: its input
 * is checked here, it is counted and approved here, and its intent is on record before Claude Code runs it,
 * with exactly the input that was checked. Its name in the agent is that of Claude Code in lower case.
 *
 * A call of it outside of {@link governedQuery} fails.
 *
 * @throws as {@link defineTool}.
 * @example
 * const bash = claudeTool({
 *   inputSchema: z.looseObject({ command: z.string() }),
 *   when: ({ command }) => /^git (status|log|diff)\b/.test(command),
 * })
 */
export function claudeTool<In extends StandardSchema>(
  definition: ClaudeToolDefinition<In>,
): Tool<In, unknown> {
  const { output, ...rest } = definition
  if (output !== undefined && typeof output !== 'function') {
    throw new TypeError('claudeTool.output: expected a function')
  }
  return defineTool<In, unknown, undefined>({
    ...rest,
    execute: async (input, { session, modelCallId }) => {
      const call = modelCallId === undefined ? undefined : waiting.get(session)?.get(modelCallId)
      if (call === undefined)
        throw new TypeError('claudeTool: Claude Code alone can run this tool, in a governedQuery')
      const given = await call.run(input)
      return output === undefined ? given : output(given)
    },
  })
}
