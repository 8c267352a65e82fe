/** What a function throws. Fails when it does not. */
export function thrown(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new TypeError('expected a throw')
}
