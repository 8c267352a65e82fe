import type { Ajv } from 'ajv'
import { isMembers } from './json-rpc.js'

/** Marks the places of a schema where checking can branch. */
const MARK = 'x-writ-step'

/** More than any honest schema takes for arguments of a size that is let through. */
const MAX_STEPS = 200_000

/** Members whose values are data, and no schemas. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples'])
/** Members whose values are schemas by name: what their names are says nothing. */
const BY_NAME: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
])

/** A check took more steps than it may. */
class TooManySteps extends RangeError {
  override readonly name = 'TooManySteps'
}

/**
 * Bounds what a check may cost: a schema of a few lines can ask for the same thing twice at each of a hundred
 * levels, and nothing stops a check that has begun.
 */
export class StepLimit {
  #steps = 0

  /** Lets a compiler know the mark. */
  addTo(ajv: Ajv): void {
    ajv.addKeyword({
      keyword: MARK,
      before: '$ref',
      schema: false,
      errors: false,
      validate: () => {
        this.#steps += 1
        if (this.#steps > MAX_STEPS) throw new TooManySteps('the check takes too long')
        return true
      },
    })
  }

  /** Begins a check anew. */
  reset(): void {
    this.#steps = 0
  }
}

/** A schema with a mark at each place where checking can branch. */
export function marked(schema: unknown, byName = false): unknown {
  if (Array.isArray(schema)) return schema.map((part) => marked(part))
  if (!isMembers(schema)) return schema
  const parts = Object.entries(schema).map(([name, value]): [string, unknown] =>
    !byName && DATA.has(name) ? [name, value] : [name, marked(value, !byName && BY_NAME.has(name))],
  )
  return Object.fromEntries(byName ? parts : [...parts, [MARK, true]])
}
