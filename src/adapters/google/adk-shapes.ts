import type { FunctionDeclaration } from '@google/genai'

/**
 * What a tool of the ADK has. It is not named by the ADK's own type, so that a program without the ADK can use
 * the rest.
 */
export interface AdkTool {
  readonly name: string
  readonly description: string
  readonly isLongRunning: boolean
  _getDeclaration(): FunctionDeclaration | undefined
  runAsync(request: { args: Record<string, unknown>; toolContext: never }): Promise<unknown>
}

/** The ADK marks its classes, so that they are known however often it is loaded. */
const isMarked = (value: object, mark: string): boolean =>
  (value as Record<symbol, unknown>)[Symbol.for(`google.adk.${mark}`)] === true

/** Whether it asks a model of Google through a client that takes a `fetch` with each request. */
export function asksByFetch(model: object): boolean {
  return (
    isMarked(model, 'geminiModel') && !('useInteractionsApi' in model && model.useInteractionsApi === true)
  )
}

export function isAgentTool(tool: object): boolean {
  return isMarked(tool, 'agentTool')
}
