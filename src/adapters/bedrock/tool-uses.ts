import type { ContentBlock, Tool, ToolConfiguration, ToolUseBlock } from '@aws-sdk/client-bedrock-runtime'
import type { Agent, DispatchResult, Session, ToolSet } from '../../index.js'

type Specification = Tool.ToolSpecMember
type ToolResult = ContentBlock.ToolResultMember['toolResult']

/**
 * The tools of an agent as Converse takes them.
 *
 * @throws RangeError for a tool whose name Bedrock does not allow, or whose schema cannot be expressed.
 * @example
 * new ConverseCommand({ modelId, messages, toolConfig: toToolConfig(agent) })
 */
export function toToolConfig<Tools extends ToolSet>(
  agent: Pick<Agent<Tools>, 'toolSchemas'>,
): ToolConfiguration {
  // The names that both allow are the same.
  const tools = agent.toolSchemas('openai').map(({ function: { name, description, parameters } }) => ({
    toolSpec: {
      name,
      ...(description === undefined ? {} : { description }),
      inputSchema: { json: parameters },
    },
  }))
  return { tools: tools as Specification[] }
}

/**
 * Runs the tool uses of a message through the session, all at once, and returns the content of the message
 * to answer it with, in their order. A denial, a tool's error and a timeout are results with the status
 * `error`, which the model can read; the end of the session is thrown. Tools that AWS runs are left out.
 *
 * @throws whatever ended the session.
 * @example
 * messages.push(message, { role: 'user', content: await runToolUses(s, message.content) })
 */
export function runToolUses<Tools extends ToolSet>(
  session: Session<Tools>,
  content: readonly ContentBlock[] | undefined,
): Promise<ContentBlock.ToolResultMember[]> {
  const uses = (content ?? []).map(({ toolUse }) => toolUse).filter((use) => isCallers(use))
  return Promise.all(
    uses.map(async ({ toolUseId, name, input }): Promise<ContentBlock.ToolResultMember> => {
      const request = { name: name ?? '', input, ...(toolUseId === undefined ? {} : { id: toolUseId }) }
      return { toolResult: { toolUseId, ...answer(await session.dispatch(request)) } }
    }),
  )
}

function isCallers(use: ToolUseBlock | undefined): use is ToolUseBlock {
  return use !== undefined && use.type !== 'server_tool_use'
}

/** What the model reads. Only an object may be its JSON. */
function answer(result: DispatchResult): Omit<ToolResult, 'toolUseId'> {
  if (!result.ok) return { status: 'error', content: [{ text: JSON.stringify({ error: result.denial }) }] }
  const { output } = result
  const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
  return {
    status: 'success',
    content: [text.startsWith('{') && typeof output === 'object' ? { json: JSON.parse(text) } : { text }],
  }
}
