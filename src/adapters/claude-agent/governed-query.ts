import type {
  createSdkMcpServer,
  HookCallbackMatcher,
  HookEvent,
  Options,
  Query,
  query,
  SDKMessage,
} from '@anthropic-ai/claude-agent-sdk'
import type { Session, ToolSet } from '../../index.js'
import { agentTools } from './agent-tools.js'
import { RunCost } from './run-cost.js'
import { SERVER, ToolHooks } from './tool-hooks.js'

/** What is used of the SDK: `import * as sdk from '@anthropic-ai/claude-agent-sdk'`. */
export interface ClaudeAgentSdk {
  readonly query: typeof query
  readonly createSdkMcpServer: typeof createSdkMcpServer
}

/** What `query` takes. */
export type GovernedQueryParams = Parameters<typeof query>[0]

/** What {@link governedQuery} can be told. */
export interface GovernedQueryOptions {
  /** Tools of the agent that Claude Code is offered, as `mcp__writ__<name>`; their schemas are objects of zod. */
  readonly tools?: ToolSet
  /** Most US dollars of this run, 0 or more; without it, all that the session has left. */
  readonly maxUsd?: number
}

/** How long Claude Code may take to stop once it was told to. */
const GRACE_MS = 2000
/** Longer than anybody waits for an approval: how long one may take is for the agent to say. */
const HOOK_TIMEOUT_S = 7 * 86_400

/**
 * `query` of the Claude Agent SDK under a session. Each tool call passes the contract: Claude Code's own tools
 * and those of MCP servers, registered as {@link claudeTool}, in subagents too. What the run may cost is held
 * before it starts, is its `maxBudgetUsd`, and is charged with each result. The run ends with its session.
 *
 * @throws whatever ended the session, when the messages are read; {@link BudgetExceeded} and
 *   {@link BudgetReserved} before the run where nothing is left for it.
 * @throws TypeError for options that are not usable, or an MCP server of the name `writ`.
 * @example
 * for await (const message of governedQuery(s, sdk, { prompt })) print(message)
 */
export function governedQuery<Tools extends ToolSet>(
  session: Session<Tools>,
  { query, createSdkMcpServer }: ClaudeAgentSdk,
  { prompt, options = {} }: GovernedQueryParams,
  { tools, maxUsd, ...unknown }: GovernedQueryOptions = {},
): Query {
  const [name] = Object.keys(unknown)
  if (name !== undefined)
    throw new TypeError(`governedQuery: unknown option ${name}; known options are tools, maxUsd`)
  if (options.mcpServers?.[SERVER] !== undefined) {
    throw new TypeError(`governedQuery: an MCP server of the name ${SERVER} would hide the agent's own tools`)
  }
  const abort = new AbortController()
  const caller = options.abortController?.signal
  const onCallerAbort = (): void => abort.abort(caller?.reason)
  let stopped: { readonly reason: unknown } | undefined
  const stop = (reason: unknown): void => {
    stopped ??= { reason }
    abort.abort(reason)
  }
  let grace: ReturnType<typeof setTimeout> | undefined
  // An abort in the middle of a hook makes Claude Code ask the model once more; told to stop, it stops.
  const stopSoon = (reason: unknown): void => {
    stopped ??= { reason }
    grace ??= setTimeout(() => abort.abort(reason), GRACE_MS)
  }
  const onSessionEnd = (): void => (hooks.isAsked ? stopSoon : stop)(session.signal.reason)
  const hooks = new ToolHooks(session, stopSoon)
  const cost = new RunCost(session, options.model ?? 'claude-code', maxUsd)
  const servers =
    tools === undefined
      ? {}
      : {
          [SERVER]: createSdkMcpServer({
            name: SERVER,
            tools: agentTools(session as unknown as Session<ToolSet>, tools, stopSoon),
          }),
        }

  const left = session.remaining().usd
  const limits = [options.maxBudgetUsd, maxUsd, left].filter((usd) => usd !== undefined)
  cost.hold()
  if (caller?.aborted) onCallerAbort()
  else caller?.addEventListener('abort', onCallerAbort)
  session.signal.addEventListener('abort', onSessionEnd)
  const run = query({
    prompt,
    options: {
      ...options,
      ...(limits.length === 0 ? {} : { maxBudgetUsd: Math.min(...limits) }),
      abortController: abort,
      mcpServers: { ...options.mcpServers, ...servers },
      hooks: withHooks(options.hooks, hooks),
    },
  })

  const end = (error: unknown): void => {
    session.signal.removeEventListener('abort', onSessionEnd)
    caller?.removeEventListener('abort', onCallerAbort)
    clearTimeout(grace)
    hooks.end()
    cost.lose(error)
  }

  async function* messages(): AsyncGenerator<SDKMessage, void> {
    let failure: unknown
    try {
      for await (const message of run) {
        if (stopped !== undefined) throw stopped.reason
        if (message.type === 'result') cost.charge(message)
        else cost.hold()
        yield message
      }
      if (stopped !== undefined) throw stopped.reason
    } catch (error) {
      failure = stopped === undefined ? error : stopped.reason
      throw failure
    } finally {
      end(failure)
      abort.abort(failure)
    }
  }

  const governed = messages()
  // Everything else that a run offers is its own: `interrupt`, `setModel`, and so on.
  return new Proxy(run, {
    get: (target, member) => {
      const owner: object = member in governed ? governed : target
      const value: unknown = Reflect.get(owner, member, owner)
      return typeof value === 'function' ? value.bind(owner) : value
    },
  })
}

/** The contract is asked first, and whatever else was hooked still is. */
function withHooks<Tools extends ToolSet>(
  own: Options['hooks'],
  hooks: ToolHooks<Tools>,
): NonNullable<Options['hooks']> {
  const block = { onFailure: 'block', timeout: HOOK_TIMEOUT_S }
  const before: HookCallbackMatcher = { ...block, hooks: [hooks.before] }
  const after: HookCallbackMatcher = { ...block, hooks: [hooks.after] }
  const added: readonly (readonly [HookEvent, HookCallbackMatcher])[] = [
    ['PreToolUse', before],
    ['PostToolUse', after],
    ['PostToolUseFailure', after],
    ['PermissionDenied', after],
  ]
  const all = { ...own }
  for (const [event, matcher] of added) all[event] = [matcher, ...(own?.[event] ?? [])]
  return all
}
