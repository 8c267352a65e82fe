import { snapshot } from '../core/json.js'
import { ToolCrashed } from './tool-crashed.js'

const { parse } = JSON

/**
 * What a tool returned, from the JSON text that it sent. The text is the tool's: nothing in it is trusted.
 *
 * @throws {@link ToolCrashed} (ERR_TOOL_CRASHED, `output`) for text that is no JSON, is too deep or too
 *   large, or has one of the keys `__proto__`, `constructor` and `prototype`.
 */
export function outputValue(text: string | undefined): unknown {
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = parse(text)
  } catch {
    throw new ToolCrashed('output', 'sent a result that is no JSON')
  }
  const checked = snapshot(value)
  if (checked.ok) return value
  const { path, message } = checked.issue
  throw new ToolCrashed('output', `returned a result with ${message} (result${['', ...path].join('.')})`)
}
