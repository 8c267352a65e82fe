import type { FunctionCall, FunctionResponse } from '@google/genai'
import type { Session, ToolSet } from '../../index.js'

/** A part of the content that answers a model's function calls. */
export interface FunctionResponsePart {
  functionResponse: FunctionResponse
}

/**
 * Runs function calls through the session, all at once, and returns the parts to answer them with, in their
 * order. A denial, a tool's error and a timeout are an `error` that the model can read; the end of the session
 * is thrown.
 *
 * @throws whatever ended the session.
 * @example
 * contents.push(content, { role: 'user', parts: await runFunctionCalls(s, response.functionCalls) })
 */
export function runFunctionCalls<Tools extends ToolSet>(
  session: Session<Tools>,
  calls: readonly FunctionCall[] | undefined,
): Promise<FunctionResponsePart[]> {
  return Promise.all(
    (calls ?? []).map(async ({ id, name = '', args: input = {} }): Promise<FunctionResponsePart> => {
      const named = id === undefined ? {} : { id }
      const result = await session.dispatch({ ...named, name, input })
      const response = result.ok ? { output: result.output } : { error: result.denial }
      return { functionResponse: { ...named, name, response } }
    }),
  )
}
