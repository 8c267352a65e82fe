import { canonicalJson } from '../../../core/canonical-json.js'
import type { StandardSchema } from '../../../index.js'
import type { ArgumentRules, ContractRule, RuleData } from './contract.js'
import { compileGlob } from './glob.js'
import { type PathHost, pathUnder } from './path-root.js'
import { compilePattern } from './pattern.js'
import { typeOf } from './shape.js'

type Members = Readonly<Record<string, unknown>>
type Path = readonly (string | number)[]

/** One argument that a rule does not allow. No message holds a value. */
interface Fault {
  readonly path: Path
  /** The rule that it breaks. */
  readonly code: string
  readonly message: string
}

/** Adds the faults of a value. */
type Check = (value: unknown, path: Path, faults: Fault[]) => void

/** Nobody corrects more at once. */
const MAX_FAULTS = 16

/**
 * The rules of a tool as a schema of its input: a value that breaks one is refused with the place and the name of
 * the rule, and one that breaks none is handed on as it is.
 *
 * @param rules `undefined` where all arguments are allowed.
 * @param folder where relative roots begin.
 * @throws RangeError for a root of `under` that does not exist.
 */
export function argumentSchema(
  rules: ArgumentRules | undefined,
  host: PathHost,
  folder: string,
): StandardSchema<unknown, unknown> {
  const check = rules === undefined ? checkIsObject : checkMembers(rules, { host, folder })
  return {
    '~standard': {
      version: 1,
      vendor: 'writ',
      validate: (value) => {
        const faults: Fault[] = []
        check(value, [], faults)
        return faults.length === 0 ? { value } : { issues: faults.slice(0, MAX_FAULTS) }
      },
      jsonSchema: { input: () => describeRules(rules) },
    },
  }
}

interface World {
  readonly host: PathHost
  readonly folder: string
}

const checkIsObject: Check = (value, path, faults) => {
  if (typeOf(value) !== 'object') faults.push({ path, code: 'members', message: 'expected an object' })
}

function checkMembers({ named, others }: ArgumentRules, world: World): Check {
  const checks = new Map([...named].map(([name, rule]) => [name, checkRule(rule, world)]))
  const checkOthers = checkRule(others, world)
  const required = [...named].flatMap(([name, rule]) =>
    typeof rule === 'object' && !rule.optional ? [name] : [],
  )
  return (value, path, faults) => {
    const before = faults.length
    checkIsObject(value, path, faults)
    if (faults.length > before) return
    const members = value as Members
    for (const name of Object.keys(members)) {
      if (members[name] === undefined) continue
      const check = checks.get(name) ?? checkOthers
      check(members[name], [...path, name], faults)
    }
    for (const name of required) {
      if (Object.hasOwn(members, name) && members[name] !== undefined) continue
      faults.push({ path: [...path, name], code: 'required', message: 'has to be there' })
    }
  }
}

function checkRule(rule: ContractRule, world: World): Check {
  if (rule === true) return () => undefined
  if (rule === false) {
    return (_value, path, faults) => {
      faults.push({ path, code: 'not_allowed', message: 'is not an argument that is allowed' })
    }
  }
  const checks = checksOf(rule, world)
  return (value, path, faults) => {
    for (const check of checks) check(value, path, faults)
  }
}

/** A rule that says yes or no. */
function test(code: string, message: string, holds: (value: unknown) => boolean): Check {
  return (value, path, faults) => {
    if (holds(value) !== true) faults.push({ path, code, message })
  }
}

function checksOf(rule: RuleData, world: World): readonly Check[] {
  const { equals, oneOf, range, glob, under, pattern, maxLength, each, members } = rule
  const checks: Check[] = []
  if (equals !== undefined) checks.push(isOneOf('equals', 'is not the value that is allowed', [equals.value]))
  if (oneOf !== undefined) checks.push(isOneOf('oneOf', 'is none of the values that are allowed', oneOf))
  if (range !== undefined) {
    const [min, max] = range
    checks.push(
      test('range', `has to be a number from ${min} to ${max}`, (value) => {
        return typeof value === 'number' && value >= min && value <= max
      }),
    )
  }
  if (glob !== undefined) {
    const globs = glob.map(compileGlob)
    checks.push(
      test('glob', 'matches no glob that is allowed', (value) => {
        return typeof value === 'string' && globs.some((matches) => matches(value))
      }),
    )
  }
  if (pattern !== undefined) {
    const matches = compilePattern(pattern)
    checks.push(
      test('pattern', 'does not match the pattern that is allowed', (value) => {
        return typeof value === 'string' && matches(value)
      }),
    )
  }
  if (maxLength !== undefined) {
    checks.push(
      test('maxLength', `has to be a text or a list of at most ${maxLength}`, (value) => {
        return (typeof value === 'string' || Array.isArray(value)) && value.length <= maxLength
      }),
    )
  }
  if (under !== undefined) checks.push(checkUnder(under, world))
  if (each !== undefined) checks.push(checkEach(checkRule(each, world)))
  if (members !== undefined) checks.push(checkMembers(members, world))
  return checks
}

function isOneOf(code: string, message: string, values: readonly unknown[]): Check {
  const texts = new Set(values.map(canonicalJson))
  return test(code, message, (value) => {
    try {
      return texts.has(canonicalJson(value))
    } catch {
      return false
    }
  })
}

function checkUnder(roots: readonly string[], { host, folder }: World): Check {
  const check = pathUnder(host, folder, roots)
  return (value, path, faults) => {
    const refused = typeof value === 'string' ? check(value) : 'has to be an absolute path'
    if (refused !== undefined) {
      faults.push({ path, code: 'under', message: `${refused}; allowed: ${roots.join(', ')}` })
    }
  }
}

function checkEach(check: Check): Check {
  return (value, path, faults) => {
    if (!Array.isArray(value)) {
      faults.push({ path, code: 'each', message: 'has to be a list' })
      return
    }
    for (const [index, element] of value.entries()) {
      if (faults.length >= MAX_FAULTS) return
      check(element, [...path, index], faults)
    }
  }
}

/** What the log's digest of the tool is made over, and the names of arguments that it may show. */
function describeRules(rules: ArgumentRules | undefined): Record<string, unknown> {
  if (rules === undefined) return { type: 'object' }
  const describeRule = (rule: ContractRule): unknown => {
    if (typeof rule === 'boolean') return rule
    const { each, members, range, equals, ...rest } = rule
    const nested = members === undefined ? {} : describeRules(members)
    return {
      ...nested,
      ...(each === undefined ? {} : { items: describeRule(each) }),
      'x-writ-rule': JSON.parse(
        JSON.stringify({ ...rest, equals: equals?.value, range: range?.map(String) }),
      ) as unknown,
    }
  }
  return {
    type: 'object',
    properties: Object.fromEntries([...rules.named].map(([name, rule]) => [name, describeRule(rule)])),
    additionalProperties: describeRule(rules.others),
  }
}
