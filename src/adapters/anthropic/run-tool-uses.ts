import type { ContentBlock, ToolResultBlockParam, ToolUseBlock } from '@anthropic-ai/sdk/resources'
import type { BetaContentBlock, BetaToolUseBlock } from '@anthropic-ai/sdk/resources/beta'
import type { Session, ToolSet } from '../../index.js'
import { contentOf, textOf } from './tool-content.js'

/**
 * Runs the tool uses of a message through the session, all at once, and returns the blocks to answer them
 * with, in the order of the calls. A denial, a tool's error and a timeout are answers that the model can read;
 * the end of the session is thrown. Blocks of other kinds are left out, so the answer may be empty.
 *
 * A call of a toolset (`browser`, `computer`) is that of the tool `<toolset>.<name>`.
 *
 * @throws whatever ended the session.
 * @example
 * messages.push({ role: 'user', content: await runToolUses(s, message.content) })
 */
export function runToolUses<Tools extends ToolSet>(
  session: Session<Tools>,
  content: readonly (ContentBlock | BetaContentBlock)[],
): Promise<ToolResultBlockParam[]> {
  return Promise.all(
    content
      .filter((block): block is ToolUseBlock | BetaToolUseBlock => block.type === 'tool_use')
      .map(async ({ id, name, input, toolset_name: toolset }): Promise<ToolResultBlockParam> => {
        const isMember = typeof toolset === 'string'
        const result = await session.dispatch({ id, name: isMember ? `${toolset}.${name}` : name, input })
        const answer = {
          type: 'tool_result' as const,
          tool_use_id: id,
          ...(isMember ? { toolset_name: toolset } : {}),
        }
        return result.ok
          ? { ...answer, content: contentOf(result.output) }
          : { ...answer, content: textOf(result.denial), is_error: true }
      }),
  )
}
