import type { BaseAgent, BasePlugin, BaseTool, Context, InvocationContext } from '@google/adk'
import { UnmeteredRequest, WritError } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { throwIfOver } from '../metered/session-end.js'
import { type GovernedFetchOptions, readFetchOptions } from '../metered/settings.js'
import { callThrough } from './adk-call.js'
import { passing } from './adk-error.js'
import { AdkModels } from './adk-models.js'

type Callbacks = Partial<Omit<BasePlugin, 'name'>>
type Input = Record<string, unknown>

/** The ADK's own tool for going over to another agent of the same runner. */
const TRANSFER = 'transfer_to_agent'

/**
 * A plugin that governs the runs of an ADK runner: its model calls, by the {@link governedFetch} that it puts
 * into each of them, and the tool calls of all its agents, which go through the session. It covers the agents
 * of the runner and agents as tools, at any depth. It is the last of the plugins of its runner.
 *
 * A call of a tool runs the tool of its name, in lower case, in the agent of the session: `fromAdkTool` makes
 * that of the ADK's own. A denial is what the model gets to read. What ends the session is what the run
 * rejects with, and so is what refuses a model call.
 *
 * @param BasePlugin the class of that name of `@google/adk`, which the plugin is one of.
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const runner = new InMemoryRunner({ agent: desk, plugins: [governedPlugin(BasePlugin)] })
 */
export function governedPlugin<Plugin extends object>(
  BasePlugin: abstract new (name: string) => Plugin,
  options: GovernedFetchOptions = {},
): Plugin {
  if (typeof BasePlugin !== 'function') {
    throw new TypeError('governedPlugin: expected the class BasePlugin of @google/adk')
  }
  const settings = readFetchOptions('governedPlugin', options, [])
  const Base = BasePlugin as unknown as new (name: string) => BasePlugin
  const plugin = new (class extends Base {})('writ')
  return Object.assign(plugin, callbacks(plugin, settings)) as unknown as Plugin
}

function callbacks(plugin: BasePlugin, settings: GovernedFetchOptions): Callbacks {
  const models = new AdkModels(settings)
  const governed = new WeakMap<BaseTool, BaseTool>()
  const copies = new WeakSet<BaseTool>()

  /** A copy of the tool that goes through the session where the ADK runs the tool. */
  const govern = (tool: BaseTool): BaseTool => {
    if (copies.has(tool)) return tool
    const known = governed.get(tool)
    if (known !== undefined) return known
    const runAsync: BaseTool['runAsync'] = (request) => {
      const session = findSession(settings)
      if (session === undefined) return tool.runAsync(request)
      return callThrough(session, tool, request.args, { toolContext: request.toolContext, plugin })
    }
    const copy: BaseTool = Object.create(tool, { runAsync: { value: runAsync } })
    governed.set(tool, copy)
    copies.add(copy)
    return copy
  }

  const callNow = async (tool: BaseTool, args: Input, context: Context): Promise<Input | undefined> => {
    const session = findSession(settings)
    if (session === undefined) return undefined
    return response(await callThrough(session, tool, args, { toolContext: context, plugin }))
  }

  const refuse = (what: string): void => {
    const isGoverned = findSession(settings) !== undefined
    if (isGoverned && settings.unmetered !== 'observe') throw new UnmeteredRequest(what)
  }
  const checkAgent = (agent: object | undefined): void => {
    if (agent === undefined) return
    const { codeExecutor, subAgents = [] } = agent as BaseAgent & { readonly codeExecutor?: unknown }
    if (codeExecutor !== undefined) refuse('a code executor')
    for (const inner of subAgents) checkAgent(inner)
  }

  return {
    beforeRunCallback: passing(({ invocationContext }) => {
      if (invocationContext.liveRequestQueue !== undefined) refuse('a live run')
      assertLast(plugin, invocationContext)
      checkAgent(invocationContext.agent?.rootAgent)
      return undefined
    }),
    beforeNodeCallback: passing(({ node }) => checkAgent(node)),
    beforeModelCallback: passing(({ callbackContext, llmRequest }) => {
      models.before(callbackContext, llmRequest)
      const { toolsDict } = llmRequest
      for (const [name, tool] of Object.entries(toolsDict)) toolsDict[name] = govern(tool)
      return undefined
    }),
    afterModelCallback: passing(({ callbackContext }) => {
      models.after(callbackContext)
      return undefined
    }),
    beforeToolCallback: passing(async ({ tool, toolArgs, toolContext }) => {
      if (tool.name !== TRANSFER && copies.has(tool)) return undefined
      // The ADK leaves out the callbacks of the agent where a plugin answers.
      const answered = await askAgent(tool, toolArgs, toolContext)
      if (answered !== undefined) return answered
      return tool.name === TRANSFER ? transfer(toolArgs, toolContext) : callNow(tool, toolArgs, toolContext)
    }),
    // The ADK makes an event of it.
    onModelErrorCallback: passing(({ error }) => {
      if (error instanceof WritError) throw error
      return undefined
    }),
    onEventCallback: passing(() => {
      throwIfOver(settings)
      return undefined
    }),
    afterRunCallback: passing(() => throwIfOver(settings)),
  }
}

/** Plugins after one that answers are not asked: what they would have refused has to come first. */
function assertLast(plugin: BasePlugin, { pluginManager }: InvocationContext): void {
  const { plugins } = pluginManager as unknown as { readonly plugins?: unknown }
  if (plugins instanceof Set && [...plugins].at(-1) !== plugin) {
    throw new TypeError('governedPlugin: it has to be the last of the plugins of its runner')
  }
}

/** What the callbacks of the agent say to a call, as the ADK asks them. */
async function askAgent(tool: BaseTool, args: Input, context: Context): Promise<Input | undefined> {
  const { agent } = context.invocationContext
  const asked = agent !== undefined && 'canonicalBeforeToolCallbacks' in agent ? agent : undefined
  const ask = (asked?.canonicalBeforeToolCallbacks ?? []) as readonly ((call: {
    tool: BaseTool
    args: Input
    context: Context
  }) => unknown)[]
  for (const callback of ask) {
    const said = await callback({ tool, args, context })
    if (said) return response(said)
  }
  return undefined
}

/** What the ADK's tool of that name does. Whatever else goes by it does not run. */
function transfer({ agentName }: Input, { actions }: Context): Input {
  actions.transferToAgent = String(agentName)
  return { result: 'Transfer queued' }
}

/** As the ADK does it. What is nothing would have it run the tool. */
function response(output: unknown): Input {
  if (typeof output !== 'object' || output === null) return { result: output ?? null }
  return Array.isArray(output) ? { results: output } : (output as Input)
}
