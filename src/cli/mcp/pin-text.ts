import type { PinStatus } from '../../adapters/mcp/pins/check-pins.js'
import { nameOf } from '../../adapters/mcp/pins/definition.js'
import type { Difference } from '../../adapters/mcp/pins/definition-diff.js'
import { findingsIn } from '../../adapters/mcp/pins/findings.js'
import { safeText } from '../safe-text.js'

/** Characters of one side of a difference. */
const MAX_SHOWN = 400
/** Characters before the place where two texts begin to differ. */
const CONTEXT = 40

/** The state of a tool's definition, with what has changed and what stands out: lines that are safe to print. */
export function pinLines(status: PinStatus, tools: readonly unknown[]): readonly string[] {
  const { name, verdict, why, differences } = status
  const tool = tools.find((one) => nameOf(one) === name)
  return [
    `${verdict.padEnd(8)} ${safeText(name)}${why === undefined ? '' : `: ${safeText(why)}`}`,
    ...(verdict === 'changed' ? differences.flatMap(differenceLines) : []),
    ...(verdict === 'same' || tool === undefined ? [] : findingLines(tool)),
  ]
}

/** What stands out in a definition. */
export function findingLines(tool: unknown): readonly string[] {
  return findingsIn(tool).map(
    ({ pointer, kind, detail }) =>
      `    look at ${safeText(pointer)} (${kind}): ${safeText(cutAt(detail, 0))}`,
  )
}

function differenceLines({ pointer, before, after }: Difference): readonly string[] {
  const start = before === undefined || after === undefined ? 0 : firstDifference(before, after)
  return [
    `    at ${pointer === '' ? 'all of it' : safeText(pointer)}`,
    ...(before === undefined ? [] : [`    - ${shown(before, start)}`]),
    ...(after === undefined ? [] : [`    + ${shown(after, start)}`]),
  ]
}

function firstDifference(one: string, other: string): number {
  let index = 0
  while (index < one.length && one[index] === other[index]) index++
  return index
}

const shown = (text: string, start: number): string => safeText(cutAt(text, Math.max(0, start - CONTEXT)))

function cutAt(text: string, start: number): string {
  const end = start + MAX_SHOWN
  return `${start > 0 ? '… ' : ''}${text.slice(start, end)}${end < text.length ? ` … (${text.length} characters)` : ''}`
}
