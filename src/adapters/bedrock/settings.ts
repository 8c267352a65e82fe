import { type GovernedFetchOptions, readFetchOptions } from '../metered/settings.js'

/** What a governed Bedrock client can be told. */
export interface BedrockOptions extends Omit<GovernedFetchOptions, 'fetch'> {}

/**
 * The options, checked and frozen.
 *
 * @throws TypeError or RangeError for options that are not usable.
 */
export function readOptions(options: BedrockOptions): Readonly<BedrockOptions> {
  if (typeof options === 'object' && options !== null && 'fetch' in options) {
    throw new TypeError('governed: there is no option fetch; requestHandler of the client makes the requests')
  }
  return readFetchOptions('governed', options, [])
}
