import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { RE2JS } from 're2js'
import { isMembers, type Members } from './json-rpc.js'
import { marked, StepLimit } from './schema-steps.js'

const MAX_SCHEMA_LENGTH = 256 * 1024
const MAX_DEPTH = 64
const MAX_SHOWN_LENGTH = 500

const DRAFT_7 = /^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/
const DRAFT_2020 = /^https?:\/\/json-schema\.org\/draft\/20(?:19-09|20-12)\/schema#?$/

/**
 * Patterns come from the server and texts from a model: RE2 takes time that is linear in the text. The compiler
 * knows patterns by `toString`: without one, each would be taken for the first.
 */
const linearRegExp = Object.assign(
  (pattern: string): { test(text: string): boolean; toString(): string } => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern))
    return { test: (text) => compiled.test(text), toString: () => pattern }
  },
  { code: 'linear-time' },
)

const OPTIONS: Options = {
  strict: false,
  validateFormats: false,
  ownProperties: true,
  // A schema that refers to itself many times over would be written out as often.
  inlineRefs: false,
  logger: false,
  code: { regExp: linearRegExp },
}

/** Says what is wrong with arguments, in words without any value of them; `undefined` where they are valid. */
export type CheckArguments = (input: unknown) => string | undefined

/**
 * The check of arguments that a server declares with a tool: JSON Schema 2020-12, or draft 7 where it says so.
 *
 * @throws RangeError for a schema that cannot be checked against, saying why.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/server/tools
 */
export function compileDeclared(schema: unknown): CheckArguments {
  if (!isMembers(schema)) throw new RangeError('it is no object')
  if (depthOf(schema) > MAX_DEPTH) throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`)
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH) {
    throw new RangeError(`it is longer than ${MAX_SCHEMA_LENGTH} characters`)
  }
  const { $schema: dialect = 'https://json-schema.org/draft/2020-12/schema', ...rest } = schema
  const isDraft7 = typeof dialect === 'string' && DRAFT_7.test(dialect)
  if (!isDraft7 && !(typeof dialect === 'string' && DRAFT_2020.test(dialect))) {
    throw new RangeError('its $schema names a dialect that is not known')
  }
  const steps = new StepLimit()
  let check: ValidateFunction
  try {
    // One for each tool: what one server names in its schema cannot be referred to by another.
    const ajv = isDraft7 ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS)
    steps.addTo(ajv)
    check = ajv.compile(marked(rest) as Members)
  } catch (cause) {
    throw new RangeError((cause as Error).message.slice(0, MAX_SHOWN_LENGTH), { cause })
  }
  if ('$async' in rest) throw new RangeError('it has $async')
  return (input) => {
    steps.reset()
    // Objects that inherit nothing are equal to no object of a schema.
    return check(structuredClone(input)) === true ? undefined : textOf(check.errors)
  }
}

function textOf(errors: readonly ErrorObject[] | null | undefined): string {
  const [first] = errors ?? []
  if (first === undefined) return 'they do not match'
  return `${first.instancePath || 'the arguments'} ${first.message ?? 'do not match'}`.slice(
    0,
    MAX_SHOWN_LENGTH,
  )
}

function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return depth
  let deepest = depth
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member, depth + 1))
  return deepest
}
