const decoder = new TextDecoder()

/** A line as JSON, without a prototype to be fooled by; `undefined` when it is none. */
export function parseJsonLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(line))
  } catch {
    return undefined
  }
}
