import type { SdkMcpToolDefinition } from '@anthropic-ai/claude-agent-sdk'
import type { Session, ToolSet } from '../../index.js'

/**
 * Tools of an agent, as Claude Code takes them: each call goes through the session.
 *
 * @throws TypeError for a tool whose schema is no object of zod: Claude Code takes no other.
 */
export function agentTools(
  session: Session<ToolSet>,
  tools: ToolSet,
  onKill: (reason: unknown) => void,
  // biome-ignore lint/suspicious/noExplicitAny: the shape of a tool that is known at run time only
): SdkMcpToolDefinition<any>[] {
  return Object.entries(tools).map(([name, { description = '', inputSchema }]) => {
    const { shape } = inputSchema as { readonly shape?: unknown }
    if (typeof shape !== 'object' || shape === null) {
      throw new TypeError(
        `governedQuery.tools.${name}: Claude Code needs an inputSchema that is an object of zod`,
      )
    }
    return {
      name,
      description,
      inputSchema: shape,
      handler: async (input) => {
        try {
          const result = await session.dispatch({ name, input })
          return result.ok ? answer(result.output, false) : answer({ error: result.denial }, true)
        } catch (reason) {
          onKill(reason)
          return answer('the session has ended', true)
        }
      },
    }
  })
}

function answer(output: unknown, isError: boolean) {
  const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
  return { content: [{ type: 'text' as const, text }], isError }
}
