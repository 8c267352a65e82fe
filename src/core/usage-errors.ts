import { describe } from './describe.js'
import { WritError } from './errors.js'

/** Reported usage is not a set of numbers that can be charged. */
export class UsageInvalid extends WritError {
  override readonly name = 'UsageInvalid'
  readonly code = 'ERR_USAGE_INVALID'
  /** The member that is wrong. */
  readonly field: string
  /** What it held. */
  readonly value: unknown

  constructor(field: string, value: unknown, expected: string, options?: ErrorOptions) {
    super(`usage.${field}: expected ${expected}, got ${describe(value)}`, options)
    this.field = field
    this.value = value
  }
}

/** A session limited in US dollars was told of a model call that has no price. */
export class UnpricedModel extends WritError {
  override readonly name = 'UnpricedModel'
  readonly code = 'ERR_UNPRICED_MODEL'
  readonly model: string

  constructor(model: string) {
    super(`no price for model ${JSON.stringify(model)}: pass costUsd, or add the model to the agent's prices`)
    this.model = model
  }
}

/** A governed client was asked for something that spends in a way that is not metered. */
export class UnmeteredRequest extends WritError {
  override readonly name = 'UnmeteredRequest'
  readonly code = 'ERR_UNMETERED_REQUEST'
  /** What is not metered: an endpoint, or a part of a request. */
  readonly what: string

  constructor(what: string) {
    super(
      `${what} is not metered, so it was not sent; unmetered: 'observe' lets it pass, on record but at no cost`,
    )
    this.what = what
  }
}
