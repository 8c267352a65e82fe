import type { ToolMessage } from '@langchain/core/messages'
import { DynamicStructuredTool } from '@langchain/core/tools'
import type { OpenAiToolSchema } from '../../index.js'
import { findSession, type SessionChoice } from '../metered/find-session.js'
import { denialError, dispatchCall, toolAnswer, toolDenial } from './tool-answer.js'

/** Whose tools {@link toTools} makes tools of LangChain of: an `Agent` of this package. */
interface ToolOwner {
  toolSchemas(format: 'openai'): readonly OpenAiToolSchema[]
}

const made = new WeakSet<object>()

/** Whether {@link toTools} made it. */
export function isOwnTool(tool: object): boolean {
  return made.has(tool)
}

/**
 * The tools of an agent as tools of LangChain, for `createAgent`, `bindTools` and graphs. Their calls go through
 * the session they are made in. A denial is a `ToolMessage` with the status `error`, and where nobody has an id
 * for the call, {@link ToolNotPermitted}.
 *
 * @throws RangeError for a tool whose name or schema OpenAI does not take.
 * @example
 * const desk = createAgent({ model, tools: toTools(agent), middleware: [governedMiddleware()] })
 */
export function toTools(owner: ToolOwner, options: SessionChoice = {}): DynamicStructuredTool[] {
  if (typeof owner?.toolSchemas !== 'function') throw new TypeError('toTools: expected an Agent of writ')
  return owner.toolSchemas('openai').map(({ function: { name, description = '', parameters } }) => {
    const tool = new DynamicStructuredTool({
      name,
      description,
      schema: parameters,
      func: async (args, _run, config): Promise<unknown> =>
        call(name, args, config as Config | undefined, options),
    })
    made.add(tool)
    return tool
  })
}

interface Config {
  readonly signal?: AbortSignal
  readonly toolCall?: { readonly id?: string }
}

async function call(
  name: string,
  args: unknown,
  config: Config | undefined,
  options: SessionChoice,
): Promise<unknown | ToolMessage> {
  const { signal, toolCall } = config ?? {}
  // There is nothing to run it in outside of a session.
  const session = findSession({ ...options, outside: 'refuse' }) as object
  const asked = { id: toolCall?.id, name, args }
  const result = await dispatchCall(session, asked, signal)
  if (toolCall?.id === undefined) {
    if (result.ok) return result.output
    throw denialError(result.denial)
  }
  return result.ok ? toolAnswer(asked, result.output) : toolDenial(asked, result.denial)
}
