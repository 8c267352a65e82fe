import { type GovernedCallOptions, readCallOptions } from '../metered/settings.js'

/** What a governed Bedrock client can be told. */
export interface BedrockOptions extends GovernedCallOptions {}

/**
 * The options, checked and frozen.
 *
 * @throws TypeError or RangeError for options that are not usable.
 */
export function readOptions(options: BedrockOptions): Readonly<BedrockOptions> {
  return readCallOptions('governed', options, [])
}
