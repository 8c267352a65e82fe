import type { JsonSchema, StandardSchema } from '../../index.js'
import { type Members, membersOf } from '../metered/members.js'

/** How the SDK knows a schema of its own. */
const SCHEMA = Symbol.for('vercel.ai.schema')

/**
 * A schema that the SDK takes as it is, and that checks nothing: the contract checks, and what it refuses is on
 * record.
 */
export function uncheckedSchema(jsonSchema: JsonSchema): object {
  return { [SCHEMA]: true, _type: undefined, jsonSchema, validate: undefined }
}

/**
 * The schema of a tool of the SDK: one of zod or another library, one of the SDK, or a function that returns it.
 *
 * @throws TypeError for anything else.
 */
export function schemaOf(given: unknown): StandardSchema {
  const schema = typeof given === 'function' && !('~standard' in given) ? given() : given
  const members =
    membersOf(schema) ?? (typeof schema === 'function' ? (schema as unknown as Members) : undefined)
  if (members?.['~standard'] !== undefined) return schema as StandardSchema
  if (members === undefined || (members as { [SCHEMA]?: unknown })[SCHEMA] !== true) {
    throw new TypeError('fromTool: expected a tool with an inputSchema')
  }
  const { jsonSchema, validate } = members
  // A schema that is still to come can be checked with, and not be shown.
  const isKnown = membersOf(jsonSchema) !== undefined && typeof membersOf(jsonSchema)?.['then'] !== 'function'
  return {
    '~standard': {
      version: 1,
      vendor: 'ai-sdk',
      validate: async (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          return { issues: [{ message: 'expected an object' }] }
        }
        if (typeof validate !== 'function') return { value }
        const outcome = membersOf(await validate(value))
        if (outcome?.['success'] === true) return { value: outcome['value'] }
        return { issues: [{ message: String(membersOf(outcome?.['error'])?.['message'] ?? 'is not valid') }] }
      },
      ...(isKnown
        ? { jsonSchema: { input: () => structuredClone(jsonSchema) as Record<string, unknown> } }
        : {}),
    },
  }
}
