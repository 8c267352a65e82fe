import type { BaseMessage } from '@langchain/core/messages'
import { type GovernedCallOptions, readCallOptions } from '../metered/settings.js'

/** What {@link governedMiddleware} can be told. */
export interface GovernedMiddlewareOptions extends Omit<GovernedCallOptions, 'estimateInputTokens'> {
  /** Tokens of input of a call; `undefined` for the built-in estimate. */
  readonly estimateInputTokens?: (messages: readonly BaseMessage[]) => number | undefined
}

/** What {@link governedModel} can be told. */
export interface GovernedModelOptions extends GovernedMiddlewareOptions {
  /** The name that the model has in the prices; without it, the one that it says of itself. */
  readonly model?: string
}

/** The options, checked and frozen. @throws TypeError or RangeError for options that are not usable. */
export function readModelOptions(
  label: string,
  options: GovernedModelOptions,
  more: readonly 'model'[],
): Readonly<GovernedModelOptions> {
  // What the function is called with is for this adapter to say.
  type Read = GovernedCallOptions & Pick<GovernedModelOptions, 'model'>
  readCallOptions(label, options as unknown as Read, more)
  const { model } = options
  if (model !== undefined && (typeof model !== 'string' || model === '')) {
    throw new TypeError(`${label}.model: expected the name of a model`)
  }
  return Object.freeze({ ...options })
}
