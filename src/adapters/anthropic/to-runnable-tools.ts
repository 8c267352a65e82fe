import type { BetaRunnableTool } from '@anthropic-ai/sdk/lib/tools/BetaRunnableTool'
import type { AnthropicToolSchema, Denial, Session, ToolSet } from '../../index.js'
import { contentOf, textOf } from './tool-content.js'

/** What a tool of the runner throws for a call that has no result: the runner hands it to the model. */
class ToolCallDenied extends Error {
  override readonly name = 'ToolCallDenied'

  constructor(denial: Denial) {
    super(textOf(denial))
  }
}

/**
 * The tools of an agent as the tool runner takes them. Each call goes through the session, whose checks are
 * the only ones; a denial, a tool's error and a timeout are an error that the model can read.
 *
 * @param schemas of the tools to offer: `agent.toolSchemas('anthropic')`, or some of them.
 * @example
 * const tools = toRunnableTools(s, agent.toolSchemas('anthropic'))
 * await anthropic.beta.messages.toolRunner({ model, messages, max_tokens: 500, tools })
 */
export function toRunnableTools<Tools extends ToolSet>(
  session: Session<Tools>,
  schemas: readonly AnthropicToolSchema[],
): BetaRunnableTool<unknown>[] {
  return schemas.map(
    (schema): BetaRunnableTool<unknown> => ({
      ...schema,
      type: 'custom',
      parse: (input) => input,
      run: async (input, context) => {
        const id = context?.toolUse.id
        const { signal } = context ?? {}
        const result = await session.dispatch(
          { name: schema.name, input, ...(id === undefined ? {} : { id }) },
          signal == null ? {} : { signal },
        )
        if (!result.ok) throw new ToolCallDenied(result.denial)
        return contentOf(result.output)
      },
    }),
  )
}
