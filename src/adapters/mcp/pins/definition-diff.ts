import { canonicalJson } from '../../../core/canonical-json.js'

/** One place in which two definitions differ. */
export interface Difference {
  /** JSON pointer (RFC 6901). */
  readonly pointer: string
  /** JSON text; `undefined` where there was nothing. */
  readonly before: string | undefined
  /** JSON text; `undefined` where there is nothing any more. */
  readonly after: string | undefined
}

/** Nobody reads more. */
const MAX_DIFFERENCES = 100

/** Where two values of JSON differ, in the order of the second one. */
export function differences(before: unknown, after: unknown): readonly Difference[] {
  const found: Difference[] = []
  compare(before, after, '', found)
  return found
}

function compare(before: unknown, after: unknown, pointer: string, found: Difference[]): void {
  if (found.length >= MAX_DIFFERENCES) return
  const same = textOf(before) === textOf(after)
  if (same && before !== undefined) return
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    if (!same) found.push({ pointer, before: textOf(before), after: textOf(after) })
    return
  }
  const names = new Set([...Object.keys(after), ...Object.keys(before)])
  for (const name of names) {
    const step = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    compare(memberOf(before, name), memberOf(after, name), step, found)
  }
}

type Container = Readonly<Record<string, unknown>>

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null

const memberOf = (value: Container, name: string): unknown =>
  Object.hasOwn(value, name) ? value[name] : undefined

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  try {
    return canonicalJson(value)
  } catch {
    return 'something that is no JSON'
  }
}
