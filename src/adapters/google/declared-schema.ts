import type { FunctionDeclaration } from '@google/genai'
import type { StandardSchema } from '../../index.js'
import { membersOf } from '../metered/members.js'

type Input = Record<string, unknown>

/** The schema of a function declaration. It takes any object: what is in it is checked by who declared it. */
export function schemaOf({ parameters, parametersJsonSchema }: FunctionDeclaration): StandardSchema<Input> {
  const schema = membersOf(parametersJsonSchema ?? plain(parameters)) ?? { type: 'object', properties: {} }
  return {
    '~standard': {
      version: 1,
      vendor: 'google',
      validate: (value) =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? { value: value as Input }
          : { issues: [{ message: 'expected an object' }] },
      jsonSchema: { input: () => structuredClone({ ...schema }) },
    },
  }
}

/** The schema of Google as JSON Schema: its types are in capitals, and it has `nullable`. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain)
  const members = membersOf(schema)
  if (members === undefined) return schema
  const { type, nullable, properties, items, anyOf, ...rest } = members
  const name = typeof type === 'string' ? type.toLowerCase() : undefined
  const fields = Object.entries(membersOf(properties) ?? {}).map(([key, value]) => [key, plain(value)])
  return {
    ...rest,
    ...(name === undefined ? {} : { type: nullable === true ? [name, 'null'] : name }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(fields) }),
    ...(items === undefined ? {} : { items: plain(items) }),
    ...(anyOf === undefined ? {} : { anyOf: plain(anyOf) }),
  }
}
