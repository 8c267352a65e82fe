import { WritError } from './errors.js'

/** The folder of the scope keys, or a key in it, cannot be used. */
export class ScopeKeyUnavailable extends WritError {
  override readonly name = 'ScopeKeyUnavailable'
  readonly code = 'ERR_SCOPE_KEY_UNAVAILABLE'
  readonly path: string

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`scope keys in ${path}: ${message}`, options)
    this.path = path
  }
}
