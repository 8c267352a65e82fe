import type { Complain } from './check-shape.js'
import type { ArgumentRules, ContractRule, RuleData } from './contract.js'
import { compileGlob } from './glob.js'
import { compilePattern } from './pattern.js'

type Members = Readonly<Record<string, unknown>>

/** Rules whose values are of one type: two of different types hold of nothing. */
const TYPES: { readonly [rule: string]: string } = {
  glob: 'text',
  under: 'text',
  pattern: 'text',
  range: 'number',
  each: 'list',
  members: 'object',
}

/** The rules of a tool or of the members of an object, of a shape that has been checked. */
export function readRules(given: Members, path: readonly string[], complain: Complain): ArgumentRules {
  const named = new Map<string, ContractRule>()
  let others: ContractRule = false
  for (const name of Object.keys(given)) {
    const rule = readRule(given[name], [...path, name], complain)
    if (name === '*') others = rule
    // $$ is how a name begins that begins with $.
    else named.set(name.startsWith('$$') ? name.slice(1) : name, rule)
  }
  return Object.freeze({ named, others })
}

function readRule(value: unknown, path: readonly string[], complain: Complain): ContractRule {
  if (typeof value === 'boolean') return value
  const given = value as Members
  const types = new Set(Object.keys(given).flatMap((name) => TYPES[name] ?? []))
  if (types.size > 1) complain(path, `no value can be ${[...types].join(' and ')} at once`)
  const rule: RuleData = Object.freeze({
    optional: given['optional'] === true,
    equals: Object.hasOwn(given, 'equals') ? Object.freeze({ value: given['equals'] }) : undefined,
    oneOf: given['oneOf'] as readonly unknown[] | undefined,
    range: readRange(given['range'], [...path, 'range'], complain),
    glob: listOf(given['glob']),
    under: listOf(given['under']),
    pattern: given['pattern'] as string | undefined,
    maxLength: given['maxLength'] as number | undefined,
    each: given['each'] === undefined ? undefined : readRule(given['each'], [...path, 'each'], complain),
    members:
      given['members'] === undefined
        ? undefined
        : readRules(given['members'] as Members, [...path, 'members'], complain),
  })
  for (const glob of rule.glob ?? []) complainOf(() => compileGlob(glob), [...path, 'glob'], complain)
  const { pattern } = rule
  if (pattern !== undefined) complainOf(() => compilePattern(pattern), [...path, 'pattern'], complain)
  if (rule.each === false) complain([...path, 'each'], 'a list without elements is "maxLength": 0')
  return rule
}

function readRange(value: unknown, path: readonly string[], complain: Complain): RuleData['range'] {
  if (value === undefined) return undefined
  const [min, max] = value as readonly [number | null, number | null]
  if (min === null && max === null) complain(path, 'has no bound at all')
  if (min !== null && max !== null && min > max) complain(path, `nothing is from ${min} to ${max}`)
  return Object.freeze([min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY] as const)
}

function listOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string' ? [value] : (value as readonly string[])
}

function complainOf(compile: () => unknown, path: readonly string[], complain: Complain): void {
  try {
    compile()
  } catch (cause) {
    complain(path, (cause as Error).message)
  }
}
