/**
 * An error on its way out of a callback. The ADK catches what a plugin throws, and throws another error with
 * the text of it, which the first is not even the cause of. This has no text: to ask for it throws the error.
 */
class PassedError extends Error {
  override readonly name = 'PassedError'
  readonly #error: unknown

  constructor(error: unknown) {
    super(error instanceof Error ? error.message : undefined, { cause: error })
    this.#error = error
  }

  override toString(): never {
    throw this.#error
  }
}

/** Callbacks whose errors reach the caller of the run as they are. */
export function passing<Args extends unknown[], Result>(
  callback: (...args: Args) => Result | Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    try {
      return await callback(...args)
    } catch (error) {
      throw new PassedError(error)
    }
  }
}
