import { WritError } from './errors.js'

/** Nobody can say what is left of a rolling limit, so the session was not opened. */
export class LimitsUnavailable extends WritError {
  override readonly name = 'LimitsUnavailable'
  readonly code = 'ERR_LIMITS_UNAVAILABLE'

  constructor(message: string, options?: ErrorOptions) {
    super(`rolling limits unavailable: ${message}`, options)
  }
}
