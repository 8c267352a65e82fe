// Runs in a worker thread of its own: see examples/isolated-tool.ts.

/** The lines of a text that match a pattern. A pattern can take longer than the universe will last. */
export function searchLines({ pattern, text }) {
  const expression = new RegExp(pattern)
  return text.split('\n').filter((line) => expression.test(line))
}
