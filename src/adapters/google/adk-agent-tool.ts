import type { BaseAgent, BasePlugin } from '@google/adk'
import type { AdkTool } from './adk-shapes.js'

/**
 * An agent as a tool, with the plugin. The ADK runs its agent in a runner of its own, which has none: the copy
 * registers it there before an agent runs.
 */
export function withPlugin(tool: AdkTool, plugin: BasePlugin): AdkTool {
  const { agent } = tool as AdkTool & { readonly agent: BaseAgent }
  return Object.create(tool, { agent: { value: agentWithPlugin(agent, plugin) } })
}

function agentWithPlugin(agent: BaseAgent, plugin: BasePlugin): BaseAgent {
  const members: Pick<BaseAgent, 'runAsync' | 'findSubAgent'> = {
    runAsync: async function* (context) {
      context.pluginManager.registerPlugin(plugin)
      // The runner has asked its plugins before this one came.
      await plugin.beforeRunCallback({ invocationContext: context })
      yield* agent.runAsync(context)
    },
    // A runner that goes on with a conversation may begin with one of these.
    findSubAgent: (name) => {
      const found = agent.findSubAgent(name)
      return found && agentWithPlugin(found, plugin)
    },
  }
  return Object.assign(Object.create(agent), members)
}
