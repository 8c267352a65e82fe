import { AIMessage } from '@langchain/core/messages'
import { type AgentMiddleware, createMiddleware } from 'langchain'
import { WritError } from '../../index.js'
import { findSession } from '../metered/find-session.js'
import { endOf, throwIfOver } from '../metered/session-end.js'
import { governRunnable } from './governed-model.js'
import { type GovernedMiddlewareOptions, readModelOptions } from './model-options.js'
import { callTool } from './tool-calls.js'

/** What stands in the place of an answer that was refused, with why. */
const refusals = new WeakMap<object, { readonly reason: unknown }>()

const MAX_CAUSES = 8

/**
 * Middleware of `createAgent`: its model calls are governed as by {@link governedModel}, and its tool calls go
 * through the session. Put it last, so that what other middleware makes of a call is what is governed.
 *
 * A call of a tool runs the tool of its name in the agent of the session: `fromTool` makes that of LangChain's
 * own, `toTools` LangChain's of that. A denial is a `ToolMessage` with the status `error`. What ends the session
 * rejects the run as it is, and so do {@link NoSession}, {@link UnpricedModel} and {@link UnmeteredRequest}.
 *
 * @throws TypeError or RangeError for options that are not usable.
 * @example
 * const desk = createAgent({ model, tools: [refund], middleware: [governedMiddleware()] })
 * await agent.session('alice', () => desk.invoke({ messages: question }))
 * @see COVERAGE for what is enforced and what is not
 */
export function governedMiddleware(options: GovernedMiddlewareOptions = {}): AgentMiddleware {
  const settings = readModelOptions('governedMiddleware', options, [])
  return createMiddleware({
    name: 'GovernedMiddleware',
    wrapModelCall: async (request, handler) => {
      try {
        const model = governRunnable(request.model, settings) as typeof request.model
        return await handler({ ...request, model })
      } catch (error) {
        return standIn(refusalIn(error, settings))
      }
    },
    // LangChain wraps what is thrown around a model call, once for each middleware. What is thrown here it does not.
    afterModel: ({ messages }) => {
      const last = messages.at(-1)
      const refusal = last === undefined ? undefined : refusals.get(last)
      if (refusal !== undefined) throw refusal.reason
      throwIfOver(settings)
    },
    wrapToolCall: async (request, handler) => {
      const session = findSession(settings)
      return session === undefined ? handler(request) : callTool(session, request, handler)
    },
    afterAgent: () => throwIfOver(settings),
  }) as AgentMiddleware
}

/**
 * Why a model call was refused for good.
 *
 * @throws the error, for all others: another try may get further, or another model.
 */
function refusalIn(error: unknown, settings: GovernedMiddlewareOptions): unknown {
  const session = findSession({ ...settings, outside: 'observe' })
  const end = session === undefined ? undefined : endOf(session)
  if (end !== undefined) return end.reason
  let cause = error
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if (WritError.isInstance(cause) && cause.code !== 'ERR_BUDGET_RESERVED') return cause
    cause = cause.cause
  }
  throw error
}

/** An answer that asks for nothing: the run gets no further than the refusal. */
function standIn(reason: unknown): AIMessage {
  const message = new AIMessage(reason instanceof Error ? reason.message : String(reason))
  refusals.set(message, { reason })
  return message
}
