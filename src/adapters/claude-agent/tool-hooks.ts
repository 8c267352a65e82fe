import type {
  HookCallback,
  HookInput,
  HookJSONOutput,
  PostToolUseFailureHookInput,
  PostToolUseHookInput,
  PreToolUseHookInput,
} from '@anthropic-ai/claude-agent-sdk'
import type { Denial, DispatchResult, Session, ToolSet } from '../../index.js'
import { expectCall } from './claude-tool.js'

/** The name of the MCP server that serves the agent's own tools. */
export const SERVER = 'writ'

const ENDED = 'the session has ended'

/**
 * The contract does not let the model see what a tool gave, and Claude Code would show it: the run has ended.
 */
export class ClaudeOutputRefused extends Error {
  override readonly name = 'ClaudeOutputRefused'
  readonly tool: string
  /** Why; absent where `output` made something of another shape than the tool's own. */
  readonly denial: Denial | undefined

  constructor(tool: string, denial?: Denial) {
    super(
      `the output of ${tool} is not shown, and the run has ended: ${denial?.message ?? 'what replaces it must have its members, with values of the same types; Claude Code takes no other and would show the original'}`,
    )
    this.tool = tool
    this.denial = denial
  }
}

/** What a tool of Claude Code failed with; what it said is for the model, and not for the log. */
class ClaudeToolFailed extends Error {
  override readonly name = 'ClaudeToolFailed'
}

interface Deferred {
  readonly promise: Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

function deferred(): Deferred {
  let settle!: Pick<Deferred, 'resolve' | 'reject'>
  const promise = new Promise<unknown>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...settle }
}

/** One call, from the question whether it may run to its result. */
interface Flight {
  readonly settle: (outcome: { readonly output: unknown } | { readonly error: Error }) => void
  /** What the contract makes of the call; rejects with what ended the session. */
  readonly result: Promise<DispatchResult>
}

/**
 * The hooks through which each tool call of a run passes. None of them throws: Claude Code takes a hook that
 * fails for one that has nothing to say, unless it was told otherwise.
 *
 * @param onStop is told what ends the run; it has been answered so that Claude Code stops by itself.
 */
export class ToolHooks<Tools extends ToolSet> {
  readonly #session: Session<Tools>
  readonly #onStop: (reason: unknown) => void
  readonly #flights = new Map<string, Flight>()
  #asked = 0

  constructor(session: Session<Tools>, onStop: (reason: unknown) => void) {
    this.#session = session
    this.#onStop = onStop
  }

  /** Whether Claude Code waits for an answer. */
  get isAsked(): boolean {
    return this.#asked > 0
  }

  /** For `PreToolUse`: only what the contract allows runs, and with the input that it checked. */
  readonly before: HookCallback = async (input) => {
    this.#asked += 1
    try {
      if (input.hook_event_name !== 'PreToolUse') return {}
      return await this.#decide(input)
    } catch (error) {
      this.#onStop(error)
      return { continue: false, stopReason: ENDED, ...refusal(ENDED) }
    } finally {
      this.#asked -= 1
    }
  }

  /** For `PostToolUse`, `PostToolUseFailure` and `PermissionDenied`: the result, as the contract has it. */
  readonly after: HookCallback = async (input) => {
    this.#asked += 1
    try {
      return await this.#finish(input)
    } catch (error) {
      this.#onStop(error)
      return { continue: false, stopReason: 'the contract has ended the run' }
    } finally {
      this.#asked -= 1
    }
  }

  /** The run is over: what has not come back will not. */
  end(): void {
    for (const { settle } of this.#flights.values()) {
      settle({ error: new ClaudeToolFailed('the run ended before the result of the tool') })
    }
  }

  async #decide({
    tool_name,
    tool_input,
    tool_use_id: id,
    mcp_server,
  }: PreToolUseHookInput): Promise<HookJSONOutput> {
    // The contract is applied where such a call arrives. Nobody else's server may go by that name.
    if (tool_name.startsWith(`mcp__${SERVER}__`) && mcp_server?.source === 'sdk') return permission('allow')
    if (this.#flights.has(id)) return refusal(`a call with the id ${id} is under way`)
    const allowed = deferred()
    const outcome = deferred()
    outcome.promise.catch(() => undefined)
    const forget = expectCall(this.#session, id, {
      run: (input) => {
        allowed.resolve(input)
        return outcome.promise
      },
    })
    const result = this.#session
      .dispatch({ id, name: tool_name.toLowerCase(), input: tool_input })
      .finally(() => {
        forget()
        this.#flights.delete(id)
      })
    result.catch(() => undefined)
    this.#flights.set(id, {
      result,
      settle: (given) => ('error' in given ? outcome.reject(given.error) : outcome.resolve(given.output)),
    })
    const decided = await Promise.race([
      allowed.promise.then((input: unknown) => ({ input })),
      result.then((denied) => ({ denied })),
    ])
    if ('input' in decided) return permission('allow', decided.input)
    return refusal(
      decided.denied.ok
        ? 'the tool did not wait for its run'
        : JSON.stringify({ error: decided.denied.denial }),
    )
  }

  async #finish(input: HookInput): Promise<HookJSONOutput> {
    if (!('tool_use_id' in input)) return {}
    const flight = this.#flights.get(input.tool_use_id)
    if (flight === undefined) return {}
    if (input.hook_event_name !== 'PostToolUse') {
      flight.settle({ error: new ClaudeToolFailed(failureOf(input)) })
      await flight.result
      return {}
    }
    const given = input.tool_response
    flight.settle({ output: given })
    const result = await flight.result
    if (!result.ok) throw new ClaudeOutputRefused(input.tool_name, result.denial)
    if (result.output === given) return {}
    if (!isShapedAs(given, result.output)) throw new ClaudeOutputRefused(input.tool_name)
    return { hookSpecificOutput: { hookEventName: 'PostToolUse', updatedToolOutput: result.output } }
  }
}

function failureOf(input: Exclude<HookInput, PostToolUseHookInput>): string {
  return (input as Partial<PostToolUseFailureHookInput>).error ?? 'the tool was not run'
}

function permission(permissionDecision: 'allow', updatedInput?: unknown): HookJSONOutput {
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision,
      ...(updatedInput === undefined ? {} : { updatedInput: updatedInput as Record<string, unknown> }),
    },
  }
}

function refusal(permissionDecisionReason: string): HookJSONOutput {
  return {
    hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'deny', permissionDecisionReason },
  }
}

/** Claude Code ignores a replacement that is not of the kind that the tool gives. */
function isShapedAs(given: unknown, made: unknown): boolean {
  if (typeof given !== 'object' || given === null) return typeof given === typeof made
  if (typeof made !== 'object' || made === null || Array.isArray(given) !== Array.isArray(made)) return false
  if (Array.isArray(given)) return true
  const names = Object.keys(given)
  return (
    names.length === Object.keys(made).length &&
    names.every((name) => isShapedAs(given[name as never], made[name as never]))
  )
}
