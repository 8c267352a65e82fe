/** As the registry of an agent has it. */
const NAME = /^[a-z0-9][a-z0-9._:-]{0,127}$/

/** Before anything is made lower case: some letters beyond ASCII become letters of ASCII then. */
const ASCII = /^[\x21-\x7e]*$/

/**
 * The name that a server's tool has in an agent: in lower case, with `_` for `.` and `/`. `undefined` where that
 * is no name of a tool. Two names can become one: then neither of the tools can be told from the other.
 */
export function readToolName(name: string, prefix = ''): string | undefined {
  if (!ASCII.test(name)) return undefined
  const own = `${prefix}${name}`.toLowerCase().replaceAll(/[./]/g, '_')
  return NAME.test(own) ? own : undefined
}
