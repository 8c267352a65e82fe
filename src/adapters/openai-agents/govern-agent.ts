import type { Agent, Handoff } from '@openai/agents'
import { ToolNotPermitted } from '../../index.js'
import { throwIfOver } from '../metered/session-end.js'
import { readFetchOptions } from '../metered/settings.js'
import {
  type GovernAgentOptions,
  governTool,
  isAgentTool,
  isGovernedTool,
  markGoverned,
} from './governed-tool.js'

export type { GovernAgentOptions } from './governed-tool.js'

// biome-ignore lint/suspicious/noExplicitAny: an agent of any context and output, as the SDK itself writes it
type AnyAgent = Agent<any, any>
// biome-ignore lint/suspicious/noExplicitAny: likewise
type AnyHandoff = Handoff<any, any>

const governedAgents = new WeakSet<object>()

/**
 * A copy of an agent whose tools go through the session, and so do those of every agent that it can hand off
 * to, and those of its MCP servers. The agent itself is left as it is.
 *
 * A call of a function tool runs the tool of its name in the agent of the session: `fromTool` makes that of
 * the SDK's own. A denial is what the model gets to read. At the end of the session the run rejects with what
 * ended it.
 *
 * @throws TypeError for something that is no agent, for an agent as a tool whose agent is not governed, and
 *   for options that are not usable.
 * @throws {@link UnmeteredRequest} (ERR_UNMETERED_REQUEST) for a tool that does not go through the session.
 * @example
 * const search = governAgent(researcher).asTool({ toolName: 'research' })
 * const writer = governAgent(new Agent({ name: 'writer', tools: [lookUp, search], handoffs: [editor] }))
 */
export function governAgent<A extends AnyAgent>(agent: A, options: GovernAgentOptions = {}): A {
  if (typeof options === 'object' && options !== null) {
    for (const name of ['fetch', 'assumeOutputTokens', 'estimateInputTokens']) {
      if (name in options) throw new TypeError(`governAgent: unknown option ${name}`)
    }
  }
  return govern(agent, readFetchOptions<GovernAgentOptions>('governAgent', options, []), new Map()) as A
}

/** @param done the agents of this call with their copies: agents may hand off to each other. */
function govern(agent: AnyAgent, options: GovernAgentOptions, done: Map<AnyAgent, AnyAgent>): AnyAgent {
  if (typeof agent?.getAllTools !== 'function' || !Array.isArray(agent.tools)) {
    throw new TypeError('governAgent: expected an Agent of @openai/agents')
  }
  if (governedAgents.has(agent)) return agent
  const known = done.get(agent)
  if (known !== undefined) return known

  const type: AnyAgent = Object.getPrototypeOf(agent)
  const copy: AnyAgent = Object.assign(Object.create(type), agent)
  governedAgents.add(copy)
  done.set(agent, copy)
  const governHandoff = (handoff: AnyAgent | AnyHandoff): AnyAgent | AnyHandoff => {
    if (!('onInvokeHandoff' in handoff)) return govern(handoff, options, done)
    return handoff.clone({
      agent: govern(handoff.agent, options, done),
      agentName: handoff.agentName,
      onInvokeHandoff: async (context, input) =>
        govern(await handoff.onInvokeHandoff(context, input), options, done),
    })
  }
  // Overloaded: what the SDK takes and gives passes as it is.
  const asTool = ((toolOptions: never) =>
    markGoverned(type.asTool.call(copy, toolOptions))) as unknown as AnyAgent['asTool']
  const members: { readonly [M in keyof AnyAgent]?: AnyAgent[M] } = {
    tools: agent.tools.map((tool) => governTool(tool, options)),
    handoffs: agent.handoffs.map(governHandoff),
    // What is added later, and what MCP servers have.
    getAllTools: async (...args) => {
      const tools = await type.getAllTools.apply(copy, args)
      return tools.map((tool) => governTool(tool, options))
    },
    getEnabledHandoffs: async (...args) => {
      const handoffs = await type.getEnabledHandoffs.apply(copy, args)
      return handoffs.map((handoff) => governHandoff(handoff) as AnyHandoff)
    },
    asTool,
    clone: (config) => govern(type.clone.call(copy, config), options, new Map()),
    emit: ((...args: Parameters<AnyAgent['emit']>): boolean => {
      const [event, , tool] = args
      if (event === 'agent_tool_start') assertGoverned(tool)
      return type.emit.apply(copy, args)
    }) as AnyAgent['emit'],
  }
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(copy, name, { value, writable: true, configurable: true, enumerable: isData(name) })
  }
  // The SDK reads it when all tools of a turn are done: what it throws there reaches the caller unwrapped.
  Object.defineProperty(copy, 'toolUseBehavior', {
    enumerable: true,
    configurable: true,
    get: () => {
      throwIfOver(options)
      return agent.toolUseBehavior
    },
  })
  return copy
}

const isData = (name: string): boolean => name === 'tools' || name === 'handoffs'

/** Tools can come into a run past all lists of tools. */
function assertGoverned(tool: unknown): void {
  const { type, name } = tool as { type?: unknown; name?: unknown }
  if (type !== 'function' || isGovernedTool(tool as object)) return
  const what = isAgentTool(tool as object)
    ? 'its agent is not governed'
    : 'it does not go through the session'
  throw new ToolNotPermitted(`tool ${String(name)} was not run: ${what}`, String(name), 'not_registered')
}
